//! Grants: what they open (`scope`), their life (`lifecycle`, `history`), and the immutable index
//! that decisions read (`index`).

pub mod basis;
#[cfg(test)]
pub(crate) mod fixture;
pub mod history;
pub mod index;
pub mod lifecycle;
pub mod scope;
