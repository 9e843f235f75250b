//! `tidegate me`.

use super::Outcome;
use super::connection::Connection;
use super::output::Output;
use super::table::Details;
use crate::api::{MeView, routes};

/// Show who you are to the gate
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tidegate me --control https://gate.example.com:8443")]
pub(super) struct Me {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Me {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let answer = self.connection.client()?.get::<MeView>(routes::ME)?;
        self.output.answer(&answer.json, |width| text(&answer.value, width))?;
        Ok(Outcome::Done)
    }
}

fn text(me: &MeView, width: Option<usize>) -> String {
    let mut details = Details::default();
    details.line("subject", me.subject.as_deref().unwrap_or("none: no name in the directory"));
    let others = [("local user", &me.local_user), ("certificate", &me.certificate), ("really", &me.really)];
    for (name, value) in others {
        if let Some(value) = value {
            details.line(name, value);
        }
    }
    for (name, is_so) in
        [("administrator", me.administrator), ("auditor", me.auditor), ("second factor shown", me.second_factor)]
    {
        details.line(name, if is_so { "yes" } else { "no" });
    }
    details.render(width)
}
