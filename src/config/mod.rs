//! The configuration: one TOML file, read into values that cannot be wrong.
//!
//! `raw` knows what the file says and where it says it, the files named after sections know what it
//! means, [`Config`] is what is left when nothing was wrong. Files that the configuration names are
//! opened here, so that a typing error in a path is found before anything starts.

mod asking;
mod control;
mod deciding;
mod difference;
mod directory;
mod error;
mod extensions;
mod file;
mod lint;
mod notify;
mod policy;
mod raw;
mod sections;
mod suggest;
mod value;

pub use control::{CertificateSubject, Control, ControlPort, LocalSubject};
pub use directory::{Directory, DirectoryUrl, Referrals, ServiceAccount, Transport};
pub use error::{ConfigError, ConfigErrors};
pub use file::Secret;
pub use lint::{Warning, lint, lint_directory};
pub use notify::{Mail, MailSecurity, MailServer, Notify, Trust, Webhook, WebhookUrl};
pub use sections::{Audit, Durability, Listen, Runtime, Store, Tls, WhenFull};
pub use suggest::nearest;

use crate::engine::policy::Policy;
use error::Problems;
use raw::Section;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Everything that was configured. All paths are absolute or relative to the process's folder;
/// those in the file are relative to the file's folder and were resolved against it.
#[derive(Debug, Clone)]
pub struct Config {
    /// `[listen]`: where clients connect.
    pub listen: Listen,
    /// `[tls]`: what clients are shown, and asked for.
    pub tls: Tls,
    /// `[directory]`: what is behind the gate.
    pub directory: Directory,
    /// `[policy]`, `[[resource]]`, `[[standing]]` and `[[role]]`.
    pub policy: Policy,
    /// `[control]`: the doors of people.
    pub control: Control,
    /// `[notify]`: who is told of what happens, and how.
    pub notify: Notify,
    /// `[store]`: where requests and grants are kept.
    pub store: Store,
    /// `[audit]`: where the record of every operation is kept.
    pub audit: Audit,
    /// `[runtime]`: how much of the machine is used.
    pub runtime: Runtime,
    /// Where things stand in the file, for warnings.
    places: Places,
}

/// In which file and on which line each named thing stands.
#[derive(Debug, Clone, Default)]
struct Places {
    file: PathBuf,
    /// The file as it was read.
    text: Arc<str>,
    /// Of that text.
    digest: String,
    lines: BTreeMap<String, usize>,
    /// What was noticed while reading: valid, but it looks wrong.
    warnings: Vec<(usize, String)>,
}

/// More errors of syntax than these are taken for consequences of the first.
const MAX_SYNTAX_ERRORS: usize = 5;

impl Config {
    /// Reads and checks a configuration file.
    ///
    /// # Errors
    /// Everything that is wrong with it, in the order of its lines.
    pub fn load(path: &Path) -> Result<Config, ConfigErrors> {
        match std::fs::read_to_string(path) {
            Ok(text) => {
                let folder = path.parent().unwrap_or(Path::new(""));
                Config::parse(&text, path, folder)
            }
            Err(error) => Err(ConfigErrors::unreadable(path, &error)),
        }
    }

    /// Checks a configuration that is already in memory. `file` is what errors call it; paths in it
    /// are relative to `folder`.
    ///
    /// # Errors
    /// Everything that is wrong with it, in the order of its lines.
    pub fn parse(text: &str, file: &Path, folder: &Path) -> Result<Config, ConfigErrors> {
        let problems = Problems::new(file, text);
        let (document, syntax) = toml::de::DeTable::parse_recoverable(text);
        // One bracket that is not closed makes errors of all lines behind it.
        if syntax.len() > MAX_SYNTAX_ERRORS
            && let Some(first) = syntax.iter().min_by_key(|error| error.span().map_or(0, |span| span.start))
        {
            problems.syntax_and_more(first, syntax.len() - 1);
            return Err(problems.into_errors());
        }
        for error in &syntax {
            problems.syntax(error);
        }
        let root = Section::root(&document, folder, &problems);
        let config = Config::read(&root, file, text);
        root.finish();
        match config {
            Some(config) if problems.is_empty() => Ok(config),
            _ => Err(problems.into_errors()),
        }
    }

    /// `None` only where a problem was noted.
    fn read(root: &Section<'_>, file: &Path, text: &str) -> Option<Config> {
        // Every section is read before the first `?`, so that one's errors do not hide another's.
        let listen = sections::listen(root);
        let tls = sections::tls(root);
        let directory = directory::directory(root);
        // Where a section is wrong in itself, what it would say is not missed.
        let around = policy::Around {
            client_ca: tls.as_ref().is_none_or(|tls| tls.client_ca.is_some()),
            account: directory.as_ref().is_none_or(|directory| directory.proxy().is_some()),
        };
        let policy = policy::policy(root, around);
        let control = control::control(root, tls.as_ref());
        let has_account = directory.as_ref().is_none_or(|directory| directory.service.is_some());
        let notify = notify::notify(root, has_account);
        let store = sections::store(root);
        let audit = sections::audit(root);
        let runtime = sections::runtime(root);
        let (directory, mut policy) = (directory?, policy?);
        policy.extended_operations.clone_from(&directory.extended_operations);
        Some(Config {
            listen: listen?,
            tls: tls?,
            directory,
            policy,
            control: control?,
            notify: notify?,
            store: store?,
            audit: audit?,
            runtime: runtime?,
            places: Places {
                file: file.to_owned(),
                text: text.into(),
                digest: digest(text.as_bytes()),
                lines: root.lines(),
                warnings: root.warnings(),
            },
        })
    }
}

/// The first sixteen hexadecimal digits of the SHA-256 of a file's content.
pub fn digest(content: &[u8]) -> String {
    Sha256::digest(content).iter().take(8).map(|octet| format!("{octet:02x}")).collect()
}

/// The policy of a configuration that was in force once, whatever has become of the files that it names.
///
/// # Errors
/// What is wrong with its policy, for this version.
pub fn policy_of(text: &str) -> Result<Policy, String> {
    let problems = Problems::new(Path::new("configuration"), text);
    let (document, syntax) = toml::de::DeTable::parse_recoverable(text);
    syntax.iter().for_each(|error| problems.syntax(error));
    let around = policy::Around { client_ca: true, account: true };
    let policy = policy::policy(&Section::root(&document, Path::new(""), &problems), around);
    match policy.filter(|_| problems.is_empty()) {
        Some(policy) => Ok(policy),
        None => Err(problems.into_errors().iter().next().map(ToString::to_string).unwrap_or_default()),
    }
}

/// The control socket that a configuration names, whatever else is right or wrong in it: those who
/// use the command line need not be allowed to read the files that the gate reads.
///
/// # Errors
/// The file cannot be read or names no socket.
pub fn control_socket(path: &Path) -> Result<PathBuf, ConfigErrors> {
    let text = std::fs::read_to_string(path).map_err(|error| ConfigErrors::unreadable(path, &error))?;
    let problems = Problems::new(path, &text);
    let (document, _) = toml::de::DeTable::parse_recoverable(&text);
    let folder = path.parent().unwrap_or(Path::new(""));
    let socket = control::control_socket(&Section::root(&document, folder, &problems).section("control"));
    socket.ok_or_else(|| problems.into_errors())
}

#[cfg(test)]
mod tests;
