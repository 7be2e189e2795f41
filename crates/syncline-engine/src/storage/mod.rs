//! The store's tables: every statement that is not a query of the app stands in this folder.

pub(crate) mod chains;
pub(crate) mod conflicts;
pub(crate) mod ddl;
pub(crate) mod fulltext;
pub(crate) mod kept;
pub(crate) mod log;
pub(crate) mod meta;
pub(crate) mod names;
pub(crate) mod peers;
pub(crate) mod records;
pub(crate) mod turns;
