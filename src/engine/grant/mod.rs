//! Grants: their life (`lifecycle`) and the immutable index that decisions read (`index`).

pub mod index;
pub mod lifecycle;
