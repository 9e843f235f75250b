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

use crate::config::{Config, ConfigErrors};
use crate::daemon::clock::Clock;
use crate::daemon::run::{Running, StartError, start as start_gate};
use place::{Place, Ports};
use server::BuiltInDirectory;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

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
    /// Another demo serves from the same directory, with the certificates in it.
    #[error("a demo is running in {0} already: end it first, or give another --directory")]
    Running(PathBuf),
    /// Certificates.
    #[error("development certificates: {0}")]
    Certificate(#[from] rcgen::Error),
    /// Who runs this is not in the user database.
    #[error("user {0} has no name on this machine")]
    NoUser(u32),
    /// The built-in directory's content.
    #[error(transparent)]
    Directory(#[from] LoadError),
    /// Its passwords are known to everybody.
    #[error("the demo serves this machine only: {0} is not a loopback address")]
    NotLoopback(SocketAddr),
    /// The built-in directory's port.
    #[error("the built-in directory cannot listen: {0}")]
    Listen(std::io::Error),
    /// The demo's own configuration.
    #[error("{0}")]
    Configuration(ConfigErrors),
    /// The gate.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The tour went another way than it should.
    #[error("the tour: {0}")]
    Tour(String),
}

/// A demo that runs: a directory, and a gate in front of it.
pub struct Demo {
    gate: Running,
    place: Place,
    /// The built-in directory: ends with the demo.
    directory: JoinSet<()>,
}

impl Demo {
    /// Starts everything, with its files in the directory `given`, or in a temporary one.
    ///
    /// # Errors
    /// When something cannot be made, or an address is taken or not this machine's alone.
    pub async fn start(given: Option<&Path>, ports: Ports) -> Result<Demo, DemoError> {
        if let Some(outside) =
            [ports.ldaps, ports.ldap, ports.https].into_iter().find(|address| !address.ip().is_loopback())
        {
            return Err(DemoError::NotLoopback(outside));
        }
        let built_in = BuiltInDirectory::load(DIRECTORY)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(DemoError::Listen)?;
        let behind = listener.local_addr().map_err(DemoError::Listen)?;
        let mut directory = JoinSet::new();
        directory.spawn(built_in.serve(listener));
        let mut place = Place::prepare(given, ports, behind, Clock::new().now())?;
        let config = Config::load(&place.configuration()).map_err(DemoError::Configuration)?;
        let gate = start_gate(config, Some(place.configuration())).await?;
        let actual = |address: Option<SocketAddr>, asked| address.unwrap_or(asked);
        place.ports = Ports {
            ldaps: actual(gate.ldaps(), ports.ldaps),
            ldap: actual(gate.ldap(), ports.ldap),
            https: actual(gate.control_port(), ports.https),
        };
        Ok(Demo { gate, place, directory })
    }

    /// Says what this is, and what to try. `program` is how this program is called.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn introduce(&self, out: &mut dyn Write, program: &Path) -> std::io::Result<()> {
        self.headline(out)?;
        tour::print(out, &self.place, program)?;
        writeln!(out, "\nThis runs until it is interrupted (Ctrl-C).")?;
        out.flush()
    }

    /// Takes the tour and shows each step. `program` is this program.
    ///
    /// # Errors
    /// When a step goes another way than it should.
    pub async fn tour(&self, out: &mut (dyn Write + Send), program: &Path) -> Result<(), DemoError> {
        self.headline(out).map_err(|error| DemoError::Tour(error.to_string()))?;
        tour::take(out, &self.place, program).await
    }

    fn headline(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let Ports { ldaps, ldap, https } = self.place.ports;
        writeln!(out, "Tidegate demo: for trying things on this machine, never for real use.\n")?;
        writeln!(
            out,
            "The gate listens on ldaps://{ldaps} and, with StartTLS, ldap://{ldap}. Behind it is a small directory in memory:"
        )?;
        writeln!(out, "made-up people with passwords that everybody knows; what is written is gone at the end.")?;
        writeln!(
            out,
            "You may act as anybody with --as; over TLS, people log in: https://{https} (docs/a-day.md). Files: {}",
            self.place.directory.display()
        )
    }

    /// Ends everything, and removes what was temporary.
    pub async fn stop(mut self) {
        self.gate.stop().await;
        self.directory.shutdown().await;
    }
}

#[cfg(test)]
mod tests;
