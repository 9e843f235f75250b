//! Which gate a command talks to, and as whom.

use super::WrongUse;
use super::client::Client;
use crate::engine::ldap::Dn;
use std::path::PathBuf;

/// Where the gate listens when nothing says otherwise.
const DEFAULT_SOCKET: &str = "/run/tidegate/control.sock";

/// Which gate.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Gate {
    /// The control socket of the gate [default: that of --config, or /run/tidegate/control.sock]
    #[arg(long, value_name = "SOCKET", env = "TIDEGATE_CONTROL", hide_env_values = true)]
    control: Option<PathBuf>,

    /// The configuration of the gate: its control socket is used
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Which gate, and as whom.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Connection {
    #[command(flatten)]
    gate: Gate,

    /// Act as this subject, where the configuration lets you; both names are recorded
    #[arg(long = "as", value_name = "DN", value_parser = name)]
    acting_as: Option<Dn>,
}

impl Gate {
    pub(super) fn client(&self) -> anyhow::Result<Client> {
        Client::new(self.socket()?, None)
    }

    fn socket(&self) -> anyhow::Result<PathBuf> {
        match (&self.control, &self.config) {
            (Some(control), _) if control.to_string_lossy().contains("://") => {
                let message = format!("--control {}: give the path of a control socket, not a URL", control.display());
                Err(WrongUse(message).into())
            }
            (Some(control), _) => Ok(control.clone()),
            (None, Some(config)) => Ok(crate::config::control_socket(config)?),
            (None, None) => Ok(PathBuf::from(DEFAULT_SOCKET)),
        }
    }
}

impl Connection {
    pub(super) fn client(&self) -> anyhow::Result<Client> {
        Client::new(self.gate.socket()?, self.acting_as.clone())
    }
}

/// Reads a DN of the command line; the empty one too.
pub(super) fn dn(text: &str) -> Result<Dn, String> {
    Dn::parse(text.as_bytes()).map_err(|error| format!("{error}, like uid=alice,ou=people,dc=example,dc=com"))
}

/// Reads a DN that somebody or something has.
pub(super) fn name(text: &str) -> Result<Dn, String> {
    match dn(text)? {
        dn if dn.is_root() => Err("the empty name is nobody's".to_owned()),
        dn => Ok(dn),
    }
}
