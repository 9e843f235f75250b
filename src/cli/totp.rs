//! `tidegate totp`.

use super::client::Client;
use super::connection::{Connection, name};
use super::output::{Output, note, print};
use super::text::visible;
use super::{Outcome, prompt};
use crate::api::{CodeBody, DoneView, ResetBody, TotpView, routes};
use crate::engine::ldap::Dn;

/// Enrol an authenticator as your second factor, or reset somebody's
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tidegate totp --control https://gate.example.com:8443
  tidegate totp --confirm 123456
  tidegate totp --reset uid=alice,ou=people,dc=example,dc=com --reason 'lost her telephone'")]
pub(super) struct Totp {
    /// Confirm the authenticator that was begun a moment ago, with a code that it shows [default: you are asked]
    #[arg(long, value_name = "CODE", conflicts_with = "reset")]
    confirm: Option<String>,

    /// As an administrator: forget the second factor of this subject
    #[arg(long, value_name = "DN", value_parser = name, requires = "reason")]
    reset: Option<Dn>,

    /// Why it is reset; it is recorded
    #[arg(long, value_name = "TEXT", requires = "reset")]
    reason: Option<String>,

    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Totp {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let client = self.connection.client()?;
        if let Some(subject) = self.reset {
            let reason = self.reason.unwrap_or_default();
            let body = ResetBody { subject: subject.text().to_owned(), reason };
            let answer = client.post::<DoneView>(routes::TOTP_RESET, &body)?;
            self.output.answer(&answer.json, |_| format!("{}.\n", visible(&answer.value.done)))?;
            return Ok(Outcome::Done);
        }
        if let Some(code) = self.confirm {
            return confirm(&client, &code, self.output);
        }
        let begun = client.post_nothing::<TotpView>(routes::TOTP)?.value;
        let shown = format!(
            "Add this to your authenticator; it is not shown again:\n\n  {}\n  {}\n\n",
            visible(&begun.secret),
            visible(&begun.uri)
        );
        if self.output.is_for_programs() {
            note(&shown)
        } else {
            print(&shown)?
        }
        match prompt::open("The code that it shows: ")? {
            Some(code) => confirm(&client, &code, self.output),
            // Nobody to ask: that comes later.
            None => {
                note("Then, with the code that it shows: tidegate totp --confirm CODE\n");
                Ok(Outcome::Done)
            }
        }
    }
}

fn confirm(client: &Client, code: &str, output: Output) -> anyhow::Result<Outcome> {
    let answer = client.post::<DoneView>(routes::TOTP_CONFIRM, &CodeBody { code: code.trim().to_owned() })?;
    output.answer(&answer.json, |_| "Enrolled.\n".to_owned())?;
    Ok(Outcome::Done)
}
