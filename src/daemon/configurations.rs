//! Every configuration that was in force, kept as it was written: a folder beside the store, one file each, named by its digest.
//! Secrets are not among them: a configuration names files and variables that hold secrets.

use super::reload::Authorities;
use crate::config::{self, Config, policy_of};
use crate::engine::policy::Policy;
use crate::engine::policy::difference::{self, Difference, Direction};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Which configuration is in force.
const IN_FORCE: &str = "in-force.json";

/// Where configurations are kept.
#[derive(Debug, Clone)]
pub struct Configurations {
    folder: PathBuf,
}

/// The configuration that was in force last.
#[derive(Debug, Serialize, Deserialize)]
struct InForce {
    configuration: String,
    /// Of the files that say who is believed: by their key, the path and the digest of the content.
    authorities: Vec<(String, PathBuf, String)>,
}

/// A configuration that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptConfiguration {
    /// Its digest.
    pub digest: String,
    /// When it was first in force.
    pub since: DateTime<Utc>,
}

/// What a start changes, compared with what was in force before.
#[derive(Debug, Default)]
pub(super) struct Change {
    /// The configuration before; `None`: there was none.
    pub(super) before: Option<String>,
    /// What it opens and closes.
    pub(super) difference: Difference,
}

impl Configurations {
    /// In the folder that belongs to a store.
    pub fn beside(store: &Path) -> Configurations {
        let mut name = store.file_name().unwrap_or_default().to_owned();
        name.push(".configurations");
        Configurations { folder: store.with_file_name(name) }
    }

    /// Keeps a configuration that is in force from now on.
    ///
    /// # Errors
    /// The disk's.
    pub(super) fn keep(&self, config: &Config, authorities: &Authorities) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let path = self.path(config.digest());
        if std::fs::read_to_string(&path).ok().as_deref() != Some(config.text()) {
            write(&path, config.text().as_bytes())?;
        }
        let of = |(key, (path, digest)): (&&'static str, &(PathBuf, String))| {
            ((*key).to_owned(), path.clone(), digest.clone())
        };
        let authorities = authorities.iter().map(of).collect();
        let in_force = InForce { configuration: config.digest().to_owned(), authorities };
        write(&self.folder.join(IN_FORCE), &serde_json::to_vec(&in_force)?)
    }

    /// The text of one.
    ///
    /// # Errors
    /// Why it cannot be shown: it is not kept, or is not what it was.
    pub fn text(&self, digest: &str) -> Result<String, String> {
        // Nothing else may become part of a path.
        if digest.len() != 16 || !digest.bytes().all(|octet| octet.is_ascii_hexdigit()) {
            return Err("it is no digest of a configuration: that is sixteen hexadecimal digits".to_owned());
        }
        let text = std::fs::read_to_string(self.path(digest)).map_err(|error| match error.kind() {
            ErrorKind::NotFound => "it is not kept here".to_owned(),
            _ => format!("it cannot be read: {error}"),
        })?;
        match config::digest(text.as_bytes()) == digest {
            true => Ok(text),
            false => Err("what is kept of it was altered: its digest is another".to_owned()),
        }
    }

    /// The policy of one.
    ///
    /// # Errors
    /// Why it is not known.
    pub fn policy(&self, digest: &str) -> Result<Policy, String> {
        policy_of(&self.text(digest)?).map_err(|why| format!("this version cannot read it: {why}"))
    }

    /// All that are kept, the oldest first.
    ///
    /// # Errors
    /// The disk's.
    pub fn list(&self) -> io::Result<Vec<KeptConfiguration>> {
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let Some(digest) = name.to_str().and_then(|name| name.strip_suffix(".toml")) else { continue };
            let since = entry.metadata()?.modified()?.into();
            found.push(KeptConfiguration { digest: digest.to_owned(), since });
        }
        found.sort_by(|a, b| (a.since, &a.digest).cmp(&(b.since, &b.digest)));
        Ok(found)
    }

    /// What `config` changes, compared with what was in force last. `file`: where it was read from.
    pub(super) fn compare(&self, config: &Config, file: &Path, authorities: &Authorities) -> Change {
        let before = match std::fs::read(self.folder.join(IN_FORCE)) {
            Ok(octets) => serde_json::from_slice::<InForce>(&octets).map_err(|error| error.to_string()),
            Err(error) if error.kind() == ErrorKind::NotFound => return Change::default(),
            Err(error) => Err(error.to_string()),
        };
        let before = match before {
            Ok(before) => before,
            Err(why) => {
                let mut difference = Difference::default();
                difference.changes(format!("which configuration was in force before is not known: {why}"));
                return Change { before: None, difference };
            }
        };
        let mut difference = self.differs(&before.configuration, config, file);
        for (key, path, digest) in &before.authorities {
            let now = authorities.get(key.as_str());
            if now.is_some_and(|(same, content)| same == path && content != digest) {
                difference.changes(format!("{key}: {} holds something else than before", path.display()));
            }
        }
        Change { before: Some(before.configuration), difference }
    }

    fn differs(&self, before: &str, config: &Config, file: &Path) -> Difference {
        let mut difference = Difference::default();
        if before == config.digest() {
            return difference;
        }
        let text = match self.text(before) {
            Ok(text) => text,
            Err(why) => {
                difference.changes(format!("the configuration before, {before}, cannot be compared: {why}"));
                return difference;
            }
        };
        match Config::parse(&text, file, file.parent().unwrap_or(Path::new(""))) {
            Ok(old) => old.difference(config),
            // It may name files that are gone. What it protected can be compared all the same.
            Err(errors) => {
                match policy_of(&text) {
                    Ok(old) => difference::compare(&old, &config.policy, &mut difference),
                    Err(why) => {
                        difference.changes(format!("what the configuration before protected is not known: {why}"))
                    }
                }
                let first = errors.iter().next().map(ToString::to_string).unwrap_or_default();
                difference.changes(format!("sections besides the policy cannot be compared with before: {first}"));
                difference
            }
        }
    }

    fn path(&self, digest: &str) -> PathBuf {
        self.folder.join(format!("{digest}.toml"))
    }
}

impl Change {
    /// The lines of one direction.
    pub(super) fn lines(&self, direction: Direction) -> Vec<String> {
        self.difference.lines(direction).map(str::to_owned).collect()
    }
}

/// Replaces a file whole or not at all.
fn write(path: &Path, octets: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(octets)?;
    file.sync_data()?;
    std::fs::rename(&new, path)?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_found_by_its_digest_and_only_unaltered() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Configurations::beside(&folder.path().join("store"));
        assert_eq!(kept.list().unwrap(), []);
        std::fs::create_dir(&kept.folder).unwrap();
        let text = "[policy]\nmode = \"monitor\"\n[[resource]]\nname = \"payroll\"\nbase = \"ou=payroll,dc=x\"\n";
        let digest = config::digest(text.as_bytes());
        write(&kept.path(&digest), text.as_bytes()).unwrap();
        assert_eq!(kept.text(&digest).as_deref(), Ok(text));
        assert_eq!(kept.list().unwrap().iter().map(|one| &one.digest).collect::<Vec<_>>(), [&digest]);
        let policy = kept.policy(&digest).unwrap();
        assert_eq!((policy.resources.len(), policy.mode), (1, crate::engine::policy::Mode::Monitor));
        for other in ["", "../in-force", "0123456789abcdef"] {
            assert!(kept.text(other).is_err(), "{other}");
        }
        write(&kept.path(&digest), text.replace("payroll", "payrol").as_bytes()).unwrap();
        assert!(kept.text(&digest).unwrap_err().contains("altered"));
    }
}
