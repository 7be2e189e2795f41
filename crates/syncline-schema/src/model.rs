//! The representation of a schema: models, fields, kinds, keys, indexes, rules.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A checked schema. Models, enums and embedded types stand in the order of the file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Schema {
    /// Types marked `@model`.
    pub models: Vec<Model>,
    /// Enum types.
    pub enums: Vec<EnumType>,
    /// Object types without `@model`: values inside a record.
    pub embedded: Vec<EmbeddedType>,
    /// Descriptions (`"""…"""`) of types, and of their fields, relations and values: by `Type`, and `Type.member`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub descriptions: BTreeMap<String, String>,
}

/// One model: a table of records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// Name of the type and of the SQL table. Logs and peers know the model by its [first name](Self::first_name).
    pub name: String,
    /// Every field that a record prints, managed ones included (`id`, `createdAt`, …), relations excluded.
    /// Key fields come first.
    pub fields: Vec<Field>,
    /// Relations to other models.
    pub relations: Vec<Relation>,
    /// How records are named.
    pub key: Key,
    /// Declared indexes, in the order of the file.
    pub indexes: Vec<Index>,
    /// What a delete does to a concurrent edit.
    pub deletes: Deletes,
    /// `@local`: records never leave the device.
    pub local: bool,
    /// Names of the fields that hold creation and last-change time, if the model keeps them.
    pub timestamps: Timestamps,
    /// `@auth` rules, ORed; empty means no rules.
    pub auth: Vec<AuthRule>,
    /// Names that this model had before (`@renamed(from:)`), newest first.
    pub renamed_from: Vec<String>,
    /// How the full-text index over the fields marked `@fulltext` cuts texts.
    #[serde(default)]
    pub tokenizer: Tokenizer,
}

/// A field that holds a value in a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Field {
    /// Name in the API and of the SQL column.
    pub name: String,
    /// Key in the document: the first name that the field ever had. Never changes.
    pub document_key: String,
    /// What the field holds.
    pub kind: FieldKind,
    /// `!`: a value must be present on save.
    pub required: bool,
    /// Default of `@default`, already converted to the field's type; `None` without one.
    pub default: Option<serde_json::Value>,
    /// How concurrent values of a scalar are merged.
    pub merge: Merge,
    /// Who fills the field.
    pub managed: Managed,
    /// `@fulltext`: the field is part of the model's full-text index.
    pub fulltext: bool,
    /// `@local` on a field: its values never leave the device.
    pub local: bool,
    /// Field-level `@auth` rules.
    pub auth: Vec<AuthRule>,
}

/// Who fills a field when a record is saved without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Managed {
    /// The app.
    No,
    /// The engine generates an id.
    Id,
    /// Derived from the time of the record's first change, unless imported.
    CreatedAt,
    /// Derived from the times of the record's changes; never written.
    UpdatedAt,
    /// Taken from the identity of the writer.
    Owner,
}

/// What a field holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum FieldKind {
    /// One scalar.
    Scalar(Scalar),
    /// One value of an enum, by name of the enum type.
    Enum(String),
    /// `Int @counter`: increments add up.
    Counter,
    /// `String @text`: merged character by character. `rich` allows marks.
    Text {
        /// `@text(rich: true)`.
        rich: bool,
    },
    /// `[T]`: an ordered list, merged element by element.
    List(Element),
    /// `[T] @set`: unique values, add wins.
    Set(Element),
    /// An embedded type, by name: merged field by field.
    Embedded(String),
}

/// Type of a list's or set's elements.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Element {
    /// Kind of one element.
    pub kind: ElementKind,
    /// `[T!]`: no element may be null.
    pub required: bool,
}

/// What one element of a list holds. Sets hold scalars and enum values only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ElementKind {
    /// A scalar.
    Scalar(Scalar),
    /// A value of the named enum.
    Enum(String),
    /// A value of the named embedded type.
    Embedded(String),
}

/// The scalar types; each also accepted without its `AWS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Scalar {
    /// `ID`
    Id,
    /// `String`
    String,
    /// `Int`, 64 bits signed
    Int,
    /// `Float`, finite
    Float,
    /// `Boolean`
    Boolean,
    /// `AWSDate`, `YYYY-MM-DD` with optional offset
    Date,
    /// `AWSTime`, `hh:mm[:ss[.sss]]` with optional offset
    Time,
    /// `AWSDateTime`, `YYYY-MM-DDThh:mm[:ss[.sss]]` with offset or `Z`
    DateTime,
    /// `AWSTimestamp`, seconds since 1970 as an integer
    Timestamp,
    /// `AWSEmail`
    Email,
    /// `AWSJSON`, any JSON value, stored as text, merged as a whole
    Json,
    /// `AWSURL`
    Url,
    /// `AWSPhone`
    Phone,
    /// `AWSIPAddress`, v4 or v6 with optional prefix length
    IpAddress,
}

/// How concurrent values of a scalar are merged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Merge {
    /// Automerge's winner: greatest operation counter, then greatest actor bytes.
    #[default]
    Winner,
    /// Greatest of the concurrent values.
    Max,
    /// Smallest of the concurrent values.
    Min,
    /// Value whose change has the newest time, of the concurrent ones.
    Latest,
}

/// How the records of a model are named.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Key {
    /// By field `id`, generated unless supplied.
    Id,
    /// By these fields (`@primaryKey`), one or more, immutable.
    Custom(Vec<String>),
}

/// What a delete does to a concurrent edit of the same record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Deletes {
    /// The record stays deleted; the edit is kept and shows after an undelete.
    #[default]
    DeleteWins,
    /// The record stays alive (`@model(deletes: "update-wins")`).
    UpdateWins,
}

/// Names of a model's time fields; `None` where `timestamps` turned one off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timestamps {
    /// Usually `createdAt`.
    pub created_at: Option<String>,
    /// Usually `updatedAt`.
    pub updated_at: Option<String>,
}

/// How a full-text index cuts texts into what can be found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tokenizer {
    /// Into words, as letters and digits of any script make them, without regard to case and accents. Text of a
    /// script without spaces is one long word.
    #[default]
    Words,
    /// Into every three characters in a row (`@fulltext(tokenize: "trigram")`): finds parts of words, and words where
    /// no spaces stand between them. The index is several times larger.
    Trigram,
}

/// An index over columns, from `@index`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Index {
    /// Name, unique within the model.
    pub name: String,
    /// Columns, most significant first.
    pub fields: Vec<String>,
}

/// A relation between two models, seen from one of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Relation {
    /// Name of the field on this model.
    pub name: String,
    /// The other model.
    pub model: String,
    /// Which side this is.
    pub kind: RelationKind,
    /// Fields of this model that hold the other record's key (`hasOne`, `belongsTo`), or of the
    /// other model that hold this record's key (`hasMany`).
    /// For `manyToMany`: of the join model, holding this record's key.
    pub fields: Vec<String>,
    /// What `fields` point to, one for one: key fields of the other model (`hasOne`, `belongsTo`),
    /// or fields of this model (`hasMany`, `manyToMany`), its key unless the schema names others.
    pub references: Vec<String>,
    /// `!` on the relation.
    pub required: bool,
    /// `@manyToMany(relationName)`; also the name of the join model.
    pub join_model: Option<String>,
    /// What a delete of this record does to the related ones; says nothing for `belongsTo`, whose other side is
    /// left alone, and for `manyToMany`, whose links always go.
    #[serde(default)]
    pub on_delete: OnDelete,
}

/// What a delete of a record does to those that its `hasMany` or `hasOne` leads to. It is done by the device that
/// deletes, to what it holds then, and in the same transaction; never by one that merely receives the delete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnDelete {
    /// They are deleted with it, as in DataStore.
    #[default]
    Cascade,
    /// They stay as they are: dangling references, until the record comes back.
    Keep,
    /// They stay, and their fields that hold the record's key become null. Only for `hasMany`.
    SetNull,
}

/// Side and number of a relation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RelationKind {
    /// `@hasOne`
    HasOne,
    /// `@hasMany`
    HasMany,
    /// `@belongsTo`
    BelongsTo,
    /// `@manyToMany`
    ManyToMany,
}

/// One rule of `@auth`. Rules of a model are ORed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuthRule {
    /// Whom the rule allows.
    pub allow: Allow,
    /// What it allows.
    pub operations: Vec<Operation>,
}

/// Field that holds the owner, unless a rule names another.
pub(crate) const OWNER_FIELD: &str = "owner";

/// Claim that names an identity, unless a rule names another.
pub(crate) const IDENTITY_CLAIM: &str = "sub";

/// Claim that lists groups, unless a rule names another: Amplify's, whose tokens may live on.
pub(crate) const GROUP_CLAIM: &str = "cognito:groups";

/// Whom a rule allows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Allow {
    /// The identity named in the record's owner field.
    Owner {
        /// Field that holds the owner, `owner` unless named.
        field: String,
        /// Claim of the token that names the identity.
        claim: String,
    },
    /// Members of any of these groups.
    Groups {
        /// The groups.
        groups: Vec<String>,
        /// Claim of the token that lists groups.
        claim: String,
    },
    /// Members of the groups that a field of the record names.
    GroupsField {
        /// Field that holds one group or a list of groups.
        field: String,
        /// Claim of the token that lists groups.
        claim: String,
    },
    /// Any signed-in identity.
    SignedIn,
    /// Anybody.
    Public,
    /// A custom function decides: kept, never granted.
    Custom,
}

/// What a rule allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    /// Make a record.
    Create,
    /// See records, in every way.
    Read,
    /// Change a record.
    Update,
    /// Delete a record.
    Delete,
}

/// An enum type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EnumType {
    /// Name of the type.
    pub name: String,
    /// Values in the order of the file.
    pub values: Vec<String>,
}

/// An object type without `@model`: flattened into the record that holds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EmbeddedType {
    /// Name of the type.
    pub name: String,
    /// Its fields: scalars, enums, embedded types, lists. No text, counter or set.
    pub fields: Vec<Field>,
}

impl Schema {
    /// The model of that name.
    pub fn model(&self, name: &str) -> Option<&Model> {
        self.models.iter().find(|model| model.name == name)
    }

    /// The model that has or had that name.
    pub fn model_known_as(&self, name: &str) -> Option<&Model> {
        self.model(name).or_else(|| self.models.iter().find(|model| model.names().any(|known| known == name)))
    }

    /// The enum of that name.
    pub fn enum_type(&self, name: &str) -> Option<&EnumType> {
        self.enums.iter().find(|e| e.name == name)
    }

    /// Whether both mean the same, whatever they say of it.
    pub fn means_the_same(&self, other: &Self) -> bool {
        (&self.models, &self.enums, &self.embedded) == (&other.models, &other.enums, &other.embedded)
    }

    /// What the file says of a type.
    pub fn description(&self, of: &str) -> Option<&str> {
        self.descriptions.get(of).map(String::as_str)
    }

    /// What the file says of a type's field, relation or value.
    pub fn member_description(&self, of: &str, member: &str) -> Option<&str> {
        // Most schemas say nothing.
        if self.descriptions.is_empty() { None } else { self.description(&format!("{of}.{member}")) }
    }

    /// The embedded type of that name.
    pub fn embedded_type(&self, name: &str) -> Option<&EmbeddedType> {
        self.embedded.iter().find(|t| t.name == name)
    }
}

impl Model {
    /// The field of that name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Names of the key fields: `id`, or those of `@primaryKey`.
    pub fn key_fields(&self) -> Vec<&str> {
        match &self.key {
            Key::Id => vec!["id"],
            Key::Custom(fields) => fields.iter().map(String::as_str).collect(),
        }
    }

    /// The first name ever: what the model is called in logs and between peers, so that apps before and after a rename
    /// write the same records. Never changes.
    pub fn first_name(&self) -> &str {
        self.renamed_from.last().unwrap_or(&self.name)
    }

    /// The present name and all former ones, newest first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.name).chain(&self.renamed_from).map(String::as_str)
    }

    /// Whether `name` is one of the key fields.
    pub fn is_key_field(&self, name: &str) -> bool {
        match &self.key {
            Key::Id => name == "id",
            Key::Custom(fields) => fields.iter().any(|field| field == name),
        }
    }

    /// The relation of that name.
    pub fn relation(&self, name: &str) -> Option<&Relation> {
        self.relations.iter().find(|relation| relation.name == name)
    }
}

impl Relation {
    /// Whether it leads to one record at most: the other's key stands in fields of this model.
    pub fn is_to_one(&self) -> bool {
        match self.kind {
            RelationKind::HasOne | RelationKind::BelongsTo => true,
            RelationKind::HasMany | RelationKind::ManyToMany => false,
        }
    }

    /// Of a `manyToMany`: its join model, and the relation that leads from there to the other model.
    pub fn join<'a>(&self, schema: &'a Schema) -> Option<(&'a Model, &'a Self)> {
        let join = schema.model(self.join_model.as_deref()?)?;
        let back = join.relations.iter().find(|relation| relation.model == self.model)?;
        Some((join, back))
    }
}

impl Field {
    /// A field with nothing said of it but its name and kind.
    pub fn new(name: impl Into<String>, kind: FieldKind) -> Self {
        let name = name.into();
        Self {
            document_key: name.clone(),
            name,
            kind,
            required: false,
            default: None,
            merge: Merge::Winner,
            managed: Managed::No,
            fulltext: false,
            local: false,
            auth: Vec::new(),
        }
    }
}

impl FieldKind {
    /// Whether `@fulltext` can stand on a field of this kind.
    pub fn takes_fulltext(&self) -> bool {
        matches!(self, Self::Text { .. } | Self::Scalar(Scalar::String))
    }
}

impl Operation {
    /// Every operation, in the order of the enum.
    pub const ALL: [Self; 4] = [Self::Create, Self::Read, Self::Update, Self::Delete];
}

impl Scalar {
    /// Every scalar, in the order of the enum.
    pub const ALL: [Self; 14] = [
        Self::Id,
        Self::String,
        Self::Int,
        Self::Float,
        Self::Boolean,
        Self::Date,
        Self::Time,
        Self::DateTime,
        Self::Timestamp,
        Self::Email,
        Self::Json,
        Self::Url,
        Self::Phone,
        Self::IpAddress,
    ];

    /// The scalar of that name, with or without `AWS`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scalar| scalar.name() == name || scalar.name().strip_prefix("AWS") == Some(name))
    }

    /// Name in the schema language, as Amplify spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Id => "ID",
            Self::String => "String",
            Self::Int => "Int",
            Self::Float => "Float",
            Self::Boolean => "Boolean",
            Self::Date => "AWSDate",
            Self::Time => "AWSTime",
            Self::DateTime => "AWSDateTime",
            Self::Timestamp => "AWSTimestamp",
            Self::Email => "AWSEmail",
            Self::Json => "AWSJSON",
            Self::Url => "AWSURL",
            Self::Phone => "AWSPhone",
            Self::IpAddress => "AWSIPAddress",
        }
    }
}
