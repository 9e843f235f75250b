//! A private Active Directory domain controller (Samba's) on a loopback address of its own, because its ports
//! cannot be chosen: its own folder and data; gone when dropped. Only root may open those ports: others need `sudo`.

use super::certs::Authority;
use super::command::{self, Ran};
use super::slapd::BASE;
use super::{PATIENCE, eventually};
use std::fs::Permissions;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// Everybody's password; Samba wants it complex.
pub(crate) const PASSWORD: &str = "Long-secret-7";
pub(crate) const ADMINISTRATOR: &str = "cn=Administrator,cn=Users,dc=example,dc=com";
pub(crate) const ADMINISTRATOR_PASSWORD: &str = "Admin-secret-1";
/// Who is in `OU=people`.
pub(crate) const PEOPLE: [&str; 6] = ["alice", "bob", "carol", "tidegate", "app", "root-admin"];

/// A running domain controller; LDAP is at 389 and 636 of `address`.
pub(crate) struct Samba {
    child: Child,
    pub(crate) address: String,
    pub(crate) authority: Authority,
    folder: TempDir,
}

/// The name of one of [`PEOPLE`] in this directory.
pub(crate) fn person(name: &str) -> String {
    format!("CN={name},OU=people,{BASE}")
}

impl Samba {
    /// Makes the domain (some seconds) and starts it with people, groups and a payroll.
    pub(crate) fn start() -> Samba {
        let folder = tempfile::Builder::new().prefix("tidegate-samba-").tempdir().unwrap();
        // 127.64.0.0/10 by process: tests that run at once do not meet.
        let process = std::process::id();
        let address = format!("127.{}.{}.{}", 64 + (process >> 16) % 64, process >> 8 & 255, process % 254 + 1);
        let authority = Authority::new(folder.path());
        let (certificate, key) = authority.certificate("dc", &["localhost", "dc.example.com", &address]);
        std::fs::copy(certificate, folder.path().join("server.pem")).unwrap();
        let own = folder.path().join("server.key");
        std::fs::rename(key, &own).unwrap();
        // It takes no key that others can read.
        std::fs::set_permissions(&own, Permissions::from_mode(0o600)).unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/make_domain.py");
        let mut make = command::as_root("/usr/bin/python3", &["PYTHONDONTWRITEBYTECODE"]);
        make.arg(script).arg(folder.path()).arg(&address).env("PYTHONDONTWRITEBYTECODE", "1");
        command::run(&mut make).expect(0);
        let samba = Samba { child: launch(folder.path()), address, authority, folder };
        eventually("the domain controller answers", || TcpStream::connect((samba.address.as_str(), 636)).ok());
        samba.fill();
        samba
    }

    /// One of OpenLDAP's tools as the administrator, straight.
    pub(crate) fn ldap(&self, tool: &str, arguments: &[&str], input: &str) -> Ran {
        let mut command = Command::new(tool);
        command.env("LDAPTLS_CACERT", &self.authority.ca).env("LDAPCONF", "/nonexistent").env_remove("LDAPRC");
        command.args(["-x", "-H", &format!("ldaps://{}", self.address)]);
        command.args(["-D", ADMINISTRATOR, "-w", ADMINISTRATOR_PASSWORD]).args(arguments);
        command::feed(&mut command, input.as_bytes())
    }

    fn fill(&self) {
        let mut data = String::new();
        for unit in ["people", "groups", "payroll"] {
            data.push_str(&format!("dn: OU={unit},{BASE}\nobjectClass: organizationalUnit\n\n"));
        }
        for name in PEOPLE {
            data.push_str(&user(&person(name), name, "for everybody"));
        }
        for n in 1..=5 {
            let name = format!("e{n:02}");
            data.push_str(&user(&format!("CN={name},OU=payroll,{BASE}"), &name, "salary 1000"));
        }
        for (group, members) in [("hr", &["alice", "bob"][..]), ("hr-leads", &["bob"]), ("security", &["carol"])] {
            data.push_str(&format!("dn: CN={group},OU=groups,{BASE}\nobjectClass: group\nsAMAccountName: {group}\n"));
            for member in members {
                data.push_str(&format!("member: {}\n", person(member)));
            }
            data.push('\n');
        }
        self.ldap("ldapadd", &[], &data).expect(0);
        // To the domain these two may do everything, so that what stops them is the gate.
        let mut change = format!("dn: CN=Domain Admins,CN=Users,{BASE}\nchangetype: modify\nadd: member\n");
        for name in ["alice", "app"] {
            change.push_str(&format!("member: {}\n", person(name)));
        }
        self.ldap("ldapmodify", &[], &change).expect(0);
    }
}

fn user(dn: &str, name: &str, description: &str) -> String {
    let quoted = format!("\"{PASSWORD}\"");
    let octets: Vec<u8> = quoted.encode_utf16().flat_map(u16::to_le_bytes).collect();
    format!(
        "dn: {dn}\nobjectClass: user\nsAMAccountName: {name}\nuserPrincipalName: {name}@example.com\n\
         description: {description}\nuserAccountControl: 512\nunicodePwd:: {}\n\n",
        super::ber::base64(&octets)
    )
}

fn launch(folder: &Path) -> Child {
    let log = std::fs::File::create(folder.join("stdout")).unwrap();
    let mut command = command::as_root("/usr/sbin/samba", &[]);
    // In the foreground, one process, ending with its standard input: with the test, however that ends.
    command.args(["-i", "-M", "single", "--no-process-group", "--debug-stdout", "-s"]).arg(folder.join("smb.conf"));
    command.stdin(Stdio::piped()).stdout(log.try_clone().unwrap()).stderr(log);
    command.spawn().unwrap_or_else(|error| panic!("samba: {error}; run ./test to install it ({PATIENCE:?})"))
}

impl Drop for Samba {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
        if std::thread::panicking() {
            let said = std::fs::read_to_string(self.folder.path().join("stdout")).unwrap_or_default();
            eprintln!("the domain controller said:\n{said}");
        }
        // What another user made, `TempDir` cannot take away.
        let _ = command::as_root("rm", &[]).arg("-rf").arg(self.folder.path()).status();
    }
}
