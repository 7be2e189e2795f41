//! Deterministic changes: equal on every replica, so that replicas which never met make the same
//! object, and the same initial content, once.
//!
//! A genesis is no dot: it travels with the first change that depends on it. As anybody can compute
//! its actor, a change by that actor must equal the bytes that are computed here
//! ([`Genesis::recognize`]), or it would keep the true genesis out.

use automerge::legacy::{Key, ObjectId, Op, OpType, SortedVec};
use automerge::{ActorId, ChangeHash, ObjType};

use crate::change::Change;
use crate::document::Document;
use crate::edit::{Edits, ObjectEdit, ObjectKind};
use crate::ids::RecordId;
use crate::state::{EditError, signed};

/// The change that makes one object of every record of a model.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Genesis {
    /// The model's first name ever.
    pub model: String,
    /// The field's document key.
    pub key: String,
    /// What is made. In the actor, so that a text and a list of one name are no twins.
    pub kind: ObjectKind,
}

/// What a text or list of a record with a custom key begins with.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// For a text.
    Text(String),
    /// For a list.
    List(Vec<serde_json::Value>),
}

impl Genesis {
    /// The writer of this genesis and of nothing else.
    pub fn actor(&self) -> ActorId {
        let mut hasher = blake3::Hasher::new_derive_key("syncline genesis 1");
        hash_part(&mut hasher, self.model.as_bytes());
        hash_part(&mut hasher, self.key.as_bytes());
        hash_part(&mut hasher, kind_name(self.kind));
        actor_of(&hasher)
    }

    /// The change.
    pub fn change(&self) -> Change {
        let make = Op {
            action: OpType::Make(object_type(self.kind)),
            obj: ObjectId::Root,
            key: Key::Map(self.key.as_str().into()),
            pred: SortedVec::new(),
            insert: false,
        };
        signed(&self.actor(), 1, 1, Vec::new(), 0, vec![make])
    }

    /// The genesis that a change is, for a record of this model; of fields that this schema does not
    /// know too. `None` if it only looks like one.
    pub fn recognize(model: &str, change: &Change) -> Option<Self> {
        let [op] = change.ops() else { return None };
        let (Key::Map(key), OpType::Make(made)) = (&op.key, &op.action) else {
            return None;
        };
        let genesis = Self {
            model: model.to_owned(),
            key: key.to_string(),
            kind: match made {
                ObjType::Text => ObjectKind::Text,
                ObjType::List => ObjectKind::List,
                ObjType::Map | ObjType::Table => return None,
            },
        };
        (genesis.change() == *change).then_some(genesis)
    }

    /// The change's name.
    pub fn hash(&self) -> ChangeHash {
        self.change().hash()
    }
}

/// Initial content of a record with a custom key, beside its create: replicas that create the
/// same record with the same content make the same changes, and it stands once. One change,
/// unless the content is too big for one; none if it is empty.
pub fn content_changes(record: RecordId, genesis: &Genesis, content: &Content) -> Result<Vec<Change>, EditError> {
    let mut hasher = blake3::Hasher::new_derive_key("syncline content 1");
    hasher.update(&record.0);
    hash_part(&mut hasher, genesis.key.as_bytes());
    hash_part(&mut hasher, kind_name(genesis.kind));
    let edit = match content {
        Content::Text(text) => {
            hash_part(&mut hasher, text.as_bytes());
            ObjectEdit::SetText(genesis.key.clone(), text.clone())
        }
        Content::List(elements) => {
            for element in elements {
                hash_part(&mut hasher, crate::document::canonical_json(element).as_bytes());
            }
            ObjectEdit::SetList(genesis.key.clone(), elements.clone())
        }
    };
    let edits = Edits { root: Vec::new(), objects: vec![edit] };
    let edited = Document::default().edit(&edits, &|_| genesis.clone(), &actor_of(&hasher), 0)?;
    Ok(edited.map_or_else(Vec::new, |edited| edited.changes))
}

pub(crate) fn object_type(kind: ObjectKind) -> ObjType {
    match kind {
        ObjectKind::Text => ObjType::Text,
        ObjectKind::List => ObjType::List,
    }
}

fn kind_name(kind: ObjectKind) -> &'static [u8] {
    match kind {
        ObjectKind::Text => b"text",
        ObjectKind::List => b"list",
    }
}

fn hash_part(hasher: &mut blake3::Hasher, part: &[u8]) {
    hasher.update(&(part.len() as u64).to_le_bytes());
    hasher.update(part);
}

fn actor_of(hasher: &blake3::Hasher) -> ActorId {
    ActorId::from(&hasher.finalize().as_bytes()[..16])
}
