//! Runs as JUnit XML, which every CI reads.

use std::fmt::Write as _;

/// The runs of one command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Suite {
    /// Its name.
    pub name: String,
    /// One per seed or file.
    pub cases: Vec<Case>,
}

/// One run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Case {
    /// Its name: a seed or a file.
    pub name: String,
    /// How long it took, in real milliseconds.
    pub ms: u64,
    /// What went wrong, if anything.
    pub failure: Option<Failed>,
    /// What else is worth knowing, by name.
    pub properties: Vec<(String, String)>,
}

/// What went wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failed {
    /// The check.
    pub kind: String,
    /// In a line.
    pub message: String,
    /// In full, with the command that replays it.
    pub text: String,
}

impl Suite {
    /// The document.
    pub fn to_xml(&self) -> String {
        let failures = self.cases.iter().filter(|case| case.failure.is_some()).count();
        let time = seconds(self.cases.iter().map(|case| case.ms).sum());
        let counts = format!("tests=\"{}\" failures=\"{failures}\" errors=\"0\" time=\"{time}\"", self.cases.len());
        let name = escaped(&self.name);
        let mut xml = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {counts}>\n<testsuite name=\"{name}\" {counts}>\n"
        );
        for case in &self.cases {
            case.write(&self.name, &mut xml);
        }
        xml.push_str("</testsuite>\n</testsuites>\n");
        xml
    }
}

impl Case {
    fn write(&self, suite: &str, xml: &mut String) {
        let (name, suite, time) = (escaped(&self.name), escaped(suite), seconds(self.ms));
        let mut content = String::new();
        if !self.properties.is_empty() {
            content.push_str("  <properties>\n");
            for (name, value) in &self.properties {
                let (name, value) = (escaped(name), escaped(value));
                let _ = writeln!(content, "   <property name=\"{name}\" value=\"{value}\"/>");
            }
            content.push_str("  </properties>\n");
        }
        if let Some(Failed { kind, message, text }) = &self.failure {
            let (kind, message, text) = (escaped(kind), escaped(message), escaped(text));
            let _ = writeln!(content, "  <failure type=\"{kind}\" message=\"{message}\">{text}</failure>");
        }
        // Writing to a string does not fail.
        let _ = if content.is_empty() {
            writeln!(xml, " <testcase name=\"{name}\" classname=\"{suite}\" time=\"{time}\"/>")
        } else {
            writeln!(xml, " <testcase name=\"{name}\" classname=\"{suite}\" time=\"{time}\">\n{content} </testcase>")
        };
    }
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

/// Text that means itself within XML, in attributes too; what XML cannot hold becomes a replacement character.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            '\r' => out.push_str("&#13;"),
            '\0'..'\u{20}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            plain => out.push(plain),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suite_counts_its_failures_and_names_each_run() {
        let failed = Failed { kind: "convergence".into(), message: "a < b".into(), text: "line 1\nline 2".into() };
        let suite = Suite {
            name: "field \"technicians\"".into(),
            cases: vec![
                Case { name: "seed 1".into(), ms: 1_250, ..Case::default() },
                Case {
                    name: "seed 2".into(),
                    ms: 7,
                    failure: Some(failed),
                    properties: vec![("seed".into(), "2".into())],
                },
            ],
        };
        let expected = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="2" failures="1" errors="0" time="1.257">
<testsuite name="field &quot;technicians&quot;" tests="2" failures="1" errors="0" time="1.257">
 <testcase name="seed 1" classname="field &quot;technicians&quot;" time="1.250"/>
 <testcase name="seed 2" classname="field &quot;technicians&quot;" time="0.007">
  <properties>
   <property name="seed" value="2"/>
  </properties>
  <failure type="convergence" message="a &lt; b">line 1&#10;line 2</failure>
 </testcase>
</testsuite>
</testsuites>
"#;
        assert_eq!(suite.to_xml(), expected);
    }

    #[test]
    fn what_xml_cannot_hold_is_replaced() {
        assert_eq!(escaped("a\u{1b}[31m\u{0}\tb"), "a\u{fffd}[31m\u{fffd}&#9;b");
    }
}
