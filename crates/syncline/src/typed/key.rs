//! What names a record in a call.

use super::id::Id;

/// The key of a record of model `M`: its [`Id`], or text, such as a generated `key_of` makes. The id of a record of
/// another model is none:
///
/// ```compile_fail
/// # use syncline::Store;
/// syncline::models!(sdl = "type List @model { name: String! } type Item @model { title: String! }");
///
/// # async fn take(store: Store, list: List) -> Result<(), syncline::Error> {
/// store.delete::<Item>(&list.id).await?;
/// # Ok(()) }
/// # fn main() {}
/// ```
///
/// That of its own is one:
///
/// ```
/// # use syncline::Store;
/// syncline::models!(sdl = "type List @model { name: String! } type Item @model { title: String! }");
///
/// # async fn take(store: Store, list: List) -> Result<(), syncline::Error> {
/// store.delete::<List>(&list.id).await?;
/// # Ok(()) }
/// # fn main() {}
/// ```
pub trait RecordKey<M> {
    /// The key as the JSON face takes it.
    fn as_key(&self) -> &str;
}

impl<M> RecordKey<M> for Id<M> {
    fn as_key(&self) -> &str {
        self
    }
}

impl<M> RecordKey<M> for str {
    fn as_key(&self) -> &str {
        self
    }
}

impl<M> RecordKey<M> for String {
    fn as_key(&self) -> &str {
        self
    }
}

impl<M, K: RecordKey<M> + ?Sized> RecordKey<M> for &K {
    fn as_key(&self) -> &str {
        (**self).as_key()
    }
}
