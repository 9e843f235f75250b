//! A gate under test: its configuration, its process, and the command line that talks to it.

use super::audit::Audit;
use super::certs::Authority;
use super::command::{self, Ran, tidegate};
use super::ldap::Client;
use super::slapd::{BASE, SERVICE_DN, SERVICE_PASSWORD, Slapd, person};
use super::{PATIENCE, eventually};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use tempfile::TempDir;

/// What is protected unless a test says otherwise: the payroll, writes to it, and a secret project.
pub(crate) const POLICY: &str = r#"
[[resource]]
name = "payroll"
base = "ou=payroll,dc=example,dc=com"

[[resource]]
name = "secret-project"
base = "ou=secret,ou=projects,dc=example,dc=com"

[[role]]
name = "payroll-reader"
description = "Read payroll records"
allow = [{ resource = "payroll", operations = ["search", "compare"] }]
eligible = ["group:cn=hr,ou=groups,dc=example,dc=com"]
approvers = ["group:cn=hr-leads,ou=groups,dc=example,dc=com"]
max_duration = "4h"
default_duration = "1h"

[[role]]
name = "payroll-editor"
description = "Correct payroll records"
allow = [{ resource = "payroll" }]
eligible = ["group:cn=hr,ou=groups,dc=example,dc=com"]
approvers = ["group:cn=hr-leads,ou=groups,dc=example,dc=com"]
max_duration = "4h"
default_duration = "1h"
"#;

/// How a gate is to be configured. The default is [`POLICY`] in front of one slapd over TLS.
#[derive(Clone)]
pub(crate) struct Setup {
    policy: String,
    /// Lines of `[policy]`.
    policy_lines: String,
    /// Lines of `[tls]`.
    tls_lines: String,
    /// More files beside the configuration: names and contents.
    files: Vec<(String, String)>,
    /// Lines of `[directory]` instead of `urls` and `ca`.
    directory: Option<String>,
    /// Whether `naming_contexts` is left out.
    trees_by_default: bool,
    /// As whom the gate reads: name and password.
    service: (String, String),
    /// What people are called in the directory.
    names: fn(&str) -> String,
    /// What is served.
    naming_contexts: Vec<String>,
    /// More lines of `[listen]`.
    listen_lines: String,
    /// More lines of `[control]`.
    control_lines: String,
    /// More lines of `[audit]`.
    audit_lines: String,
    /// The folder of the audit log, when not in the gate's own.
    audit: Option<PathBuf>,
    /// Whether writing beyond a limit is an error to the gate, and not its end.
    ignore_file_size_signals: bool,
    /// The limit on open files, where it is not the tests' own.
    open_files: Option<u64>,
    /// The store's folder, when not in the gate's own.
    store: Option<PathBuf>,
    /// A process whose mounts the gate is to see.
    mounts_of: Option<u32>,
}

impl Default for Setup {
    fn default() -> Setup {
        Setup {
            policy: POLICY.to_owned(),
            policy_lines: String::new(),
            tls_lines: String::new(),
            files: Vec::new(),
            directory: None,
            trees_by_default: false,
            service: (SERVICE_DN.to_owned(), SERVICE_PASSWORD.to_owned()),
            names: person,
            naming_contexts: vec![BASE.to_owned()],
            listen_lines: String::new(),
            control_lines: String::new(),
            audit_lines: String::new(),
            audit: None,
            ignore_file_size_signals: false,
            open_files: None,
            store: None,
            mounts_of: None,
        }
    }
}

impl Setup {
    /// Resources, standing access and roles.
    pub(crate) fn policy(self, policy: &str) -> Setup {
        Setup { policy: policy.to_owned(), ..self }
    }

    /// More of them.
    pub(crate) fn and(mut self, policy: &str) -> Setup {
        self.policy.push_str(policy);
        self
    }

    /// Lines for `[policy]`.
    pub(crate) fn policy_lines(self, lines: &str) -> Setup {
        Setup { policy_lines: lines.to_owned(), ..self }
    }

    /// Lines for `[tls]`.
    pub(crate) fn tls_lines(self, lines: &str) -> Setup {
        Setup { tls_lines: lines.to_owned(), ..self }
    }

    /// A file beside the configuration.
    pub(crate) fn file(mut self, name: &str, content: &str) -> Setup {
        self.files.push((name.to_owned(), content.to_owned()));
        self
    }

    /// Lines of `[directory]` in place of the usual `urls` and `ca`.
    pub(crate) fn directory(self, lines: impl Into<String>) -> Setup {
        Setup { directory: Some(lines.into()), ..self }
    }

    /// Over plain LDAP on this port of this machine.
    pub(crate) fn plain_directory(self, port: u16) -> Setup {
        self.directory(format!("urls = [\"ldap://127.0.0.1:{port}\"]"))
    }

    /// In front of another directory than slapd: `[directory]`, as whom it is read, what people are called in it.
    pub(crate) fn before(self, directory: String, service: (String, String), names: fn(&str) -> String) -> Setup {
        Setup { directory: Some(directory), service, names, ..self }
    }

    /// The trees that are served.
    pub(crate) fn naming_contexts(self, names: &[&str]) -> Setup {
        Setup { naming_contexts: names.iter().map(|name| (*name).to_owned()).collect(), ..self }
    }

    /// Lines for `[listen]`.
    pub(crate) fn listen_lines(self, lines: &str) -> Setup {
        Setup { listen_lines: lines.to_owned(), ..self }
    }

    /// Lines for `[control]`.
    pub(crate) fn control_lines(mut self, lines: &str) -> Setup {
        self.control_lines.push_str(lines);
        self.control_lines.push('\n');
        self
    }

    /// With the control API over TLS, too.
    pub(crate) fn https(self) -> Setup {
        self.control_lines("listen = \"127.0.0.1:0\"")
    }

    /// The gate finds out by itself which trees it serves.
    pub(crate) fn trees_by_default(self) -> Setup {
        Setup { trees_by_default: true, ..self }
    }

    /// Lines for `[audit]`.
    pub(crate) fn audit_lines(self, lines: &str) -> Setup {
        Setup { audit_lines: lines.to_owned(), ..self }
    }

    /// Records go there.
    pub(crate) fn audit(self, folder: impl Into<PathBuf>) -> Setup {
        Setup { audit: Some(folder.into()), ..self }
    }

    /// The gate may open so many files.
    pub(crate) fn open_files(self, limit: u64) -> Setup {
        Setup { open_files: Some(limit), ..self }
    }

    /// The store is there, in the sight of this process.
    pub(crate) fn store_on(self, store: impl Into<PathBuf>, mounts_of: u32) -> Setup {
        Setup { store: Some(store.into()), mounts_of: Some(mounts_of), ..self }
    }

    /// Writing beyond a limit (`prlimit --fsize`) becomes an error, as on a full disk.
    pub(crate) fn ignoring_file_size_signals(self) -> Setup {
        Setup { ignore_file_size_signals: true, ..self }
    }

    /// Writes the configuration into `folder`; returns its path.
    pub(crate) fn write(&self, folder: &Path, slapd: &Slapd) -> PathBuf {
        let authority = Authority::new(folder);
        self.write_with(folder, &self.over_tls(slapd), &authority)
    }

    fn over_tls(&self, slapd: &Slapd) -> String {
        self.directory
            .clone()
            .unwrap_or_else(|| format!("urls = [\"ldaps://localhost:{}\"]\nca = {:?}", slapd.ldaps, slapd.authority.ca))
    }

    fn write_with(&self, folder: &Path, directory: &str, authority: &Authority) -> PathBuf {
        let (certificate, key) = authority.server("gate");
        let (service, secret) = &self.service;
        fs::write(folder.join("directory-password"), secret).unwrap();
        let audit = self.audit.clone().unwrap_or_else(|| folder.join("audit"));
        for (name, content) in &self.files {
            fs::write(folder.join(name), content).unwrap();
        }
        let Setup {
            naming_contexts, policy, policy_lines, tls_lines, listen_lines, control_lines, audit_lines, ..
        } = self;
        let text = format!(
            r#"[listen]
ldaps = "127.0.0.1:0"
ldap = "127.0.0.1:0"
{listen_lines}

[tls]
certificate = {certificate:?}
private_key = {key:?}
{tls_lines}

[directory]
{directory}
{trees}
bind_dn = "{service}"
bind_password_file = {password:?}

[policy]
{policy_lines}

[control]
socket = {socket:?}
local_subject = "{local}"
act_as = ["local:{user}"]
trust_act_as = true
max_pending = 1000
{rate}
{administrators}
auditors = ["group:cn=security,ou=groups,{BASE}"]
{control_lines}

[store]
path = {store:?}

[audit]
path = {audit:?}
{audit_lines}
{policy}"#,
            trees =
                if self.trees_by_default { String::new() } else { format!("naming_contexts = {naming_contexts:?}") },
            // Tests make more than people do.
            rate = if control_lines.contains("requests_per_hour") { "" } else { "requests_per_hour = 100000" },
            password = folder.join("directory-password"),
            socket = folder.join("control.sock"),
            store = self.store.clone().unwrap_or_else(|| folder.join("store")),
            local = (self.names)("{user}"),
            administrators = match control_lines.contains("administrators = ") {
                true => String::new(),
                false => format!("administrators = [\"dn:{}\"]", (self.names)("root-admin")),
            },
            user = user(),
        );
        let path = folder.join("tidegate.toml");
        fs::write(&path, text).unwrap();
        path
    }

    /// Starts a gate in front of `slapd` and waits until it is ready.
    #[track_caller]
    pub(crate) fn start(self, slapd: &Slapd) -> Gate {
        let directory = self.over_tls(slapd);
        Setup { directory: Some(directory), ..self }.start_before()
    }

    /// Starts a gate in front of the directory that was [named](Setup::before).
    #[track_caller]
    pub(crate) fn start_before(self) -> Gate {
        let folder = tempfile::Builder::new().prefix("tidegate-gate-").tempdir().unwrap();
        let authority = Authority::new(folder.path());
        let configuration = self.write_with(folder.path(), self.directory.as_deref().expect("a directory"), &authority);
        let audit = Audit(self.audit.clone().unwrap_or_else(|| folder.path().join("audit")));
        let mut gate = Gate {
            process: None,
            ignore_file_size_signals: self.ignore_file_size_signals,
            open_files: self.open_files,
            mounts_of: self.mounts_of,
            configuration,
            control: folder.path().join("control.sock"),
            names: self.names,
            authority,
            ldaps: 0,
            ldap: 0,
            https: 0,
            audit,
            folder,
        };
        gate.launch();
        gate
    }
}

/// The user that the tests run as.
pub(crate) fn user() -> String {
    let id = command::run(Command::new("id").arg("-un")).expect(0);
    id.stdout.trim().to_owned()
}

/// A running gate; it ends when dropped.
pub(crate) struct Gate {
    process: Option<Child>,
    ignore_file_size_signals: bool,
    open_files: Option<u64>,
    mounts_of: Option<u32>,
    pub(crate) configuration: PathBuf,
    pub(crate) control: PathBuf,
    names: fn(&str) -> String,
    pub(crate) authority: Authority,
    pub(crate) ldaps: u16,
    pub(crate) ldap: u16,
    /// The control API over TLS; 0 where it is not configured ([`Setup::https`]).
    pub(crate) https: u16,
    pub(crate) audit: Audit,
    pub(crate) folder: TempDir,
}

impl Gate {
    /// Starts the process; it must not be running. Ports may change.
    #[track_caller]
    pub(crate) fn launch(&mut self) {
        let errors = fs::File::options().create(true).append(true).open(self.folder.path().join("stderr")).unwrap();
        let mut command = tidegate(["serve", "--config"]);
        if self.ignore_file_size_signals || self.open_files.is_some() {
            // A signal that is ignored stays so across exec, and limits do.
            let trap = if self.ignore_file_size_signals { "trap '' XFSZ; " } else { "" };
            let limit = self.open_files.map(|limit| format!("ulimit -n {limit}; ")).unwrap_or_default();
            let script = format!("{trap}{limit}exec \"$@\"");
            command = Command::new("sh");
            command.args(["-c", &script, "sh", env!("CARGO_BIN_EXE_tidegate"), "serve", "--config"]);
        }
        if let Some(process) = self.mounts_of {
            command = Command::new("nsenter");
            command.args(["-t", &process.to_string(), "-m", "--", env!("CARGO_BIN_EXE_tidegate"), "serve", "--config"]);
        }
        command.arg(&self.configuration).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors);
        let mut child = command.spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        self.process = Some(child);
        let (say, said) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = say.send(line);
            }
        });
        let ready = loop {
            match said.recv_timeout(PATIENCE) {
                Ok(line) if line.starts_with("tidegate: ready") => break line,
                Ok(_) => {}
                Err(error) => panic!("the gate is not ready ({error}):\n{}", self.errors()),
            }
        };
        let said = |name: &str| {
            let value = ready.split_whitespace().find_map(|part| part.strip_prefix(name))?;
            value.rsplit(':').next().and_then(|port| port.parse::<u16>().ok())
        };
        let port = |name: &str| said(name).unwrap_or_else(|| panic!("{name} in {ready}"));
        (self.ldaps, self.ldap) = (port("ldaps="), port("ldap="));
        self.https = said("https=").unwrap_or_default();
    }

    /// What it said on its standard error.
    pub(crate) fn errors(&self) -> String {
        fs::read_to_string(self.folder.path().join("stderr")).unwrap_or_default()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.as_ref().expect("a running gate").id()
    }

    /// Resident memory in KiB.
    pub(crate) fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").trim().parse().unwrap()
    }

    /// The value of a sample of its metrics, read at the control socket.
    #[track_caller]
    pub(crate) fn metric(&self, sample: &str) -> f64 {
        let mut stream = UnixStream::connect(&self.control).unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {sample}:\n{text}")).parse().unwrap()
    }

    /// Ends it with this signal and waits for the end; returns its exit code.
    pub(crate) fn stop(&mut self, signal: &str) -> Option<i32> {
        let mut child = self.process.take()?;
        command::run(Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]));
        eventually("the gate ends", || child.try_wait().unwrap()).code()
    }

    /// A raw client over TLS.
    pub(crate) fn client(&self) -> Client {
        Client::ldaps(self.ldaps, &self.authority.ca)
    }

    /// A raw client over TLS, bound as one of the people.
    #[track_caller]
    pub(crate) fn client_as(&self, name: &str) -> Client {
        let mut client = self.client();
        client.bind_as(name);
        client
    }

    /// The command line, as one of the people.
    pub(crate) fn cli(&self, who: &str, arguments: &[&str]) -> Ran {
        let mut command = tidegate(arguments);
        command::run(command.arg("--control").arg(&self.control).args(["--as", &(self.names)(who)]))
    }

    /// The command line with JSON for an answer; it must succeed.
    #[track_caller]
    pub(crate) fn json(&self, who: &str, arguments: &[&str]) -> Value {
        let mut command = tidegate(arguments);
        command.arg("--control").arg(&self.control).args(["--as", &(self.names)(who), "--output", "json"]);
        command::run(&mut command).expect(0).json()
    }

    /// Asks for a role; returns the request's id.
    #[track_caller]
    pub(crate) fn request(&self, who: &str, role: &str, more: &[&str]) -> String {
        let made = self.json(who, &[&["request", role, "--reason", "HR-7: test"], more].concat());
        id(&made["id"])
    }

    /// Asks for a role, has it approved by Bob (or by Frank, when Bob asks); returns the grant's id.
    #[track_caller]
    pub(crate) fn granted(&self, who: &str, role: &str, more: &[&str]) -> String {
        let request = self.request(who, role, more);
        let approver = if who == "bob" { "frank" } else { "bob" };
        self.cli(approver, &["approve", &request]).expect(0);
        id(&self.json(who, &["show", &request])["grant"])
    }
}

/// An id as JSON gives it: a string, or an object that has one.
#[track_caller]
fn id(value: &Value) -> String {
    let text = value.as_str().or_else(|| value["id"].as_str());
    text.unwrap_or_else(|| panic!("no id: {value}")).to_owned()
}

impl Drop for Gate {
    fn drop(&mut self) {
        if let Some(mut child) = self.process.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if thread::panicking() {
            eprintln!("the gate said:\n{}", self.errors());
        }
    }
}
