//! Where clients go: straight to slapd, or through a gate. The same tests run against both.

use super::command::{self, Ran};
use super::gate::{Gate, Setup};
use super::ldap::Client;
use super::slapd::{Extra, Slapd, password, person};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A place to send LDAP to, with what a client needs to know of it.
pub(crate) struct Target {
    pub(crate) ldaps: u16,
    pub(crate) ldap: u16,
    pub(crate) ca: PathBuf,
    folder: TempDir,
    /// Behind it all; dropped last.
    gate: Option<Gate>,
    slapd: Slapd,
}

impl Target {
    /// slapd itself.
    pub(crate) fn direct(extra: Extra) -> Target {
        let slapd = Slapd::with(extra);
        Target::new(slapd.ldaps, slapd.ldap, slapd.authority.ca.clone(), None, slapd)
    }

    /// A gate in front of a slapd of its own.
    pub(crate) fn gated(extra: Extra, setup: Setup) -> Target {
        let slapd = Slapd::with(extra);
        let gate = setup.start(&slapd);
        Target::new(gate.ldaps, gate.ldap, gate.authority.ca.clone(), Some(gate), slapd)
    }

    fn new(ldaps: u16, ldap: u16, ca: PathBuf, gate: Option<Gate>, slapd: Slapd) -> Target {
        let folder = tempfile::Builder::new().prefix("tidegate-client-").tempdir().unwrap();
        std::fs::write(folder.path().join("ldap.conf"), format!("TLS_CACERT {}\n", ca.display())).unwrap();
        Target { ldaps, ldap, ca, folder, gate, slapd }
    }

    pub(crate) fn slapd(&mut self) -> &mut Slapd {
        &mut self.slapd
    }

    #[track_caller]
    pub(crate) fn gate(&self) -> &Gate {
        self.gate.as_ref().expect("a gate")
    }

    /// One of OpenLDAP's tools, over TLS, as one of the people (or as nobody).
    pub(crate) fn tool(&self, name: &str, who: Option<&str>) -> Command {
        let mut command = Command::new(name);
        command.env("LDAPCONF", self.folder.path().join("ldap.conf")).env_remove("LDAPRC");
        // Not `localhost`: libldap would check the certificate against this machine's own name.
        command.arg("-x").arg("-H").arg(format!("ldaps://127.0.0.1:{}", self.ldaps)).args(["-o", "nettimeout=20"]);
        if let Some(who) = who {
            command.args(["-D", &person(who), "-w", &password(who)]);
        }
        command
    }

    /// The tool with arguments and an LDIF on its input.
    pub(crate) fn ldap(&self, name: &str, who: Option<&str>, arguments: &[&str], input: &str) -> Ran {
        command::feed(self.tool(name, who).args(arguments), input.as_bytes())
    }

    /// A Python script of `tests/it/clients`, told where to go in its environment.
    pub(crate) fn python(&self, script: &str) -> Ran {
        self.script("/usr/bin/python3", script, &[])
    }

    /// A program of `tests/it/clients` in any language, told where to go in its environment.
    pub(crate) fn script(&self, interpreter: &str, script: &str, arguments: &[&str]) -> Ran {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/clients").join(script);
        let mut words = interpreter.split_whitespace();
        let mut command = Command::new(words.next().unwrap());
        command.args(words).arg(path).args(arguments);
        command.env("LDAP_PORT", self.ldap.to_string()).env("LDAPS_PORT", self.ldaps.to_string());
        command.env("LDAPCONF", self.folder.path().join("ldap.conf")).env_remove("LDAPRC").env("LC_ALL", "C.UTF-8");
        // Where Debian has libraries of Node.js.
        command.env("NODE_PATH", "/usr/share/nodejs");
        command::run(command.env("LDAP_CA", &self.ca).env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONHASHSEED", "0"))
    }

    /// Where this client may keep files.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A raw client over TLS.
    pub(crate) fn client(&self) -> Client {
        Client::ldaps(self.ldaps, &self.ca)
    }
}

/// Runs the same session once directly and once through a gate; what they tell must be the same.
#[track_caller]
pub(crate) fn same<T: PartialEq + std::fmt::Debug>(session: impl Fn(&Target) -> T) -> T {
    let (direct, gated) = both(session);
    assert_eq!(direct, gated, "left: straight from slapd; right: through the gate");
    direct
}

/// What the same session tells directly and through a gate, for who compares it piece by piece.
pub(crate) fn both<T>(session: impl Fn(&Target) -> T) -> (T, T) {
    let direct = session(&Target::direct(Extra::default()));
    let gated = if std::env::var_os("DIRECT").is_some() {
        session(&Target::direct(Extra::default()))
    } else {
        session(&Target::gated(Extra::default(), Setup::default()))
    };
    (direct, gated)
}
