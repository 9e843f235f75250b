//! `tidegate notifications`.

use super::Outcome;
use super::connection::Connection;
use super::output::Output;
use super::table::Table;
use super::text::visible;
use super::view;
use crate::api::{NotificationView, routes};
use chrono::{DateTime, Utc};

/// List what waits to be told to people and webhooks, or could not be; or try one again
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  tidegate notifications --dead\n  tidegate notifications retry note-7f3k9q2m4x"
)]
pub(super) struct Notifications {
    #[command(subcommand)]
    what: Option<What>,

    /// Those that were given up
    #[arg(long)]
    dead: bool,

    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Retry(Retry),
}

/// Try one again at once, as an administrator; those that were given up, too
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tidegate notifications retry note-7f3k9q2m4x")]
struct Retry {
    /// Which (see `tidegate notifications --dead`)
    notification: String,

    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Notifications {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        if let Some(What::Retry(retry)) = self.what {
            return retry.run();
        }
        let path =
            if self.dead { format!("{}?state=dead", routes::NOTIFICATIONS) } else { routes::NOTIFICATIONS.to_owned() };
        let found = self.connection.client()?.get_all(&path)?;
        let views = found.iter().map(|value| serde_json::from_value(value.clone()));
        let views = views.collect::<Result<Vec<NotificationView>, _>>()?;
        let json = serde_json::to_string(&found)?;
        self.output.answer(&json, |width| table(&views, self.dead, Utc::now(), width))?;
        Ok(Outcome::Done)
    }
}

impl Retry {
    fn run(self) -> anyhow::Result<Outcome> {
        let path = routes::retry(&self.notification);
        let answer = self.connection.client()?.post::<NotificationView>(&path, &serde_json::json!({}))?;
        let view = &answer.value;
        self.output
            .answer(&answer.json, |_| format!("{} is tried again: {}\n", visible(&view.id), visible(&view.receiver)))?;
        Ok(Outcome::Done)
    }
}

fn table(views: &[NotificationView], dead: bool, now: DateTime<Utc>, width: Option<usize>) -> String {
    if views.is_empty() {
        let text = if dead { "Nothing was given up.\n" } else { "Nothing waits to be told.\n" };
        return text.to_owned();
    }
    let mut table = Table::new(&["notification", "event", "about", "receiver", "when", "tries", "what went wrong"]);
    for view in views {
        let event = serde_json::to_value(view.event).ok();
        let event = event.as_ref().and_then(|word| word.as_str()).unwrap_or_default();
        let when = view
            .next
            .map_or_else(|| view::distance(view.at, now), |next| format!("again {}", view::distance(next, now)));
        let error = view.error.as_deref().unwrap_or_default();
        table.row([&view.id, event, &view.about, &view.receiver, &when, &view.attempts.to_string(), error]);
    }
    table.render(width)
}
