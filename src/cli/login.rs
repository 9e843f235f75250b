//! `tidegate login` and `tidegate logout`.

use super::client::{Client, ClientError};
use super::connection::Gate;
use super::output::{Output, note};
use super::target::{Https, Target};
use super::text::visible;
use super::view::moment;
use super::{Outcome, WrongUse, prompt, tokens};
use crate::api::{DoneView, LoginBody, TokenView, routes};
use anyhow::Context as _;
use chrono::Utc;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Log in to a gate over TLS, with the password that the directory knows
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tidegate login https://gate.example.com:8443 --name alice
  tidegate login --control https://gate.example.com:8443 --name alice --password-file secret")]
pub(super) struct Login {
    /// The gate [default: --control]
    #[arg(value_name = "URL")]
    url: Option<String>,

    /// Your login name, or your DN [default: the name of the local user]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// Read the password from this file, which nobody else may read [default: ask; without a terminal, a line of input]
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,

    #[command(flatten)]
    gate: Gate,
}

/// Log out: the token is good for nothing from here on
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tidegate logout https://gate.example.com:8443")]
pub(super) struct Logout {
    /// The gate [default: --control]
    #[arg(value_name = "URL")]
    url: Option<String>,

    #[command(flatten)]
    gate: Gate,
    #[command(flatten)]
    output: Output,
}

impl Login {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let https = https(&self.gate, self.url.as_deref())?;
        let url = https.url();
        let name = match self.name {
            Some(name) => name,
            None => std::env::var("USER").map_err(|_| WrongUse("say who you are with --name NAME".to_owned()))?,
        };
        let password = match &self.password_file {
            Some(file) => password_of(file)?,
            None => prompt::secret(&format!("Password of {} at {url}: ", visible(&name)))
                .context("no password: type it, pipe it in, or name a file with --password-file FILE")?,
        };
        let ca = https.ca.clone();
        let client = Client::new(Target::Https(https), None, None, None)?;
        let body = LoginBody { name, password, code: self.gate.code() };
        let login = client.post::<TokenView>(routes::LOGIN, &body)?.value;
        tokens::keep(&url, ca.as_deref(), &login)?;
        let until = moment(login.expires, Utc::now());
        note(&format!("Logged in to {url} as {} until {until}.\n", visible(&login.subject)));
        Ok(Outcome::Done)
    }
}

impl Logout {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let https = https(&self.gate, self.url.as_deref())?;
        let url = https.url();
        let client = self.gate.client_of(Target::Https(https), None)?;
        let answer = client.post_nothing::<DoneView>(routes::LOGOUT);
        let was_kept = tokens::forget(&url)?;
        match answer {
            Ok(answer) => self.output.answer(&answer.json, |_| format!("Logged out of {url}.\n"))?,
            // One that is over is what was wanted.
            Err(ClientError::Problem(problem, _)) if problem.status == 401 && was_kept => {
                note(&format!("The login at {url} had ended already.\n"));
            }
            Err(error) => return Err(error.into()),
        }
        Ok(Outcome::Done)
    }
}

/// What is in the file, if nobody else can read it there. Pipes are nobody else's to read.
fn password_of(file: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let metadata = std::fs::metadata(file).with_context(|| file.display().to_string())?;
    if metadata.is_file() && metadata.mode() & 0o077 != 0 {
        anyhow::bail!("{0} can be read by others: chmod 600 {0}", file.display());
    }
    Ok(text.strip_suffix('\n').unwrap_or(&text).to_owned())
}

/// The URL that was given, or that of `--control`.
fn https(gate: &Gate, url: Option<&str>) -> anyhow::Result<Https> {
    let target = match url {
        Some(url) => gate.https(url)?,
        None => gate.target()?,
    };
    match target {
        Target::Https(https) => Ok(https),
        Target::Socket(_) => {
            let why = "name the gate by its URL; at its control socket you are who you are on this machine";
            Err(WrongUse(why.to_owned()).into())
        }
    }
}
