//! Which gate a command talks to, and as whom.

use super::client::Client;
use super::target::{Https, Target};
use super::tokens;
use crate::engine::ldap::Dn;
use chrono::Utc;
use std::path::PathBuf;

/// Where the gate listens when nothing says otherwise.
const DEFAULT_SOCKET: &str = "/run/tidegate/control.sock";

/// Which gate.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Gate {
    /// The gate: its control socket, or https://HOST[:PORT] [default: the socket of --config, the gate of the last `tidegate login`, or /run/tidegate/control.sock]
    #[arg(long, value_name = "SOCKET-or-URL", env = "TIDEGATE_CONTROL", hide_env_values = true)]
    control: Option<PathBuf>,

    /// The configuration of the gate: its control socket is used
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    #[command(flatten)]
    proof: Proof,
}

/// What a control port is believed by, and what is shown to it.
#[derive(Debug, Clone, Default, clap::Args)]
struct Proof {
    /// Who signed the gate's certificate [default: whom the system trusts]
    #[arg(long, value_name = "FILE", env = "TIDEGATE_CA", hide_env_values = true, help_heading = "Over TLS")]
    ca: Option<PathBuf>,

    /// A client certificate to be known by, instead of `tidegate login`
    #[arg(long, value_name = "FILE", requires = "client_key", help_heading = "Over TLS")]
    client_certificate: Option<PathBuf>,

    /// Its private key
    #[arg(long, value_name = "FILE", requires = "client_certificate", help_heading = "Over TLS")]
    client_key: Option<PathBuf>,

    /// The code that your authenticator shows [default: you are asked when it is needed]
    #[arg(long, value_name = "CODE", help_heading = "Over TLS")]
    code: Option<String>,
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

/// Which gate, and as whom, of commands with a configuration of their own.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Beside {
    /// The gate: its control socket, or https://HOST[:PORT] [default: the socket of --config]
    #[arg(long, value_name = "SOCKET-or-URL", env = "TIDEGATE_CONTROL", hide_env_values = true)]
    control: Option<PathBuf>,

    /// Act as this subject, where the configuration lets you; both names are recorded
    #[arg(long = "as", value_name = "DN", value_parser = name)]
    acting_as: Option<Dn>,

    #[command(flatten)]
    proof: Proof,
}

impl Beside {
    /// The gate that was named; else that of `config`.
    pub(super) fn client(self, config: PathBuf) -> anyhow::Result<Client> {
        let gate = Gate { control: self.control, config: Some(config), proof: self.proof };
        Connection { gate, acting_as: self.acting_as }.client()
    }
}

impl Gate {
    pub(super) fn client(&self) -> anyhow::Result<Client> {
        self.client_of(self.target()?, None)
    }

    /// With the token of the gate, where one is logged in.
    pub(super) fn client_of(&self, target: Target, acting_as: Option<Dn>) -> anyhow::Result<Client> {
        let token = match &target {
            Target::Https(https) if https.own.is_none() => tokens::find(&https.url(), Utc::now())?,
            Target::Https(_) | Target::Socket(_) => None,
        };
        Client::new(target, acting_as, token, self.code())
    }

    /// The code of the second factor, if it was given along.
    pub(super) fn code(&self) -> Option<String> {
        self.proof.code.clone()
    }

    /// Which gate was named.
    pub(super) fn target(&self) -> anyhow::Result<Target> {
        match (&self.control, &self.config) {
            (Some(control), _) => match control.to_str().filter(|text| text.contains("://")) {
                Some(url) => self.https(url),
                None => Ok(Target::Socket(control.clone())),
            },
            (None, Some(config)) => Ok(Target::Socket(crate::config::control_socket(config)?)),
            (None, None) => match tokens::current()? {
                Some(url) => self.https(&url),
                None => Ok(Target::Socket(PathBuf::from(DEFAULT_SOCKET))),
            },
        }
    }

    /// The gate of a URL.
    pub(super) fn https(&self, url: &str) -> anyhow::Result<Target> {
        let own = self.proof.client_certificate.clone().zip(self.proof.client_key.clone());
        let https = Https::parse(url)?;
        let ca = match &self.proof.ca {
            Some(ca) => Some(ca.clone()),
            None => tokens::ca(&https.url())?,
        };
        Ok(Target::Https(Https { ca, own, ..https }))
    }
}

impl Connection {
    pub(super) fn client(&self) -> anyhow::Result<Client> {
        self.gate.client_of(self.gate.target()?, self.acting_as.clone())
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
