//! Text of records on a terminal: nothing in it moves the cursor, turns the writing or rings the bell.

use std::fmt::Write as _;

/// Longest text of a cell or line that is looked at: more does not fit any terminal.
const LONGEST: usize = 2_000;

/// The text on one line, with what is no visible character written out.
pub(super) fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(LONGEST));
    for (place, letter) in text.chars().enumerate() {
        if place == LONGEST {
            out.push('…');
            break;
        }
        match letter {
            '\n' => out.push('⏎'),
            '\t' => out.push(' '),
            letter if is_harmless(letter) => out.push(letter),
            letter => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(letter));
            }
        }
    }
    out
}

/// Neither a control character nor one that changes the direction of what follows.
fn is_harmless(letter: char) -> bool {
    !letter.is_control()
        && !matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_of_a_record_reaches_the_terminal_as_a_command() {
        assert_eq!(shown("a\u{1b}[2J\u{7}b\nc\td"), "a\\u{1b}[2J\\u{7}b⏎c d");
        assert_eq!(shown("\u{202e}abc\u{9b}"), "\\u{202e}abc\\u{9b}");
        assert_eq!(shown("日本 é 🦀"), "日本 é 🦀");
        assert_eq!(shown(&"x".repeat(5_000)).chars().count(), LONGEST + 1);
    }
}
