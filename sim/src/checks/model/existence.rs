//! Existence: a delete wins over edits it did not see, an undelete over deletes that did not see it.

use super::{History, Judged};
use crate::schedule::Action;
use crate::world::Written;

pub(super) fn judge(history: &History<'_>) -> Judged {
    let calls = |write: &&&Written| calls_to_life(history, write);
    let is_deleted = |write: &Written| {
        let deletes = history.writes.iter().filter(|other| matches!(other.action, Action::Delete { .. }));
        deletes.into_iter().any(|delete| History::sees(delete, write))
    };
    let lives = history.writes.iter().filter(calls).any(|write| !is_deleted(write));
    match (lives, history.shown.is_some()) {
        (true, false) => {
            Err("it is not there, and something that calls it to life was not seen by any delete".to_owned())
        }
        (false, true) => Err("it is there, and everything that called it to life was deleted by who saw it".to_owned()),
        (true, true) | (false, false) => Ok(1),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "all others are edits")]
fn calls_to_life(history: &History<'_>, write: &Written) -> bool {
    match write.action {
        Action::Create { .. } => write.before.is_none() || history.edits_win(),
        Action::Undelete { .. } => true,
        Action::Delete { .. } => false,
        _ => history.edits_win(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::tests::{Story, create, delete, update};
    use super::*;

    fn edited_and_deleted(model: &'static str) -> Story {
        let there = json!({"title": "a"});
        Story::new(model)
            .write(1, [0, 0], create(), Value::Null, there.clone())
            .write(1, [1, 0], delete(), there.clone(), there.clone())
            .write(2, [1, 0], update(json!({"title": "b"})), there, json!({"title": "b"}))
    }

    #[test]
    fn a_delete_wins_over_a_concurrent_edit_unless_the_model_says_otherwise() {
        let shown = || json!({"title": "b"});
        assert_eq!(edited_and_deleted("Todo").judge(judge, Value::Null), Ok(1));
        assert!(edited_and_deleted("Todo").judge(judge, shown()).is_err());
        assert_eq!(edited_and_deleted("Draft").judge(judge, shown()), Ok(1));
        assert!(edited_and_deleted("Draft").judge(judge, Value::Null).is_err());
    }

    #[test]
    fn an_undelete_wins_over_a_concurrent_delete() {
        let there = json!({"title": "a"});
        let undelete = Action::Undelete { node: String::new(), record: 1 };
        let story = Story::new("Todo")
            .write(1, [0, 0], create(), Value::Null, there.clone())
            .write(1, [1, 0], delete(), there.clone(), there.clone())
            .write(1, [2, 0], undelete, Value::Null, there.clone())
            .write(2, [2, 0], delete(), there.clone(), there.clone());
        assert_eq!(story.judge(judge, there), Ok(1));
        assert!(story.judge(judge, Value::Null).is_err());
    }
}
