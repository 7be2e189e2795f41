//! Related records as the structs that `models!` makes.

use std::sync::Arc;

use crate::error::Result;
use crate::related::Deleted;
use crate::store::{Record, Saved, Store};
use crate::transaction::Transaction;
use crate::typed::{Includes, ManyToMany, Model, ReadAs, RecordKey, from_json, read_with};
use crate::typed_store::{Live, TypedQuery, typed};

impl Store {
    /// What a relation of a record leads to: `Option<T>` of a `@belongsTo` or `@hasOne`, `Vec<T>` of the others, in the
    /// order of the key unless the relation is given with another.
    ///
    /// A reference may be there before its record: it leads to `None` until the record arrives.
    ///
    /// ```
    /// # use syncline::{Error, Store};
    /// syncline::models!(sdl = "
    ///     type Post @model { title: String! comments: [Comment] @hasMany }
    ///     type Comment @model { text: String! post: Post @belongsTo }
    /// ");
    ///
    /// # #[tokio::main] async fn main() -> Result<(), Error> {
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("app.db");
    /// let store = Store::open(path, SDL).await?;
    /// let early = Comment { post_comments_id: Some("hello".into()), ..Comment::new("first!") };
    /// let early = store.save(&early).await?.record;
    /// assert_eq!(store.related(&early.id, comment::post).await?, None);
    ///
    /// store.save(&Post::new("Hello").with_id("hello")).await?;
    /// assert_eq!(store.related(&early.id, comment::post).await?.unwrap().title, "Hello");
    /// let newest = post::comments.order(comment::created_at.desc()).limit(10);
    /// assert_eq!(store.related("hello", newest).await?, [early]);
    /// # store.close().await }
    /// ```
    pub async fn related<M: Model, I: Includes<M>>(&self, id: impl RecordKey<M>, relation: I) -> Result<I::Shown> {
        let related = self.related_json(M::NAME, id.as_key(), relation.include()).await?;
        Ok(relation.read(related)?)
    }

    /// Links two records; see [`Store::link_json`].
    pub async fn link<M: Model, T: Model>(
        &self,
        id: impl RecordKey<M>,
        relation: ManyToMany<M, T>,
        other: impl RecordKey<T>,
    ) -> Result<Saved<Record>> {
        self.link_json(M::NAME, id.as_key(), relation.name(), other.as_key()).await
    }

    /// Removes the link between two records; see [`Store::unlink_json`].
    pub async fn unlink<M: Model, T: Model>(
        &self,
        id: impl RecordKey<M>,
        relation: ManyToMany<M, T>,
        other: impl RecordKey<T>,
    ) -> Result<Saved<Record>> {
        self.unlink_json(M::NAME, id.as_key(), relation.name(), other.as_key()).await
    }

    /// As [`Store::delete`]; tells what the delete took along.
    pub async fn delete_along<M: Model>(&self, id: impl RecordKey<M>) -> Result<Deleted<M>> {
        let Deleted { saved, along } = self.delete_along_json(M::NAME, id.as_key()).await?;
        Ok(Deleted { saved: typed(saved)?, along })
    }

    /// Deletes a record that may take more along than one transaction holds; see [`Store::delete_in_parts_json`].
    pub async fn delete_in_parts<M: Model>(&self, id: impl RecordKey<M>) -> Result<Saved<M>> {
        typed(self.delete_in_parts_json(M::NAME, id.as_key()).await?)
    }
}

impl Transaction<'_, '_> {
    /// As [`Store::related`].
    pub fn related<M: Model, I: Includes<M>>(&mut self, id: impl RecordKey<M>, relation: I) -> Result<I::Shown> {
        let related = self.related_json(M::NAME, id.as_key(), relation.include())?;
        Ok(relation.read(related)?)
    }

    /// As [`Store::link`].
    pub fn link<M: Model, T: Model>(
        &mut self,
        id: impl RecordKey<M>,
        relation: ManyToMany<M, T>,
        other: impl RecordKey<T>,
    ) -> Result<Saved<Record>> {
        self.link_json(M::NAME, id.as_key(), relation.name(), other.as_key())
    }

    /// As [`Store::unlink`].
    pub fn unlink<M: Model, T: Model>(
        &mut self,
        id: impl RecordKey<M>,
        relation: ManyToMany<M, T>,
        other: impl RecordKey<T>,
    ) -> Result<Saved<Record>> {
        self.unlink_json(M::NAME, id.as_key(), relation.name(), other.as_key())
    }

    /// As [`Store::delete_along`].
    pub fn delete_along<M: Model>(&mut self, id: impl RecordKey<M>) -> Result<Deleted<M>> {
        let Deleted { saved, along } = self.delete_along_json(M::NAME, id.as_key())?;
        Ok(Deleted { saved: typed(saved)?, along })
    }
}

impl<M: Model> TypedQuery<M> {
    /// Reads related records along: each result is the record and what the relation leads to. Another include goes
    /// around the first, so that `.include(post::blog).include(post::comments)` gives `((post, blog), comments)`.
    ///
    /// Every relation is read by one statement, however many records are found, and all of it shows one state of the
    /// store. What the related records lead to comes by `post::comments.with(comment::author)`.
    pub fn include<I>(self, what: I) -> Including<M, (M, I::Shown)>
    where
        I: Includes<M> + Send + Sync + 'static,
    {
        Including { query: self, read: Arc::new(from_json::<M>) as ReadAs<M> }.include(what)
    }
}

/// A query in the making whose results are an `R`: records with related ones. Made by [`TypedQuery::include`].
#[must_use = "a query does nothing until `all`, `first` or `observe` is called"]
pub struct Including<M, R> {
    query: TypedQuery<M>,
    read: ReadAs<R>,
}

impl<M: Model, R: 'static> Including<M, R> {
    /// As [`TypedQuery::include`].
    pub fn include<I>(mut self, what: I) -> Including<M, (R, I::Shown)>
    where
        I: Includes<M> + Send + Sync + 'static,
    {
        self.query.query.include.push(what.include());
        Including { query: self.query, read: read_with(self.read, what) }
    }

    /// The records, with those related to them.
    pub async fn all(self) -> Result<Vec<R>> {
        let page = self.query.store.query_json(self.query.query).await?;
        page.records.into_iter().map(|record| Ok((self.read)(record)?)).collect()
    }

    /// The first record, with those related to it.
    pub async fn first(mut self) -> Result<Option<R>> {
        self.query = self.query.limit(1);
        Ok(self.all().await?.pop())
    }

    /// The result, and then each change of it; a change of a related record is one, too.
    pub fn observe(self) -> Live<R> {
        Live::new(self.query.store.observe_query_json(self.query.query), self.read)
    }
}

impl<M, R> std::fmt::Debug for Including<M, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.query.fmt(f)
    }
}
