//! How the demo looks: acts, sentences, and records side by side.

use serde_json::Value;
use syncline::{Record, Store};

use crate::failure::Outcome;
use crate::output::{Out, stdout_is_colored, styled};

/// Fields that are shown.
const FIELDS: [&str; 4] = ["title", "body", "likes", "tags"];

/// Width of a value in the table.
const WIDTH: usize = 36;

const BOLD: &str = "1";
const DIM: &str = "2";
const GREEN: &str = "32";
const YELLOW: &str = "33";
const CYAN: &str = "36";

/// Tells the story. Each sentence is seen when it is told.
pub(super) struct Scene<'o> {
    out: &'o mut Out,
    colored: bool,
}

impl<'o> Scene<'o> {
    pub(super) fn new(out: &'o mut Out) -> Self {
        Self { out, colored: stdout_is_colored() }
    }

    pub(super) fn title(&mut self, text: &str) -> Outcome {
        let text = styled(text, BOLD, self.colored);
        self.line(&text)
    }

    pub(super) fn act(&mut self, number: u32, name: &str) -> Outcome {
        self.blank()?;
        let head = styled(format_args!("{number}  {name}"), "1;36", self.colored);
        self.line(&head)
    }

    pub(super) fn say(&mut self, text: &str) -> Outcome {
        self.line(&format!("   {text}"))
    }

    pub(super) fn quote(&mut self, text: &str) -> Outcome {
        let text = styled(text, DIM, self.colored);
        self.line(&format!("     {text}"))
    }

    pub(super) fn remark(&mut self, text: &str) -> Outcome {
        let text = styled(format_args!("→ {text}"), GREEN, self.colored);
        self.line(&format!("   {text}"))
    }

    pub(super) fn blank(&mut self) -> Outcome {
        self.line("")
    }

    /// One record, its fields below each other.
    pub(super) fn record(&mut self, record: Option<&Record>) -> Outcome {
        for field in FIELDS {
            let value = shown(record, field);
            self.line(&format!("     {field:<6} {value}"))?;
        }
        Ok(())
    }

    /// The same records in both stores; what differs is marked.
    pub(super) async fn side_by_side(&mut self, laptop: &Store, phone: &Store, records: &[(&str, &str)]) -> Outcome {
        let head = format!("     {:<6} {:<WIDTH$}   {}", "", "laptop", "phone");
        let head = styled(head, CYAN, self.colored);
        self.line(&head)?;
        for (index, (name, id)) in records.iter().enumerate() {
            let (left, right) = (laptop.get_json("Note", id).await?, phone.get_json("Note", id).await?);
            if index > 0 {
                self.quote("·")?;
            }
            self.pair(name, left.as_ref(), right.as_ref())?;
        }
        Ok(())
    }

    fn pair(&mut self, name: &str, left: Option<&Record>, right: Option<&Record>) -> Outcome {
        if left.is_none() && right.is_none() {
            return self.row("title", &format!("({name}: deleted)"), &format!("({name}: deleted)"));
        }
        for field in FIELDS {
            let value = |record| match (record, field) {
                (None, "title") => format!("({name}: deleted)"),
                (None, _) => String::new(),
                (record, _) => shown(record, field),
            };
            self.row(field, &value(left), &value(right))?;
        }
        Ok(())
    }

    fn row(&mut self, field: &str, left: &str, right: &str) -> Outcome {
        let padding = " ".repeat(WIDTH.saturating_sub(left.chars().count()));
        let differs = left != right;
        let mark = if differs { "≠" } else { " " };
        let line = format!("     {field:<6} {left}{padding} {mark} {right}");
        let line = line.trim_end();
        let line = if differs { styled(line, YELLOW, self.colored) } else { line.to_owned() };
        self.line(&line)
    }

    fn line(&mut self, text: &str) -> Outcome {
        self.out.line(text)?;
        self.out.flush()
    }
}

fn shown(record: Option<&Record>, field: &str) -> String {
    match record.and_then(|record| record.get(field)) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => {
            items.iter().map(|item| item.as_str().unwrap_or_default()).collect::<Vec<_>>().join(", ")
        }
        Some(other @ (Value::Bool(_) | Value::Number(_) | Value::Object(_))) => other.to_string(),
    }
}
