//! What each operation touches: one file an operation.
