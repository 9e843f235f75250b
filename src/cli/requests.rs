//! `tidegate requests`.

use super::connection::Connection;
use super::output::Output;
use super::table::Table;
use super::{Outcome, view};
use crate::api::{Decision, RequestQuery, RequestState, RequestView, routes};
use chrono::{DateTime, Utc};

/// List requests: by default those that are pending, of all that you may see
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tidegate requests --to-review
  tidegate requests --mine --state denied")]
pub(super) struct Requests {
    /// Only those in this state
    #[arg(long, value_name = "STATE", value_enum)]
    state: Option<State>,

    /// Only those that you made, or that are for you
    #[arg(long, conflicts_with = "to_review")]
    mine: bool,

    /// Only those that wait for your review
    #[arg(long)]
    to_review: bool,

    /// All that you may see, decided ones too, however long ago
    #[arg(long, conflicts_with_all = ["state", "to_review"])]
    all: bool,

    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum State {
    Pending,
    Approved,
    Denied,
    Cancelled,
    Lapsed,
}

impl From<State> for RequestState {
    fn from(state: State) -> RequestState {
        match state {
            State::Pending => RequestState::Pending,
            State::Approved => RequestState::Approved,
            State::Denied => RequestState::Denied,
            State::Cancelled => RequestState::Cancelled,
            State::Lapsed => RequestState::Lapsed,
        }
    }
}

impl Requests {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let found = self.connection.client()?.get_all(&path(&self.query()))?;
        let json = serde_json::to_string(&found)?;
        let views: Vec<RequestView> = found.into_iter().map(serde_json::from_value).collect::<Result<_, _>>()?;
        self.output.answer(&json, |width| table(&views, Utc::now(), width))?;
        Ok(Outcome::Done)
    }

    fn query(&self) -> RequestQuery {
        let unasked = self.state.is_none() && !self.to_review && !self.all;
        let state = if unasked { Some(RequestState::Pending) } else { self.state.map(RequestState::from) };
        RequestQuery {
            state,
            mine: self.mine,
            to_review: self.to_review,
            archived: self.all,
            ..RequestQuery::default()
        }
    }
}

/// The address of a query. Its values are fixed words: nothing is to be encoded.
fn path(query: &RequestQuery) -> String {
    let state = query.state.map(|state| format!("state={}", view::request_state(state)));
    let flags = [(query.mine, "mine=true"), (query.to_review, "to_review=true"), (query.archived, "archived=true")];
    let flags = flags.into_iter().filter(|(set, _)| *set).map(|(_, flag)| flag.to_owned());
    let conditions: Vec<String> = state.into_iter().chain(flags).collect();
    match conditions.is_empty() {
        true => routes::REQUESTS.to_owned(),
        false => format!("{}?{}", routes::REQUESTS, conditions.join("&")),
    }
}

fn table(requests: &[RequestView], now: DateTime<Utc>, width: Option<usize>) -> String {
    if requests.is_empty() {
        return "There is no such request that you may see.\n".to_owned();
    }
    let mut table = Table::new(&["request", "state", "role", "subject", "for", "lapses", "waits for", "reason"]);
    for request in requests {
        let lapses = match request.state {
            RequestState::Pending => view::distance(request.lapses, now),
            RequestState::Approved | RequestState::Denied | RequestState::Cancelled | RequestState::Lapsed => {
                String::new()
            }
        };
        let id = request.id.as_deref().unwrap_or_default();
        let state = state(request);
        let duration = request.duration.to_string();
        let who = request.waiting_for.join(", ");
        table.row([id, &state, &request.role, &request.subject, &duration, &lapses, &who, &request.reason]);
    }
    table.render(width)
}

/// Where it stands, and what whoever decides must not overlook.
fn state(request: &RequestView) -> String {
    let mut state = view::request_state(request.state).to_owned();
    if request.state == RequestState::Pending {
        let given = request.reviews.iter().filter(|review| review.decision == Decision::Approve).count();
        state.push_str(&format!(" {given}/{}", request.approvals));
        if request.stages > 1 {
            state.push_str(&format!(", stage {}/{}", request.stage, request.stages));
        }
        if request.permanent {
            state.push_str(", permanent");
        }
    }
    state.push_str(view::glass(request.break_glass, None));
    state
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_make_the_address() {
        let query = |state, mine, to_review| path(&RequestQuery { state, mine, to_review, ..RequestQuery::default() });
        assert_eq!(query(None, false, false), "/v1/requests");
        assert_eq!(query(Some(RequestState::Lapsed), true, false), "/v1/requests?state=lapsed&mine=true");
        assert_eq!(query(None, false, true), "/v1/requests?to_review=true");
    }
}
