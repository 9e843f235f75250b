//! The demo: a small built-in directory, development certificates and a tour, so that everything can be
//! tried on one machine. Nothing here is for real use, and says so.

mod entry;
mod filter;
pub mod ldif;
pub mod server;
mod tree;

/// The content of the built-in directory.
pub const DIRECTORY: &str = include_str!("directory.ldif");

#[cfg(test)]
mod tests;
