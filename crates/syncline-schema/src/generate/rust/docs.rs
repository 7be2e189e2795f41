//! Comments of what is generated: the schema's own words first, then what they belong to.

use proc_macro2::TokenStream;
use quote::quote;

/// The attributes that make up a comment: what the schema says, if anything, and `doc` in a paragraph of its own.
pub(crate) fn attributes(said: Option<&str>, doc: &str) -> TokenStream {
    // What stands in brackets, URLs and tags mean something to whoever wrote it, not to rustdoc; only these lints are
    // silenced, and only where a description stands.
    let lenient =
        said.map(|_| quote!(#[allow(rustdoc::broken_intra_doc_links, rustdoc::bare_urls, rustdoc::invalid_html_tags)]));
    let said = said.map(lines).unwrap_or_default();
    let between = (!said.is_empty()).then(String::new);
    let lines = said.into_iter().chain(between).chain([doc.to_owned()]);
    quote!(#(#[doc = #lines])* #lenient)
}

/// The lines of a description, a block of Markdown in which rustdoc finds no code to be tested: blocks of code stand at
/// the margin and are text, everywhere else nothing that would begin one is left.
fn lines(said: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut open: Option<(char, usize)> = None;
    for line in said.replace("\r\n", "\n").replace('\r', "\n").lines().map(str::trim_end) {
        let text = line.trim_start();
        match open {
            Some((mark, least)) if run(text, mark) >= least && run(text, mark) == text.chars().count() => {
                open = None;
                lines.push(format!(" {}", fence(mark, least)));
            }
            Some(_) => lines.push(format!(" {line}")),
            None => {
                open = opened(text);
                lines.push(match open {
                    Some((mark, least)) => format!(" {}text", fence(mark, least)),
                    None => format!(" {}{}", " ".repeat((line.len() - text.len()).min(3)), harmless(text)),
                });
            }
        }
    }
    lines.extend(open.map(|(mark, least)| format!(" {}", fence(mark, least))));
    lines
}

fn run(text: &str, mark: char) -> usize {
    text.chars().take_while(|char| *char == mark).count()
}

fn fence(mark: char, len: usize) -> String {
    String::from(mark).repeat(len)
}

/// The fence with which a line begins a block of code.
fn opened(text: &str) -> Option<(char, usize)> {
    let (mark, len) = ['`', '~'].into_iter().map(|mark| (mark, run(text, mark))).find(|(_, len)| *len >= 3)?;
    // Backticks behind those at the beginning make them code within a line.
    (mark == '~' || !text[len..].contains('`')).then_some((mark, len))
}

/// A line outside of blocks, in which lists and quotes hold text only.
fn harmless(mut text: &str) -> String {
    let mut line = String::new();
    while let Some(marker) = marker(text) {
        line.push_str(&text[..marker]);
        text = text[marker..].trim_start();
        if !text.is_empty() {
            line.push(' ');
        }
    }
    let is_fence = opened(text).is_some();
    // Behind a tag that begins a line, Markdown counts fences in another way.
    let is_tag = text.strip_prefix('<').is_some_and(|rest| {
        !text.contains("://") && rest.starts_with(|char: char| char.is_ascii_alphabetic() || "/!?".contains(char))
    });
    if is_fence || is_tag {
        line.push('\\');
    }
    line + text
}

/// Length of what makes a line one of a list or a quote.
fn marker(text: &str) -> Option<usize> {
    let is_end = |at: usize| text[at..].chars().next().is_none_or(char::is_whitespace);
    if text.starts_with('>') {
        return Some(1);
    }
    if text.starts_with(['-', '*', '+']) {
        return Some(1).filter(|at| is_end(*at));
    }
    let digits = text.chars().take_while(char::is_ascii_digit).count();
    let is_number = (1..10).contains(&digits) && text[digits..].starts_with(['.', ')']);
    Some(digits + 1).filter(|at| is_number && is_end(*at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_in_a_description_is_not_tested() {
        for (said, expected) in [
            ("So:\n\n    let x = 1;", vec![" So:", " ", "    let x = 1;"]),
            (
                "```\nfn broken(\n    as it is\n```\nThe end.",
                vec![" ```text", " fn broken(", "     as it is", " ```", " The end."],
            ),
            ("- a list:\n  ~~~~rust\n  ```\n  ~~~~", vec![" - a list:", " ~~~~text", "   ```", " ~~~~"]),
            ("````\n```\n````\n", vec![" ````text", " ```", " ````"]),
            ("```id``` is the key", vec![" ```id``` is the key"]),
            ("```\nnot closed", vec![" ```text", " not closed", " ```"]),
            ("> ```\n> fn broken(", vec![" > \\```", " > fn broken("]),
            (
                "-      words\n>>     words\n12.\twords\n*bold* -     words",
                vec![" - words", " > > words", " 12. words", " *bold* -     words"],
            ),
            ("- ```\n  code(", vec![" - \\```", "   code("]),
            ("a\r```\rfn x(", vec![" a", " ```text", " fn x(", " ```"]),
            ("<pre>\n<https://example.org>", vec![" \\<pre>", " <https://example.org>"]),
        ] {
            assert_eq!(lines(said), expected, "{said}");
        }
    }

    #[test]
    fn without_a_description_there_is_one_line() {
        assert_eq!(attributes(None, " `a: Int`").to_string(), quote!(#[doc = " `a: Int`"]).to_string());
        let said = attributes(Some("A.\nB."), " `a: Int`").to_string();
        let expected = quote!(#[doc = " A."] #[doc = " B."] #[doc = ""] #[doc = " `a: Int`"]).to_string();
        assert!(said.starts_with(&expected) && said.contains("broken_intra_doc_links"), "{said}");
    }
}
