//! Comments of what is generated: the schema's own words first, then what they belong to.

use proc_macro2::TokenStream;
use quote::quote;

/// The attributes that make up a comment: what the schema says, if anything, and `doc` in a paragraph of its own.
pub(crate) fn attributes(said: Option<&str>, doc: &str) -> TokenStream {
    // Its links and tags mean something to whoever wrote it, not to rustdoc.
    let lenient = said.map(|_| quote!(#[allow(rustdoc::all)]));
    let said = said.map(lines).unwrap_or_default();
    let between = (!said.is_empty()).then(String::new);
    let lines = said.into_iter().chain(between).chain([doc.to_owned()]);
    quote!(#(#[doc = #lines])* #lenient)
}

/// The lines of a description, of which rustdoc takes none for code to be tested.
fn lines(said: &str) -> Vec<String> {
    let mut fence: Option<char> = None;
    let line = |line: &str| {
        let text = line.trim_start();
        let run = |mark: char| text.chars().take_while(|char| *char == mark).count();
        if let Some(mark) = fence {
            if run(mark) >= 3 {
                fence = None;
            }
            return format!(" {line}");
        }
        fence = ['`', '~'].into_iter().find(|mark| run(*mark) >= 3);
        // More than three spaces would make code of it.
        let indent = " ".repeat((line.len() - text.len()).min(3));
        match fence {
            Some(mark) => format!(" {indent}{}text", String::from(mark).repeat(run(mark))),
            None => format!(" {indent}{text}"),
        }
    };
    said.lines().map(str::trim_end).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_in_a_description_is_not_tested() {
        let said = "So:\n\n    let x = 1;\n```\nfn broken(\n    as it is\n```\n ~~~~rust\n~~~~\nThe end.";
        let expected = [
            " So:",
            " ",
            "    let x = 1;",
            " ```text",
            " fn broken(",
            "     as it is",
            " ```",
            "  ~~~~text",
            " ~~~~",
            " The end.",
        ];
        assert_eq!(lines(said), expected);
    }

    #[test]
    fn without_a_description_there_is_one_line() {
        assert_eq!(attributes(None, " `a: Int`").to_string(), quote!(#[doc = " `a: Int`"]).to_string());
        let said = attributes(Some("A.\nB."), " `a: Int`").to_string();
        let expected = quote!(#[doc = " A."] #[doc = " B."] #[doc = ""] #[doc = " `a: Int`"] #[allow(rustdoc::all)]);
        assert_eq!(said, expected.to_string());
    }
}
