//! Services that ask the directory on behalf of others: Apache, and the name service and PAM of Linux.

use crate::support::ber::base64;
use crate::support::command::{self, Ran};
use crate::support::eventually;
use crate::support::gate::Setup;
use crate::support::slapd::{BASE, Extra, free_port};
use crate::support::target::Target;
use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Unix groups, and somebody with a login in the payroll.
fn extra() -> Extra {
    let mut ldif = String::new();
    for (name, gid, parent, member) in
        [("crew", 500, "ou=groups", "alice"), ("clerks", 501, "ou=payroll", "pat"), ("night", 502, "ou=groups", "pat")]
    {
        let _ = write!(
            ldif,
            "dn: cn={name},{parent},{BASE}\nobjectClass: posixGroup\ncn: {name}\ngidNumber: {gid}\nmemberUid: {member}\n\n"
        );
    }
    let _ = write!(
        ldif,
        "dn: uid=pat,ou=payroll,{BASE}\nobjectClass: inetOrgPerson\nobjectClass: posixAccount\nuid: pat\ncn: pat\nsn: P\n\
         uidNumber: 2000\ngidNumber: 100\nhomeDirectory: /nest/pat\nuserPassword: pat-secret\n\n"
    );
    Extra { ldif, ..Extra::default() }
}

/// Straight, and through the gate.
fn targets() -> [Target; 2] {
    [Target::direct(extra()), Target::gated(extra(), Setup::default())]
}

/// An Apache on a port of its own.
struct Apache {
    child: Child,
    port: u16,
}

const MODULES: [(&str, &str); 8] = [
    ("mpm_event_module", "mod_mpm_event"),
    ("auth_basic_module", "mod_auth_basic"),
    ("authn_core_module", "mod_authn_core"),
    ("authz_core_module", "mod_authz_core"),
    ("authz_user_module", "mod_authz_user"),
    ("dir_module", "mod_dir"),
    ("ldap_module", "mod_ldap"),
    ("authnz_ldap_module", "mod_authnz_ldap"),
];

impl Apache {
    fn before(target: &Target) -> Apache {
        let folder = target.folder();
        let place = folder.display();
        let port = free_port();
        // Its workers run as somebody else.
        for open in [folder, target.ca.parent().unwrap()] {
            fs::set_permissions(open, Permissions::from_mode(0o755)).unwrap();
        }
        for part in ["users", "hr", "tls", "title"] {
            fs::create_dir_all(folder.join("htdocs").join(part)).unwrap();
            fs::write(folder.join("htdocs").join(part).join("index.html"), "welcome").unwrap();
        }
        let mut text = format!(
            "ServerRoot {place}\nServerName localhost\nListen 127.0.0.1:{port}\nPidFile {place}/pid\nErrorLog {place}/errors\n\
             DocumentRoot {place}/htdocs\nDefaultRuntimeDir {place}\n"
        );
        for (module, file) in MODULES {
            let _ = writeln!(text, "LoadModule {module} /usr/lib/apache2/modules/{file}.so");
        }
        let (ldap, ldaps, ca) = (target.ldap, target.ldaps, target.ca.display());
        let _ = writeln!(
            text,
            "User www-data\nGroup www-data\nStartServers 1\nDirectoryIndex index.html\n\
             LDAPTrustedGlobalCert CA_BASE64 {ca}\nLDAPVerifyServerCert On\nLDAPCacheEntries 0\nLDAPOpCacheEntries 0"
        );
        let found = format!("{BASE}?uid?sub?(objectClass=inetOrgPerson)");
        for (part, url, require) in [
            ("users", format!("ldaps://127.0.0.1:{ldaps}/{found}\""), "valid-user".to_owned()),
            ("hr", format!("ldaps://127.0.0.1:{ldaps}/{found}\""), format!("ldap-group cn=hr,ou=groups,{BASE}")),
            ("tls", format!("ldap://127.0.0.1:{ldap}/{found}\" TLS"), "ldap-attribute sn=Surname".to_owned()),
            ("title", format!("ldaps://127.0.0.1:{ldaps}/{found}\""), "ldap-filter uidNumber>=1002".to_owned()),
        ] {
            let _ = write!(
                text,
                "<Location /{part}>\nAuthType Basic\nAuthName x\nAuthBasicProvider ldap\nAuthLDAPURL \"{url}\n\
                 AuthLDAPBindDN cn=app,ou=services,{BASE}\nAuthLDAPBindPassword app-secret\n\
                 Require {require}\n</Location>\n"
            );
        }
        fs::write(folder.join("httpd.conf"), text).unwrap();
        let mut command = Command::new("/usr/sbin/apache2");
        command.arg("-DFOREGROUND").arg("-f").arg(folder.join("httpd.conf"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap_or_else(|error| panic!("apache2: {error}; run ./test to install it"));
        eventually("Apache listens", || TcpStream::connect(("127.0.0.1", port)).ok());
        Apache { child, port }
    }

    /// The status of a page.
    fn get(&self, page: &str, who: &str, password: &str) -> u16 {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let credentials = base64(format!("{who}:{password}").as_bytes());
        write!(
            stream,
            "GET /{page}/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Basic {credentials}\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{answer}"))
    }
}

impl Drop for Apache {
    fn drop(&mut self) {
        // TERM ends its workers too.
        command::run(Command::new("kill").arg(self.child.id().to_string()));
        let _ = self.child.wait();
    }
}

/// Searches for the user on a pooled connection, binds as the user on another, compares on `member`.
#[test]
fn apache_with_mod_authnz_ldap() {
    let cases = [
        ("users", "alice", "alice-secret", [200, 200]),
        ("users", "alice", "wrong", [401, 401]),
        ("users", "carol", "carol-secret", [200, 200]),
        ("users", "nobody", "x", [401, 401]),
        ("users", "alice", "", [401, 401]),
        ("hr", "alice", "alice-secret", [200, 200]),
        ("hr", "carol", "carol-secret", [401, 401]),
        ("tls", "bob", "bob-secret", [200, 200]),
        ("title", "carol", "carol-secret", [200, 200]),
        ("title", "alice", "alice-secret", [401, 401]),
        // Once more, on connections that were used for others.
        ("users", "bob", "bob-secret", [200, 200]),
        ("hr", "bob", "bob-secret", [200, 200]),
        // In the payroll: nobody whom the application can see.
        ("users", "pat", "pat-secret", [200, 401]),
    ];
    for (which, target) in targets().iter().enumerate() {
        let apache = Apache::before(target);
        for (page, who, password, expected) in cases {
            let errors = || fs::read_to_string(target.folder().join("errors")).unwrap_or_default();
            assert_eq!(apache.get(page, who, password), expected[which], "{page} {who}\n{}", errors());
        }
        if which == 1 {
            // They are a few connections that are used again and again.
            let records = target.gate().audit.records();
            let sessions: std::collections::BTreeSet<_> =
                records.iter().filter_map(|record| record["session"].as_str()).collect();
            assert!(sessions.len() < cases.len(), "{sessions:?}");
        }
    }
}

fn nslcd(target: &Target, arguments: &[&str]) -> Ran {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/clients/nslcd.sh");
    let mut command = command::as_root("unshare", &["LDAPS_PORT", "LDAP_CA"]);
    command.args(["-m", "bash"]).arg(script);
    let folder = tempfile::tempdir_in(target.folder()).unwrap();
    command.arg(folder.path()).args(arguments);
    command.env("LDAPS_PORT", target.ldaps.to_string()).env("LDAP_CA", &target.ca);
    let mut ran = command::run(&mut command);
    if ran.code != 0 {
        ran.stderr.push_str(&fs::read_to_string(folder.path().join("nslcd.log")).unwrap_or_default());
    }
    ran
}

/// `getent`, `id` and PAM against nslcd: `(|(memberUid=u)(member=dn))`, the password-policy control, a password changed.
#[test]
fn nslcd_behind_name_service_and_pam() {
    let [direct, gated] = targets();
    // PAM takes its time with wrong passwords: both at once.
    let both = |arguments: &[&str]| {
        std::thread::scope(|scope| {
            let straight = scope.spawn(|| nslcd(&direct, arguments));
            let through = nslcd(&gated, arguments);
            (straight.join().unwrap(), through)
        })
    };
    let (straight, through) = both(&[]);
    assert_eq!((straight.code, &straight.stdout), (through.code, &through.stdout), "{straight:#?}{through:#?}");
    for part in [
        "alice:*:1000:100:alice:/nowhere:",
        "getent passwd nobody-at-all -> 2",
        "crew:*:500:alice",
        "pamtester: successfully authenticated",
        "pamtester: authentication token altered successfully.",
        "done",
    ] {
        assert!(straight.stdout.contains(part), "{part} in {straight:#?}");
    }
    assert_eq!(straight.stdout.matches("successfully authenticated").count(), 2, "{straight:#?}");
    let (straight, through) = both(&["protected"]);
    assert!(straight.stdout.contains("pat:*:2000") && straight.stdout.contains("successfully authenticated"));
    assert!(straight.stdout.contains("clerks:*:501:pat"), "{straight:#?}");
    assert_eq!(through.code, 0, "{through:#?}");
    for hidden in ["2000:100", "/nest/pat", "clerks:*", "successfully"] {
        assert!(!through.stdout.contains(hidden), "{hidden} in {through:#?}");
    }
}
