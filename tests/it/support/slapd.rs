//! A private slapd on loopback: its own folder, data and ports; gone when dropped.

use super::certs::Authority;
use super::{PATIENCE, command};
use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;
use tempfile::TempDir;

pub(crate) const BASE: &str = "dc=example,dc=com";
pub(crate) const ROOT_DN: &str = "cn=admin,dc=example,dc=com";
pub(crate) const ROOT_PASSWORD: &str = "admin-secret";
pub(crate) const SERVICE_DN: &str = "cn=tidegate,ou=services,dc=example,dc=com";
pub(crate) const SERVICE_PASSWORD: &str = "tidegate-secret";
/// Dave's password: octets, not text.
pub(crate) const DAVE_PASSWORD: &[u8] = b"\xff\xfe\x80dave";
/// Employees below `ou=payroll`.
pub(crate) const EMPLOYEES: usize = 20;

/// `uid=NAME,ou=people,dc=example,dc=com`.
pub(crate) fn person(name: &str) -> String {
    format!("uid={name},ou=people,{BASE}")
}

/// Everybody's password but Dave's.
pub(crate) fn password(name: &str) -> String {
    format!("{name}-secret")
}

/// A running slapd.
pub(crate) struct Slapd {
    child: Child,
    folder: TempDir,
    /// Plain and StartTLS.
    pub(crate) ldap: u16,
    /// TLS from the first octet.
    pub(crate) ldaps: u16,
    pub(crate) authority: Authority,
}

/// What a slapd is to hold beyond [`ldif`].
#[derive(Default)]
pub(crate) struct Extra {
    /// Entries below `ou=big`: how many, and octets of description in each.
    pub(crate) big: (usize, usize),
    /// More entries.
    pub(crate) ldif: String,
    /// More lines of configuration, before the databases.
    pub(crate) configuration: String,
    /// More lines of the main database, and databases behind it.
    pub(crate) database: String,
    /// Lines of access control of the main database, before those that let everybody who has bound read and write.
    pub(crate) access: String,
    /// Identifiers and times that slapd would make are the same in every directory that has the same names.
    pub(crate) fixed: bool,
    /// A further name of `ou`.
    pub(crate) unit: &'static str,
    /// Variables of its environment.
    pub(crate) environment: Vec<(&'static str, PathBuf)>,
}

impl Slapd {
    pub(crate) fn start() -> Slapd {
        Slapd::with(Extra::default())
    }

    pub(crate) fn with(extra: Extra) -> Slapd {
        let folder = tempfile::Builder::new().prefix("tidegate-slapd-").tempdir().unwrap();
        let authority = Authority::new(folder.path());
        let (certificate, key) = authority.server("slapd");
        fs::create_dir(folder.path().join("db")).unwrap();
        let configuration = folder.path().join("slapd.conf");
        fs::write(&configuration, configuration_text(folder.path(), &certificate, &key, &extra)).unwrap();
        let data = folder.path().join("data.ldif");
        let entries = ldif(&extra);
        fs::write(&data, if extra.fixed { fixed(&entries) } else { entries }).unwrap();
        // Database 3: after config and monitor.
        let mut add = Command::new("/usr/sbin/slapadd");
        add.args(["-q", "-b", BASE, "-f"]).arg(&configuration).arg("-l").arg(&data);
        command::run(&mut add).expect(0);
        // Another process may take a port between our look and slapd's bind: then again.
        for _ in 0..20 {
            let (ldap, ldaps) = (free_port(), free_port());
            let listeners = format!("ldap://127.0.0.1:{ldap}/ ldaps://127.0.0.1:{ldaps}/");
            if let Some(child) = launch(folder.path(), &configuration, &listeners, "stats", &extra.environment) {
                return Slapd { child, folder, ldap, ldaps, authority };
            }
        }
        panic!("slapd does not start: {}", fs::read_to_string(folder.path().join("log")).unwrap_or_default());
    }

    /// What slapd logged: one line an operation.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.folder.path().join("log")).unwrap_or_default()).into_owned()
    }

    /// Stops it where it is, or lets it run again.
    pub(crate) fn pause(&self, paused: bool) {
        let signal = if paused { "-STOP" } else { "-CONT" };
        command::run(Command::new("kill").args([signal, &self.child.id().to_string()])).expect(0);
    }

    /// Ends it the hard way, with all its connections.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Slapd {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port that nobody has now, below those that the system gives to whoever connects.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        // Tests run in processes of their own: each begins elsewhere.
        let step = std::process::id().wrapping_mul(61).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = 12_000 + u16::try_from(step % 20_000).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Starts a slapd with a configuration that is not the usual one, without TLS; returns it and its port.
pub(crate) fn launch_plain(folder: &Path, configuration: &Path, debug: &str) -> (Child, u16) {
    for _ in 0..20 {
        let port = free_port();
        if let Some(child) = launch(folder, configuration, &format!("ldap://127.0.0.1:{port}/"), debug, &[]) {
            return (child, port);
        }
    }
    panic!("slapd does not start: {}", fs::read_to_string(folder.join("log")).unwrap_or_default());
}

/// Starts it and waits until its socket in its own folder answers: the last of its listeners, opened in their order.
fn launch(
    folder: &Path,
    configuration: &Path,
    listeners: &str,
    debug: &str,
    environment: &[(&'static str, PathBuf)],
) -> Option<Child> {
    let socket = folder.join("socket");
    let _ = fs::remove_file(&socket);
    let local = format!("ldapi://{}", socket.to_string_lossy().replace('/', "%2f"));
    let _ = fs::remove_file(folder.join("log"));
    // Appending, so that a test may cut it short while slapd goes on.
    let log = fs::File::options().create(true).append(true).open(folder.join("log")).unwrap();
    let mut child = Command::new("/usr/sbin/slapd")
        .args(["-d", debug, "-h", &format!("{listeners} {local}"), "-f"])
        .arg(configuration)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("slapd starts");
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if child.try_wait().unwrap().is_some() {
            return None;
        }
        if UnixStream::connect(&socket).is_ok() {
            // slapd goes on without a listener whose port somebody else has.
            if !fs::read_to_string(folder.join("log")).unwrap_or_default().contains("bind(") {
                return Some(child);
            }
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}

fn configuration_text(folder: &Path, certificate: &Path, key: &Path, extra: &Extra) -> String {
    let folder = folder.display();
    let (certificate, key) = (certificate.display(), key.display());
    let (more, access, behind) = (&extra.configuration, &extra.access, &extra.database);
    let core = format!("{folder}/core.schema");
    let names = format!("'organizationalUnitName' {}", extra.unit);
    let schema = fs::read_to_string("/etc/ldap/schema/core.schema").unwrap();
    fs::write(&core, schema.replacen("'organizationalUnitName'", &names, 1)).unwrap();
    format!(
        "include {core}
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include /etc/ldap/schema/nis.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
moduleload ppolicy
moduleload sssvlv
moduleload deref
moduleload syncprov
pidfile {folder}/pid
TLSCACertificateFile {folder}/ca.pem
TLSCertificateFile {certificate}
TLSCertificateKeyFile {key}
sizelimit unlimited
authz-policy to
threads 4
{more}
database config
rootdn cn=config
rootpw {ROOT_PASSWORD}
database monitor
access to * by * read
database mdb
suffix {BASE}
rootdn {ROOT_DN}
rootpw {ROOT_PASSWORD}
directory {folder}/db
maxsize 1073741824
dbnosync
index objectClass eq
index uid eq
overlay memberof
overlay ppolicy
overlay sssvlv
overlay deref
overlay syncprov
{access}
access to attrs=userPassword by users write by anonymous auth
access to * by users write by anonymous auth
{behind}
"
    )
}

/// The directory that every test starts from.
pub(crate) fn ldif(extra: &Extra) -> String {
    let mut out = format!("dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\no: Example\ndc: example\n\n");
    for unit in ["people", "groups", "payroll", "services", "projects", "elsewhere", "aliases", "big"] {
        let _ = write!(out, "dn: ou={unit},{BASE}\nobjectClass: organizationalUnit\nou: {unit}\n\n");
    }
    for unit in ["ou=archive,ou=payroll", "ou=secret,ou=projects", "ou=open,ou=projects"] {
        let _ = write!(out, "dn: {unit},{BASE}\nobjectClass: organizationalUnit\n\n");
    }
    // base64 of DAVE_PASSWORD
    let special = "userPassword:: //6AZGF2ZQ==".to_owned();
    for (n, name) in ["alice", "bob", "carol", "dave", "erin", "frank", "root-admin"].iter().enumerate() {
        let secret = if *name == "dave" { special.clone() } else { format!("userPassword: {}", password(name)) };
        let _ = write!(
            out,
            "dn: {}\nobjectClass: inetOrgPerson\nobjectClass: posixAccount\nuid: {name}\ncn: {name}\nsn: Surname\n\
             mail: {name}@example.com\nuidNumber: {}\ngidNumber: 100\nhomeDirectory: /nowhere\n{secret}\n\n",
            person(name),
            1000 + n
        );
    }
    for (group, members) in
        [("hr", &["alice", "bob", "dave"][..]), ("hr-leads", &["bob", "frank"]), ("security", &["erin"])]
    {
        let _ = write!(out, "dn: cn={group},ou=groups,{BASE}\nobjectClass: groupOfNames\ncn: {group}\n");
        for member in members {
            let _ = writeln!(out, "member: {}", person(member));
        }
        out.push('\n');
    }
    for (service, secret) in [("tidegate", SERVICE_PASSWORD), ("app", "app-secret")] {
        let _ = write!(
            out,
            "dn: cn={service},ou=services,{BASE}\nobjectClass: organizationalRole\n\
             objectClass: simpleSecurityObject\ncn: {service}\nuserPassword: {secret}\n\n"
        );
    }
    for n in 1..=EMPLOYEES {
        employee(&mut out, &format!("uid=e{n:02},ou=payroll,{BASE}"), &format!("e{n:02}"), "salary 1000");
    }
    employee(&mut out, &format!("uid=old,ou=archive,ou=payroll,{BASE}"), "old", "salary 10");
    employee(&mut out, &format!("uid=plan,ou=secret,ou=projects,{BASE}"), "plan", "to be kept");
    employee(&mut out, &format!("uid=leaflet,ou=open,ou=projects,{BASE}"), "leaflet", "for everybody");
    let _ = write!(
        out,
        "dn: cn=away,ou=elsewhere,{BASE}\nobjectClass: referral\nobjectClass: extensibleObject\ncn: away\n\
         ref: ldap://elsewhere.example.org/ou=people,dc=example,dc=org\n\n"
    );
    for (name, points_at) in [
        ("record", format!("uid=e01,ou=payroll,{BASE}")),
        ("payroll", format!("ou=payroll,{BASE}")),
        ("leaflet", format!("uid=leaflet,ou=open,ou=projects,{BASE}")),
    ] {
        let _ = write!(
            out,
            "dn: cn={name},ou=aliases,{BASE}\nobjectClass: alias\nobjectClass: extensibleObject\ncn: {name}\n\
             aliasedObjectName: {points_at}\n\n"
        );
    }
    let (count, size) = extra.big;
    let filling = "x".repeat(size);
    for n in 0..count {
        employee(&mut out, &format!("uid=b{n},ou=big,{BASE}"), &format!("b{n}"), &filling);
    }
    out.push_str(&extra.ldif);
    out
}

/// Entries with what slapd would make for each: an identifier, out of its name, and times.
fn fixed(ldif: &str) -> String {
    let mut out = String::new();
    for record in ldif.split("\n\n").filter(|record| !record.is_empty()) {
        let name = record.lines().next().unwrap_or_default();
        let hash = name
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, octet| (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3));
        let _ = write!(
            out,
            "{record}\nentryUUID: 00000000-0000-4000-{:04x}-{:012x}\n\
             entryCSN: 20260101000000.000000Z#000000#000#000000\n\
             createTimestamp: 20260101000000Z\nmodifyTimestamp: 20260101000000Z\n",
            hash >> 48,
            hash & 0xffff_ffff_ffff
        );
        if name.strip_prefix("dn: ") == Some(BASE) {
            out.push_str("contextCSN: 20260101000000.000000Z#000000#000#000000\n");
        }
        out.push('\n');
    }
    out
}

fn employee(out: &mut String, dn: &str, uid: &str, description: &str) {
    let _ = write!(
        out,
        "dn: {dn}\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {uid}\nsn: Employee\ndescription: {description}\n\n"
    );
}
