//! `demo`: two replicas and a relay in this process, over real QUIC on loopback, in a temporary folder.
//!
//! The story stands in `run`; `Scene` tells it, `Stage` plays it.

mod scene;
mod stage;

use std::time::Instant;

use serde_json::json;

use crate::failure::{Failure, Outcome};
use crate::output::Out;
use scene::Scene;
use stage::{Stage, record};

/// Two kinds of records are enough for a text, a counter, a list, and a delete against an edit.
const SCHEMA: &str = "\
type Note @model {
  title: String!
  body: String @text
  likes: Int @counter
  tags: [String!]
}
";

pub(crate) async fn run(out: &mut Out) -> Outcome {
    let began = Instant::now();
    let mut scene = Scene::new(out);
    scene.title("Syncline demo: two replicas, one relay, QUIC on loopback, a temporary folder")?;
    for line in SCHEMA.lines() {
        scene.quote(line)?;
    }
    let mut stage = Stage::set(SCHEMA).await?;
    let (note, old) = together(&mut stage, &mut scene).await?;
    apart(&mut stage, &mut scene, &note, &old).await?;
    relay_killed(&mut stage, &mut scene, &note, &old).await?;
    equal(&stage, &mut scene, &old).await?;
    stage.clear().await?;
    scene.blank()?;
    scene.say(&format!(
        "That took {:.1} s; the folder is gone. Next, with files of your own:",
        began.elapsed().as_secs_f64()
    ))?;
    for command in [
        "syncline init a.db --schema schema.graphql",
        "syncline save a.db Note '{\"title\":\"Hello\",\"tags\":[\"first\"]}'",
        "syncline relay run --data relay/ --listen 127.0.0.1:4433 --dev",
        "syncline sync a.db 'syncline://127.0.0.1:4433?pin=…'      (the URL that the relay printed)",
        "syncline help",
    ] {
        scene.quote(command)?;
    }
    Ok(())
}

/// Both replicas hold the same two notes. Returns their ids.
async fn together(stage: &mut Stage, scene: &mut Scene<'_>) -> Outcome<(String, String)> {
    scene.act(1, "Together")?;
    scene.say("A relay listens; laptop and phone are connected to it. The laptop saves two notes.")?;
    stage.connect()?;
    let first = json!({"title": "Groceries", "body": "Buy milk and bread.", "likes": 1, "tags": ["home"]});
    let note = stage.laptop.save_json("Note", record(first)?).await?;
    let second = json!({"title": "Old list", "body": "Things of last year.", "tags": []});
    let old = stage.laptop.save_json("Note", record(second)?).await?;
    stage.meet().await?;
    let (note, old) = (id(&note.record)?, id(&old.record)?);
    let arrived = stage.phone.get_json("Note", &note).await?;
    scene.say("The phone has them a moment later:")?;
    scene.record(arrived.as_ref())?;
    Ok((note, old))
}

/// Both links are down, and both replicas change the same records.
async fn apart(stage: &mut Stage, scene: &mut Scene<'_>, note: &str, old: &str) -> Outcome {
    scene.act(2, "Apart: both edit the same records offline")?;
    stage.disconnect().await;
    let laptop = &stage.laptop;
    laptop.splice("Note", note, "body", 4, 0, "oat ").await?;
    laptop.increment_json("Note", note, "likes", 2).await?;
    laptop.update_json("Note", note, record(json!({"tags": ["shop", "home"]}))?).await?;
    laptop.delete_json("Note", old).await?;
    let phone = &stage.phone;
    phone.splice("Note", note, "body", 19, 0, " Call Ann.").await?;
    phone.increment_json("Note", note, "likes", 3).await?;
    phone.update_json("Note", note, record(json!({"tags": ["home", "weekend"]}))?).await?;
    phone.update_json("Note", old, record(json!({"title": "Old list, still needed"}))?).await?;
    scene.say("Each change is in the local file when its call returns. The two differ now:")?;
    scene.side_by_side(laptop, phone, &[("Groceries", note), ("Old list", old)]).await?;
    scene.blank()?;
    scene.say("They connect again. Nobody wrote a conflict handler:")?;
    stage.connect()?;
    stage.meet().await?;
    scene.side_by_side(&stage.laptop, &stage.phone, &[("Groceries", note), ("Old list", old)]).await?;
    scene.remark("text: both insertions; counter: 1 + 2 + 3; list: both elements; the delete won over the edit")
}

/// The relay dies under them, they go on, and it comes back.
async fn relay_killed(stage: &mut Stage, scene: &mut Scene<'_>, note: &str, old: &str) -> Outcome {
    scene.act(3, "The relay is killed, both edit on")?;
    stage.kill_relay().await?;
    let (laptop, phone) = (&stage.laptop, &stage.phone);
    laptop.splice("Note", note, "body", 0, 3, "Get").await?;
    laptop.increment_json("Note", note, "likes", 10).await?;
    phone.update_json("Note", note, record(json!({"title": "Groceries and calls"}))?).await?;
    phone.increment_json("Note", note, "likes", 1).await?;
    phone.undelete_json("Note", old).await?;
    let pending = |status: syncline::Status| status.store.outbox.pending;
    let (of_laptop, of_phone) = (pending(laptop.status().await?), pending(phone.status().await?));
    scene
        .say("The laptop turns Buy into Get and adds 10 likes. The phone renames the note, adds 1 like, and brings")?;
    scene.say("the old list back.")?;
    scene.say(&format!(
        "No relay, no error: {of_laptop} changes of the laptop and {of_phone} of the phone wait in their outboxes."
    ))?;
    scene.say("The relay starts again on the same port; both dial it by themselves.")?;
    stage.restart_relay().await?;
    stage.meet().await?;
    scene.side_by_side(&stage.laptop, &stage.phone, &[("Groceries", note), ("Old list", old)]).await?;
    scene.remark("the undelete brought the old list back, with the edit that the delete had hidden")
}

/// Both stores hold the same, and are sound.
async fn equal(stage: &Stage, scene: &mut Scene<'_>, old: &str) -> Outcome {
    scene.act(4, "Equal")?;
    let (laptop, phone) = (stage::export(&stage.laptop).await?, stage::export(&stage.phone).await?);
    if laptop != phone {
        return Err(Failure::failed(format!(
            "the replicas differ, which must not happen\nlaptop:\n{laptop}phone:\n{phone}"
        )));
    }
    let hash = blake3::hash(laptop.as_bytes()).to_hex();
    scene.say(&format!("Both exports have the same {} bytes (blake3 {}…).", laptop.len(), &hash[..16]))?;
    for (name, store) in [("laptop", &stage.laptop), ("phone", &stage.phone)] {
        let report = store.verify().await?;
        if !report.is_ok() {
            return Err(Failure::failed(format!("{name} has faults: {}", report.faults.join("; "))));
        }
    }
    let kept = stage.phone.history("Note", old).await?.len();
    scene.say(&format!("Both stores verify, and every change is kept: the old list has a history of {kept}."))
}

fn id(record: &syncline::Record) -> Outcome<String> {
    let id = record.get("id").and_then(serde_json::Value::as_str);
    id.map(str::to_owned).ok_or_else(|| Failure::failed("a saved record has no id"))
}
