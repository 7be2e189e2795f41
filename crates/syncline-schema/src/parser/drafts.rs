//! Models in the making: what is known of a model before its relations are resolved.

use std::ops::Range;

use apollo_compiler::{
    Name, Node,
    ast::{Directive, FieldDefinition, ObjectTypeDefinition},
};

use super::{
    finding::{Checked, Finding, Findings, Spanned},
    renames,
};
use crate::{
    Deletes, Field, FieldKind, Index, Key, Model, OnDelete, Relation, RelationKind, Scalar, Timestamps, Tokenizer,
    did_you_mean,
};

/// A model whose relations may still add fields to it.
pub(super) struct Draft<'a> {
    pub(super) node: &'a Node<ObjectTypeDefinition>,
    /// The model; its fields are the written ones so far.
    pub(super) model: Model,
    /// Foreign keys that relations add.
    pub(super) foreign_keys: Vec<Field>,
    /// Managed fields that nobody wrote; they stand last.
    pub(super) managed: Vec<Field>,
    pub(super) indexes: Vec<IndexDraft>,
    pub(super) relations: Vec<RelationDraft<'a>>,
    /// Its own fields and key are sound, so others can refer to it.
    pub(super) keyed: bool,
    /// An error of this model is told already.
    pub(super) failed: bool,
}

/// An index whose columns are not checked yet.
pub(super) struct IndexDraft {
    pub(super) name: String,
    /// Place of the directive.
    pub(super) span: Range<usize>,
    pub(super) fields: Vec<(String, Range<usize>)>,
}

/// A relation as written.
#[derive(Clone)]
pub(super) struct RelationDraft<'a> {
    pub(super) field: &'a Node<FieldDefinition>,
    pub(super) directive: &'a Node<Directive>,
    pub(super) kind: RelationKind,
    /// Name of the other model.
    pub(super) target: &'a Name,
    /// First name ever of the relation field.
    pub(super) first_name: String,
    /// What a delete does to the other side.
    pub(super) on_delete: OnDelete,
    /// What became of it.
    pub(super) resolved: Option<Relation>,
}

/// A key field, as foreign keys need it.
#[derive(Clone)]
pub(super) struct KeyPart {
    pub(super) name: String,
    pub(super) document_key: String,
    pub(super) scalar: Scalar,
}

impl<'a> Draft<'a> {
    pub(super) fn new(node: &'a Node<ObjectTypeDefinition>) -> Self {
        Self {
            node,
            model: Model {
                name: node.name.to_string(),
                fields: Vec::new(),
                relations: Vec::new(),
                key: Key::Id,
                indexes: Vec::new(),
                deletes: Deletes::DeleteWins,
                tokenizer: Tokenizer::default(),
                local: false,
                timestamps: Timestamps {
                    created_at: Some("createdAt".to_owned()),
                    updated_at: Some("updatedAt".to_owned()),
                },
                auth: Vec::new(),
                renamed_from: Vec::new(),
            },
            foreign_keys: Vec::new(),
            managed: Vec::new(),
            indexes: Vec::new(),
            relations: Vec::new(),
            keyed: false,
            failed: false,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.model.name
    }

    /// First name ever of the model.
    pub(super) fn first_name(&self) -> &str {
        renames::first_name(&self.model.renamed_from, &self.model.name)
    }

    /// The field of that name, written or not.
    pub(super) fn field(&self, name: &str) -> Option<&Field> {
        self.fields().find(|field| field.name == name)
    }

    /// Every field so far.
    pub(super) fn fields(&self) -> impl Iterator<Item = &Field> {
        self.model.fields.iter().chain(&self.foreign_keys).chain(&self.managed)
    }

    /// The field of that name, or an error at `span` that suggests the nearest.
    pub(super) fn expect_field(&self, name: &str, span: &Range<usize>) -> Checked<&Field> {
        self.field(name).ok_or_else(|| {
            let names = || self.fields().map(|field| field.name.as_str());
            let cure = did_you_mean(name, names())
                .unwrap_or_else(|| format!("it has {}", names().collect::<Vec<_>>().join(", ")));
            Finding::error(span.clone(), format!("`{}` has no field `{name}`", self.name())).help(cure)
        })
    }

    /// The key fields, most significant first.
    pub(super) fn key_parts(&self) -> Vec<KeyPart> {
        let fields = self.model.key_fields().into_iter().filter_map(|name| self.field(name));
        fields
            .filter_map(|field| match &field.kind {
                FieldKind::Scalar(scalar) => Some(KeyPart {
                    name: field.name.clone(),
                    document_key: field.document_key.clone(),
                    scalar: *scalar,
                }),
                FieldKind::Enum(_)
                | FieldKind::Counter
                | FieldKind::Text { .. }
                | FieldKind::List(_)
                | FieldKind::Set(_)
                | FieldKind::Embedded(_) => None,
            })
            .collect()
    }
}

/// Puts the parts of each sound draft together.
pub(super) fn finish(drafts: Vec<Draft<'_>>, findings: &mut Findings) -> Vec<Model> {
    let mut models = Vec::new();
    for draft in drafts.into_iter().filter(|draft| !draft.failed) {
        let checked = finish_one(draft);
        models.extend(findings.keep(checked));
    }
    models
}

fn finish_one(mut draft: Draft<'_>) -> Checked<Model> {
    let indexes = std::mem::take(&mut draft.indexes);
    let mut checked: Vec<Index> = Vec::new();
    for index in indexes {
        if checked.iter().any(|other| other.name.eq_ignore_ascii_case(&index.name)) {
            return Err(Finding::error(
                index.span,
                format!("`{}` has two indexes named `{}`", draft.name(), index.name),
            )
            .help("rename one; case does not distinguish them"));
        }
        checked.push(check_index(&draft, index)?);
    }
    draft.model.indexes = checked;
    let relations = draft.relations.into_iter();
    draft.model.relations = relations.filter_map(|relation| relation.resolved).collect();
    draft.model.fields.append(&mut draft.foreign_keys);
    draft.model.fields.append(&mut draft.managed);
    Ok(draft.model)
}

fn check_index(draft: &Draft<'_>, index: IndexDraft) -> Checked<Index> {
    let mut fields: Vec<String> = Vec::new();
    for (name, span) in index.fields {
        let field = draft.expect_field(&name, &span)?;
        if !can_be_indexed(&field.kind) {
            return Err(Finding::error(
                span,
                format!("`{name}` cannot stand in an index: it holds no single value to order by"),
            )
            .help("index scalars, enums and counters; `@fulltext` finds words in texts"));
        }
        if fields.contains(&name) {
            return Err(Finding::error(span, format!("index `{}` names `{name}` twice", index.name)).help("remove one"));
        }
        fields.push(name);
    }
    Ok(Index { name: index.name, fields })
}

fn can_be_indexed(kind: &FieldKind) -> bool {
    match kind {
        FieldKind::Scalar(scalar) => *scalar != Scalar::Json,
        FieldKind::Enum(_) | FieldKind::Counter => true,
        FieldKind::Text { .. } | FieldKind::List(_) | FieldKind::Set(_) | FieldKind::Embedded(_) => false,
    }
}

/// Place of a field's name in the definition, or of the model's name for a field that nobody wrote.
pub(super) fn place_of(node: &Node<ObjectTypeDefinition>, field: &str) -> Range<usize> {
    let mut fields = node.fields.iter();
    let written = fields.find(|written| written.name == field);
    written.map_or_else(|| node.name.span(), |written| written.name.span())
}
