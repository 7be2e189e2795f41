//! What a check says before it is placed in the file: severity, message, cure, byte range.

use std::ops::Range;

use apollo_compiler::{Name, Node, parser::SourceSpan};

use super::{Diagnostic, Diagnostics, Severity};

/// Result of a check that stops at the first error of a definition.
pub(super) type Checked<T> = Result<T, Box<Finding>>;

/// One finding, not yet placed.
#[derive(Debug)]
pub(super) struct Finding {
    severity: Severity,
    message: String,
    help: Option<String>,
    span: Range<usize>,
}

impl Finding {
    pub(super) fn error(span: Range<usize>, message: impl Into<String>) -> Box<Self> {
        Self::new(Severity::Error, span, message.into())
    }

    pub(super) fn warning(span: Range<usize>, message: impl Into<String>) -> Box<Self> {
        Self::new(Severity::Warning, span, message.into())
    }

    fn new(severity: Severity, span: Range<usize>, message: String) -> Box<Self> {
        Box::new(Self { severity, message, help: None, span })
    }

    pub(super) fn help(mut self: Box<Self>, help: impl Into<String>) -> Box<Self> {
        self.help = Some(help.into());
        self
    }

    pub(super) fn maybe_help(mut self: Box<Self>, help: Option<String>) -> Box<Self> {
        self.help = help;
        self
    }
}

/// Findings in the order in which they were made.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    #[expect(clippy::boxed_local, reason = "boxed is how findings travel through `Checked`")]
    pub(super) fn push(&mut self, finding: Box<Finding>) {
        self.0.push(*finding);
    }

    pub(super) fn has_errors(&self) -> bool {
        self.0.iter().any(|finding| finding.severity == Severity::Error)
    }

    pub(super) fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// Notes the error of a definition, if it has one; gives its value, if it has none.
    pub(super) fn keep<T>(&mut self, checked: Checked<T>) -> Option<T> {
        checked.map_err(|finding| self.push(finding)).ok()
    }

    /// Orders the findings by place and adds lines and columns.
    pub(super) fn into_diagnostics(mut self, file: &str, source: &str) -> Diagnostics {
        self.0.sort_by_key(|finding| finding.span.start);
        let findings = self.0.into_iter().map(|finding| place(finding, source));
        Diagnostics { findings: findings.collect(), file: file.to_owned(), source: source.to_owned() }
    }
}

fn place(finding: Finding, source: &str) -> Diagnostic {
    let span = within(source, finding.span);
    let before = &source[..span.start];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Diagnostic {
        severity: finding.severity,
        message: finding.message,
        help: finding.help,
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        span,
    }
}

/// The span cut to character boundaries of the source, without blanks at its end.
fn within(source: &str, span: Range<usize>) -> Range<usize> {
    let boundary = |mut at: usize| {
        at = at.min(source.len());
        while !source.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = boundary(span.start);
    let end = boundary(span.end).max(start);
    let text = source[start..end].trim_end_matches(|c: char| c.is_whitespace() || c == ',');
    start..start + text.len()
}

/// Byte range of a syntax node.
pub(super) trait Spanned {
    /// The range; empty at the start of the file for what was not written there.
    fn span(&self) -> Range<usize>;
}

impl Spanned for Option<SourceSpan> {
    fn span(&self) -> Range<usize> {
        self.map_or(0..0, |span| span.offset()..span.end_offset())
    }
}

impl Spanned for Name {
    fn span(&self) -> Range<usize> {
        self.location().span()
    }
}

impl<T> Spanned for Node<T> {
    fn span(&self) -> Range<usize> {
        self.location().span()
    }
}
