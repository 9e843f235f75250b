//! A private Kerberos realm on loopback: `EXAMPLE.COM`, with people's passwords and a key for slapd.

use super::slapd::{free_port, password};
use super::{command, eventually};
use std::fs;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A running KDC.
pub(crate) struct Realm {
    child: Child,
    folder: TempDir,
}

impl Realm {
    /// With a principal for each of `people`, and one for an LDAP server at 127.0.0.1.
    pub(crate) fn start(people: &[&str]) -> Realm {
        let folder = tempfile::Builder::new().prefix("tidegate-realm-").tempdir().unwrap();
        let (port, path) = (free_port(), folder.path().display());
        let client = format!(
            "[libdefaults]\ndefault_realm = EXAMPLE.COM\ndns_lookup_kdc = false\ndns_lookup_realm = false\n\
             dns_canonicalize_hostname = false\nrdns = false\nignore_acceptor_hostname = true\n\
             udp_preference_limit = 1\n[realms]\nEXAMPLE.COM = {{\n kdc = 127.0.0.1:{port}\n}}\n"
        );
        let server = format!(
            "[realms]\nEXAMPLE.COM = {{\n database_name = {path}/principal\n key_stash_file = {path}/stash\n \
             kdc_listen = 127.0.0.1:{port}\n kdc_tcp_listen = 127.0.0.1:{port}\n}}\n\
             [logging]\n kdc = FILE:{path}/kdc.log\n"
        );
        fs::write(folder.path().join("krb5.conf"), client).unwrap();
        fs::write(folder.path().join("kdc.conf"), server).unwrap();
        let program = |program: &str| {
            let mut command = Command::new(program);
            command.env("KRB5_CONFIG", folder.path().join("krb5.conf"));
            command.env("KRB5_KDC_PROFILE", folder.path().join("kdc.conf"));
            command
        };
        let mut create = program("/usr/sbin/kdb5_util");
        command::run(create.args(["create", "-s", "-W", "-r", "EXAMPLE.COM", "-P", "master"])).expect(0);
        let administer = |query: &str| command::run(program("/usr/sbin/kadmin.local").args(["-q", query])).expect(0);
        for name in people {
            administer(&format!("addprinc -pw {} {name}", password(name)));
        }
        administer("addprinc -randkey ldap/127.0.0.1");
        administer(&format!("ktadd -k {path}/keytab ldap/127.0.0.1"));
        let mut kdc = program("/usr/sbin/krb5kdc");
        kdc.arg("-n").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = kdc.spawn().expect("krb5kdc starts");
        let realm = Realm { child, folder };
        eventually("the KDC listens", || TcpStream::connect(("127.0.0.1", port)).ok());
        realm
    }

    /// The environment of a server with the key.
    pub(crate) fn server(&self) -> Vec<(&'static str, PathBuf)> {
        vec![
            ("KRB5_CONFIG", self.folder.path().join("krb5.conf")),
            ("KRB5_KTNAME", self.folder.path().join("keytab")),
            ("KRB5RCACHEDIR", self.folder.path().to_owned()),
        ]
    }

    /// The environment of somebody who has shown the password to the KDC.
    pub(crate) fn login(&self, name: &str) -> Vec<(&'static str, PathBuf)> {
        let environment = vec![
            ("KRB5_CONFIG", self.folder.path().join("krb5.conf")),
            ("KRB5CCNAME", self.folder.path().join(format!("tickets-{name}"))),
        ];
        let mut kinit = Command::new("kinit");
        kinit.envs(environment.clone()).arg(name);
        command::feed(&mut kinit, format!("{}\n", password(name)).as_bytes()).expect(0);
        environment
    }
}

impl Drop for Realm {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
