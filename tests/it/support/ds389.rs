//! A private 389 Directory Server on loopback: its own folder, data and ports; gone when dropped. It is set up as
//! `dscreate` does it, without what that does outside of its folder.

use super::certs::Authority;
use super::command::{self, Ran};
use super::slapd::{BASE, Extra, free_port, ldif};
use super::{PATIENCE, eventually};
use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;
use tempfile::TempDir;

pub(crate) const MANAGER: &str = "cn=Directory Manager";
pub(crate) const MANAGER_PASSWORD: &str = "manager-secret";
const TEMPLATE: &str = "/usr/share/dirsrv/data/template-dse.ldif";

/// A running server with the same entries as [`super::slapd`].
pub(crate) struct Ds389 {
    child: Child,
    pub(crate) ldap: u16,
    pub(crate) ldaps: u16,
    pub(crate) authority: Authority,
    folder: TempDir,
}

impl Ds389 {
    pub(crate) fn start() -> Ds389 {
        for _ in 0..5 {
            let (ldap, ldaps) = (free_port(), free_port());
            let folder = tempfile::Builder::new().prefix("tidegate-389-").tempdir().unwrap();
            let authority = prepare(folder.path(), ldap, ldaps);
            if let Some(child) = launch(folder.path(), ldaps) {
                let server = Ds389 { child, ldap, ldaps, authority, folder };
                server.fill();
                return server;
            }
        }
        panic!("389 Directory Server does not start");
    }

    /// One of OpenLDAP's tools as the manager, straight.
    pub(crate) fn ldap(&self, tool: &str, arguments: &[&str], input: &str) -> Ran {
        let mut command = Command::new(tool);
        command.env("LDAPCONF", "/nonexistent").env_remove("LDAPRC");
        command.args(["-x", "-H", &format!("ldap://127.0.0.1:{}", self.ldap), "-D", MANAGER, "-w", MANAGER_PASSWORD]);
        command::feed(command.args(arguments), input.as_bytes())
    }

    fn fill(&self) {
        let backend = format!(
            "dn: cn=userRoot,cn=ldbm database,cn=plugins,cn=config\nobjectClass: top\nobjectClass: extensibleObject\n\
             objectClass: nsBackendInstance\ncn: userRoot\nnsslapd-suffix: {BASE}\n\n\
             dn: cn=\"{BASE}\",cn=mapping tree,cn=config\nobjectClass: top\nobjectClass: extensibleObject\n\
             objectClass: nsMappingTree\ncn: {BASE}\nnsslapd-state: backend\nnsslapd-backend: userRoot\n\n"
        );
        let access = format!(
            "dn: {BASE}\nchangetype: modify\nadd: aci\n\
             aci: (targetattr != \"userPassword\")(version 3.0; acl \"all\"; allow (all) userdn = \"ldap:///all\";)\n\
             aci: (targetattr = \"userPassword\")(version 3.0; acl \"set\"; allow (write) userdn = \"ldap:///all\";)\n\n"
        );
        self.ldap("ldapadd", &[], &backend).expect(0);
        // Passwords are text to it.
        let data = ldif(&Extra::default()).replace("userPassword:: //6AZGF2ZQ==", "userPassword: dave-secret");
        self.ldap("ldapadd", &["-M"], &data).expect(0);
        self.ldap("ldapmodify", &[], &access).expect(0);
    }
}

/// Configuration, certificates and schema in `folder`.
fn prepare(folder: &Path, ldap: u16, ldaps: u16) -> Authority {
    let place = |name: &str| folder.join(name).display().to_string();
    for name in ["config/schema", "lock", "tmp", "ldif", "bak", "run", "inst", "log", "db"] {
        fs::create_dir_all(folder.join(name)).unwrap();
    }
    for (from, to) in [
        ("config/slapd-collations.conf", "slapd-collations.conf"),
        ("config/certmap.conf", "certmap.conf"),
        ("schema/99user.ldif", "schema/99user.ldif"),
    ] {
        fs::copy(Path::new("/etc/dirsrv").join(from), folder.join("config").join(to))
            .expect("run ./test to install it");
    }
    let mut text = fs::read_to_string(TEMPLATE).expect("run ./test to install it");
    let port = format!(
        "{ldap}\nnsslapd-security: on\nnsslapd-secureport: {ldaps}\nnsslapd-listenhost: 127.0.0.1\n\
         nsslapd-securelistenhost: 127.0.0.1"
    );
    let password = format!("{{CLEAR}}{MANAGER_PASSWORD}");
    for (key, value) in [
        ("schema_dir", place("config/schema")),
        ("config_dir", place("config")),
        ("cert_dir", place("config")),
        ("lock_dir", place("lock")),
        ("tmp_dir", place("tmp")),
        ("ldif_dir", place("ldif")),
        ("bak_dir", place("bak")),
        ("run_dir", place("run")),
        ("inst_dir", place("inst")),
        ("log_dir", place("log")),
        ("db_dir", place("db")),
        ("db_home_dir", place("db")),
        ("db_lib", "bdb".to_owned()),
        ("fqdn", "localhost".to_owned()),
        ("ds_port", port),
        ("ds_user", super::gate::user()),
        ("rootdn", MANAGER.to_owned()),
        ("ds_passwd", password),
        ("ds_suffix", BASE.to_owned()),
        ("ldapi_enabled", "off".to_owned()),
        ("ldapi_autobind", "off".to_owned()),
        ("ldapi", place("run/ldapi")),
    ] {
        text = text.replace(&format!("%{key}%"), &value);
    }
    fs::write(folder.join("config/dse.ldif"), text).unwrap();
    certificates(folder)
}

/// NSS keeps certificates in a database of its own.
fn certificates(folder: &Path) -> Authority {
    let authority = Authority::new(folder);
    let (certificate, key) = authority.server("server");
    let bundle: PathBuf = folder.join("server.p12");
    let run = |program: &str, arguments: &[&str]| {
        command::run(Command::new(program).args(arguments).current_dir(folder)).expect(0);
    };
    let (certificate, key) = (certificate.display().to_string(), key.display().to_string());
    let (bundle, ca) = (bundle.display().to_string(), authority.ca.display().to_string());
    run("certutil", &["-N", "-d", "config", "--empty-password"]);
    let export = ["pkcs12", "-export", "-name", "Server-Cert", "-passout", "pass:", "-in", &certificate];
    run("openssl", &[&export[..], &["-inkey", &key, "-out", &bundle]].concat());
    run("pk12util", &["-i", &bundle, "-d", "config", "-W", "", "-K", ""]);
    run("certutil", &["-A", "-d", "config", "-n", "CA", "-t", "CT,,", "-i", &ca]);
    authority
}

/// Starts it and waits until it says so; `None`: it ended, for somebody else took a port.
fn launch(folder: &Path, ldaps: u16) -> Option<Child> {
    let said = fs::File::create(folder.join("stdout")).unwrap();
    let mut command = Command::new("/usr/sbin/ns-slapd");
    command.arg("-D").arg(folder.join("config")).arg("-i").arg(folder.join("run/pid")).args(["-d", "0"]);
    command.stdin(Stdio::null()).stdout(said.try_clone().unwrap()).stderr(said);
    let mut child = command.spawn().unwrap_or_else(|error| panic!("ns-slapd: {error}; run ./test to install it"));
    let started = Instant::now();
    eventually("389 Directory Server starts", || {
        assert!(started.elapsed() < PATIENCE);
        if child.try_wait().unwrap().is_some() {
            return Some(false);
        }
        TcpStream::connect(("127.0.0.1", ldaps)).ok().map(|_| true)
    })
    .then_some(child)
}

impl Drop for Ds389 {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let said = fs::read_to_string(self.folder.path().join("log/errors")).unwrap_or_default();
            eprintln!("389 Directory Server said:\n{said}");
        }
    }
}
