//! Tokens of gates where one is logged in: a file for each URL that only its owner can read, under
//! XDG_STATE_HOME.

use crate::api::TokenView;
use anyhow::Context as _;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::fs::{DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::PathBuf;

/// A login as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    url: String,
    token: String,
    expires: DateTime<Utc>,
}

/// The token for a gate, if there is one that is still good.
///
/// # Errors
/// Others could have read it, or it cannot be read.
pub(super) fn find(url: &str, now: DateTime<Utc>) -> anyhow::Result<Option<String>> {
    let Some(path) = path(url) else { return Ok(None) };
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| path.display().to_string()),
    };
    let metadata = std::fs::metadata(&path)?;
    if metadata.mode() & 0o077 != 0 {
        anyhow::bail!("{0} can be read by others: chmod 600 {0}, and log in again", path.display());
    }
    let kept: Kept = serde_json::from_slice(&text)
        .map_err(|_| anyhow::anyhow!("{} is damaged: log in again with `tidegate login {url}`", path.display()))?;
    Ok((kept.url == url && kept.expires > now).then_some(kept.token))
}

/// Keeps the token of a login.
///
/// # Errors
/// There is no place for it, or it cannot be written.
pub(super) fn keep(url: &str, login: &TokenView) -> anyhow::Result<()> {
    let path = path(url).context("neither XDG_STATE_HOME nor HOME says where to keep the token")?;
    let write = || {
        if let Some(folder) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let new = path.with_extension("new");
        match std::fs::remove_file(&new) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let kept = Kept { url: url.to_owned(), token: login.token.clone(), expires: login.expires };
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(&serde_json::to_vec(&kept)?)?;
        std::fs::rename(&new, &path)
    };
    write().with_context(|| path.display().to_string())
}

/// Forgets the token of a gate; whether there was one.
///
/// # Errors
/// It cannot be removed.
pub(super) fn forget(url: &str) -> anyhow::Result<bool> {
    let Some(path) = path(url) else { return Ok(false) };
    match std::fs::remove_file(&path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}

fn path(url: &str) -> Option<PathBuf> {
    let folder = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = folder("XDG_STATE_HOME").or_else(|| folder("HOME").map(|home| home.join(".local/state")))?;
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') { c } else { '_' };
    let name: String = url.trim_start_matches("https://").chars().map(plain).collect();
    Some(state.join("tidegate/tokens").join(format!("{name}.json")))
}
