//! Where a demo keeps its files: configuration, certificates, secrets, data. Temporary, unless a
//! directory was given.

use super::DemoError;
use super::certificates::{write, write_certificates};
use crate::engine::Now;
use nix::unistd::{Uid, User};
use std::fs::DirBuilder;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

/// The configuration that a demo's own is made from.
pub const CONFIGURATION: &str = include_str!("../../../config/demo.toml");

/// The service account's password in the built-in directory.
const SERVICE_PASSWORD: &str = "tidegate-demo";

/// Where clients connect; as [`CONFIGURATION`] has it, unless changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// TLS from the first octet.
    pub ldaps: SocketAddr,
    /// StartTLS.
    pub ldap: SocketAddr,
    /// The control API over TLS.
    pub https: SocketAddr,
}

impl Default for Ports {
    fn default() -> Ports {
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Ports { ldaps: local(1636), ldap: local(1389), https: local(8443) }
    }
}

/// A demo's files, made. Dropping it removes them if they are temporary.
#[derive(Debug)]
pub struct Place {
    /// The directory.
    pub directory: PathBuf,
    /// Where clients connect.
    pub ports: Ports,
    temporary: bool,
}

impl Place {
    /// Makes the directory and everything that the gate needs in it. `behind` is where the built-in
    /// directory listens.
    ///
    /// # Errors
    /// When something cannot be made or written.
    pub fn prepare(given: Option<&Path>, ports: Ports, behind: SocketAddr, now: Now) -> Result<Place, DemoError> {
        let directory = match given {
            Some(directory) => directory.to_owned(),
            None => std::env::temp_dir().join(format!("tidegate-demo-{}", std::process::id())),
        };
        // A temporary one must be new: what somebody else put there is not ours to use.
        let made = DirBuilder::new().recursive(given.is_some()).mode(0o700).create(&directory);
        made.map_err(|source| DemoError::Io { path: directory.clone(), source })?;
        let place = Place { directory, ports, temporary: given.is_none() };
        // New certificates would be other ones than those that it shows.
        if UnixStream::connect(place.socket()).is_ok() {
            return Err(DemoError::Running(place.directory.clone()));
        }
        for name in ["certs", "secrets", "run", "data"] {
            let path = place.directory.join(name);
            let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
            made.map_err(|source| DemoError::Io { path, source })?;
        }
        write_certificates(&place.directory.join("certs"), now)?;
        write(&place.directory.join("secrets/directory-password"), SERVICE_PASSWORD, 0o600)?;
        write(&place.configuration(), &configuration(ports, behind, &user()?), 0o644)?;
        Ok(place)
    }

    /// The configuration file.
    pub fn configuration(&self) -> PathBuf {
        self.directory.join("demo.toml")
    }

    /// Who signed the server's certificate.
    pub fn ca(&self) -> PathBuf {
        self.directory.join("certs/ca.pem")
    }

    /// The control socket.
    pub fn socket(&self) -> PathBuf {
        self.directory.join("run/control.sock")
    }

    /// Where operations are recorded.
    pub fn audit(&self) -> PathBuf {
        self.directory.join("data/audit")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.temporary
            && let Err(error) = std::fs::remove_dir_all(&self.directory)
        {
            tracing::warn!(%error, path = %self.directory.display(), "the demo's files stay behind");
        }
    }
}

/// Who runs this, so that they may act as anybody in the demo.
fn user() -> Result<String, DemoError> {
    let uid = Uid::current();
    let user = User::from_uid(uid).ok().flatten();
    user.map(|user| user.name).ok_or_else(|| DemoError::NoUser(uid.as_raw()))
}

/// The demo's configuration with its own addresses, and with one who may play every part.
fn configuration(ports: Ports, behind: SocketAddr, user: &str) -> String {
    let user = toml::Value::String(format!("local:{user}"));
    CONFIGURATION
        .replace("127.0.0.1:1636", &ports.ldaps.to_string())
        .replace("127.0.0.1:1389", &ports.ldap.to_string())
        .replace("127.0.0.1:1390", &behind.to_string())
        .replace("127.0.0.1:8443", &ports.https.to_string())
        .replace("[control]\n", &format!("[control]\nact_as = [{user}]\ntrust_act_as = true\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::clock::Clock;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn everything_is_made_and_temporary_files_go() {
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let ports = Ports { ldaps: address(2001), ldap: address(2002), https: address(2004) };
        let place = Place::prepare(None, ports, address(2003), Clock::new().now()).unwrap();
        let mode = |name: &str| std::fs::metadata(place.directory.join(name)).unwrap().permissions().mode() & 0o777;
        let modes = ["", "secrets/directory-password", "certs/server.key", "certs/ca.pem"].map(mode);
        assert_eq!(modes, [0o700, 0o600, 0o600, 0o644]);
        let text = std::fs::read_to_string(place.configuration()).unwrap();
        for part in
            ["127.0.0.1:2001", "127.0.0.1:2002", "127.0.0.1:2004", "ldap://127.0.0.1:2003", "act_as = [\"local:"]
        {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        assert!(!text.contains("127.0.0.1:1") && !text.contains("127.0.0.1:8"));
        let directory = place.directory.clone();
        drop(place);
        assert!(!directory.exists());
    }

    #[test]
    fn a_given_directory_is_used_again_and_stays() {
        let directory = tempfile::tempdir().unwrap();
        let given = directory.path().join("demo");
        let behind = SocketAddr::from(([127, 0, 0, 1], 2003));
        for _ in 0..2 {
            let place = Place::prepare(Some(&given), Ports::default(), behind, Clock::new().now()).unwrap();
            let certs = given.join("certs");
            let (chain, key) = (certs.join("server.pem"), certs.join("server.key"));
            // The key fits the certificate, and the authority can be trusted.
            crate::daemon::tls::server_config(&chain, &key, None).unwrap();
            crate::daemon::tls::client_config(&place.ca()).unwrap();
        }
        assert!(given.join("demo.toml").exists());
    }

    #[test]
    fn a_directory_that_a_demo_serves_from_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let behind = SocketAddr::from(([127, 0, 0, 1], 2003));
        let prepare = || Place::prepare(Some(directory.path()), Ports::default(), behind, Clock::new().now());
        let place = prepare().unwrap();
        let certificate = std::fs::read(place.ca()).unwrap();
        let served = std::os::unix::net::UnixListener::bind(place.socket()).unwrap();
        assert!(matches!(prepare(), Err(DemoError::Running(_))));
        assert_eq!(std::fs::read(place.ca()).unwrap(), certificate);
        // What a demo that was killed left behind is in nobody's way.
        drop(served);
        assert!(prepare().is_ok());
    }
}
