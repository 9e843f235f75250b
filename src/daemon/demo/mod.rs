//! The demo: a small built-in directory, development certificates and a tour, so that everything can be
//! tried on one machine. Nothing here is for real use, and says so.

pub mod certificates;
mod entry;
mod filter;
pub mod ldif;
pub mod place;
pub mod server;
pub mod tour;
mod tree;

pub use tree::LoadError;

use std::path::PathBuf;

/// The content of the built-in directory.
pub const DIRECTORY: &str = include_str!("directory.ldif");

/// Why there is no demo.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// A file or a directory.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Certificates.
    #[error("development certificates: {0}")]
    Certificate(#[from] rcgen::Error),
    /// Who runs this is not in the user database.
    #[error("user {0} has no name on this machine")]
    NoUser(u32),
    /// The built-in directory's content.
    #[error(transparent)]
    Directory(#[from] LoadError),
    /// The tour went another way than it should.
    #[error("the tour: {0}")]
    Tour(String),
}

#[cfg(test)]
mod tests;
