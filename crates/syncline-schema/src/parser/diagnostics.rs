//! Findings with their place in the file, and how they look to a person.

use std::{fmt, ops::Range, sync::Arc};

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, NamedSource};

/// How bad a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The schema is used; something in it is not carried over.
    Warning,
    /// The schema is refused.
    Error,
}

/// One finding, with its place in the file.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// Warning or error.
    pub severity: Severity,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Byte range in the source.
    pub span: Range<usize>,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// Findings about one file, in file order, with the source they point into.
///
/// As an error it is a refused schema. Its `Display` is [`Diagnostics::render`] without color.
#[derive(Clone, Debug)]
pub struct Diagnostics {
    /// Findings in file order.
    pub findings: Vec<Diagnostic>,
    /// Name of the file, as given.
    pub file: String,
    /// The source text.
    pub source: String,
}

impl Diagnostics {
    /// The findings that refuse the schema.
    pub fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        self.of(Severity::Error)
    }

    /// The findings that a strict reader refuses, too.
    pub fn warnings(&self) -> impl Iterator<Item = &Diagnostic> {
        self.of(Severity::Warning)
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.findings.is_empty()
    }

    fn of(&self, severity: Severity) -> impl Iterator<Item = &Diagnostic> {
        self.findings.iter().filter(move |finding| finding.severity == severity)
    }

    /// Every finding with an excerpt of the source, marked at the exact token, and its help.
    /// Ends with a newline unless empty; ANSI colors only when asked for.
    pub fn render(&self, color: bool) -> String {
        let theme = if color { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler = GraphicalReportHandler::new_themed(theme).with_links(false).with_width(100);
        let source = Arc::new(NamedSource::new(&self.file, self.source.clone()));
        let mut out = String::new();
        for (nth, finding) in self.findings.iter().enumerate() {
            if nth > 0 {
                out.push('\n');
            }
            let report = miette::Report::new(finding.to_miette()).with_source_code(source.clone());
            if handler.render_report(&mut out, report.as_ref()).is_err() {
                // Without an excerpt the place still stands in words.
                let (line, column) = (finding.line, finding.column);
                out.push_str(&format!("{}:{line}:{column}: {}\n", self.file, finding.message));
            }
        }
        out
    }
}

impl Diagnostic {
    fn to_miette(&self) -> MietteDiagnostic {
        let severity = match self.severity {
            Severity::Warning => miette::Severity::Warning,
            Severity::Error => miette::Severity::Error,
        };
        let diagnostic = MietteDiagnostic::new(&self.message)
            .with_severity(severity)
            .with_label(LabeledSpan::underline(self.span.clone()));
        match &self.help {
            Some(help) => diagnostic.with_help(help),
            None => diagnostic,
        }
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostics {}
