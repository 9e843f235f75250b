//! The gates where one is logged in, under XDG_STATE_HOME: a file for each URL that only its owner can read, with
//! the token, and which gate is the current one.

use crate::api::TokenView;
use anyhow::Context as _;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::fs::{DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// A login as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    url: String,
    token: String,
    expires: DateTime<Utc>,
    /// Who signed the gate's certificate, as `--ca` said; absent: an authority that the system trusts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ca: Option<PathBuf>,
}

/// The gate that `tidegate login` named last: commands use it when nothing else names one.
#[derive(Serialize, Deserialize)]
struct CurrentGate {
    url: String,
}

/// The token for a gate, if there is one that is still good.
///
/// # Errors
/// Others could have read it, or it cannot be read.
pub(super) fn find(url: &str, now: DateTime<Utc>) -> anyhow::Result<Option<String>> {
    Ok(login(url)?.filter(|kept| kept.expires > now).map(|kept| kept.token))
}

/// Who signed the certificate of a gate, as its last login said.
///
/// # Errors
/// As [`find`].
pub(super) fn ca(url: &str) -> anyhow::Result<Option<PathBuf>> {
    Ok(login(url)?.and_then(|kept| kept.ca))
}

/// The URL of the gate that was logged in to last.
///
/// # Errors
/// The file that names it cannot be read.
pub(super) fn current() -> anyhow::Result<Option<String>> {
    let Some(path) = current_path() else { return Ok(None) };
    let Some(text) = read(&path)? else { return Ok(None) };
    let current: CurrentGate = serde_json::from_slice(&text)
        .map_err(|_| anyhow::anyhow!("{} is damaged: log in again with `tidegate login URL`", path.display()))?;
    Ok(Some(current.url))
}

fn read(path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    match std::fs::read(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}

fn login(url: &str) -> anyhow::Result<Option<Kept>> {
    let Some(path) = path(url) else { return Ok(None) };
    let Some(text) = read(&path)? else { return Ok(None) };
    let metadata = std::fs::metadata(&path)?;
    if metadata.mode() & 0o077 != 0 {
        anyhow::bail!("{0} can be read by others: chmod 600 {0}, and log in again", path.display());
    }
    let kept: Kept = serde_json::from_slice(&text)
        .map_err(|_| anyhow::anyhow!("{} is damaged: log in again with `tidegate login {url}`", path.display()))?;
    Ok((kept.url == url).then_some(kept))
}

/// Keeps the token of a login, and makes its gate the current one. `ca`: who signed the gate's certificate.
///
/// # Errors
/// There is no place for it, or it cannot be written.
pub(super) fn keep(url: &str, ca: Option<&Path>, login: &TokenView) -> anyhow::Result<()> {
    let nowhere = "neither XDG_STATE_HOME nor HOME says where to keep the token";
    let ca = ca.map(std::path::absolute).transpose()?;
    let kept = Kept { url: url.to_owned(), token: login.token.clone(), expires: login.expires, ca };
    write(&path(url).context(nowhere)?, &serde_json::to_vec(&kept)?)?;
    let current = CurrentGate { url: url.to_owned() };
    write(&current_path().context(nowhere)?, &serde_json::to_vec(&current)?)
}

/// Replaces a file that only its owner can read.
fn write(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let write = || {
        if let Some(folder) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let new = path.with_extension("new");
        match std::fs::remove_file(&new) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(content)?;
        std::fs::rename(&new, path)
    };
    write().with_context(|| path.display().to_string())
}

/// Forgets the token of a gate; whether there was one.
///
/// # Errors
/// It cannot be removed.
pub(super) fn forget(url: &str) -> anyhow::Result<bool> {
    if current().ok().flatten().is_some_and(|current| current == url)
        && let Some(path) = current_path()
    {
        std::fs::remove_file(&path).with_context(|| path.display().to_string())?;
    }
    let Some(path) = path(url) else { return Ok(false) };
    match std::fs::remove_file(&path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}

fn current_path() -> Option<PathBuf> {
    Some(folder()?.join("current.json"))
}

fn path(url: &str) -> Option<PathBuf> {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') { c } else { '_' };
    let name: String = url.trim_start_matches("https://").chars().map(plain).collect();
    Some(folder()?.join("tokens").join(format!("{name}.json")))
}

fn folder() -> Option<PathBuf> {
    let folder = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = folder("XDG_STATE_HOME").or_else(|| folder("HOME").map(|home| home.join(".local/state")))?;
    Some(state.join("tidegate"))
}
