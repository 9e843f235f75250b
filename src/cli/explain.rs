//! `tidegate explain`.

use super::client::Client;
use super::connection::{Gate, dn};
use super::output::Output;
use super::table::Details;
use super::{Outcome, view};
use crate::api::{ExplainBody, ExplainDecision, ExplainView, MeView, routes};
use crate::engine::ldap::Dn;
use crate::engine::policy::OperationKind;
use chrono::{DateTime, Utc};

/// Say what would happen to an operation now, and why; nothing is done
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tidegate explain --as uid=alice,ou=people,dc=example,dc=com search ou=payroll,dc=example,dc=com
  tidegate explain modify cn=bob,ou=payroll,dc=example,dc=com --attribute salary
  tidegate explain rename ou=payroll,dc=example,dc=com --new-rdn ou=wages")]
pub(super) struct Explain {
    /// Which operation: bind, search, compare, add, modify, delete, rename or password
    operation: OperationKind,

    /// The entry, or the base of a search
    #[arg(value_parser = dn)]
    target: Dn,

    /// Whose operation [default: yours; '' is anonymous]
    #[arg(long = "as", value_name = "DN", value_parser = dn)]
    subject: Option<Dn>,

    /// Of a search: base, one or subtree
    #[arg(long, value_name = "SCOPE", value_parser = ["base", "one", "subtree"])]
    scope: Option<String>,

    /// Of a search, as RFC 4515 writes it [default: (objectClass=*)]
    #[arg(long, value_name = "FILTER")]
    filter: Option<String>,

    /// An attribute that is asked for or touched; may be given several times
    #[arg(long = "attribute", value_name = "ATTRIBUTE")]
    attributes: Vec<String>,

    /// Of a rename: the new name
    #[arg(long, value_name = "RDN", value_parser = dn)]
    new_rdn: Option<Dn>,

    /// Of a rename: the new parent
    #[arg(long, value_name = "DN", value_parser = dn)]
    new_superior: Option<Dn>,

    #[command(flatten)]
    gate: Gate,
    #[command(flatten)]
    output: Output,
}

impl Explain {
    /// The answer is shown and that is all: a refusal that is explained is nothing that failed.
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let client = self.gate.client()?;
        let body = self.body(&client)?;
        let answer = client.post::<ExplainView>(routes::EXPLAIN, &body)?;
        self.output.answer(&answer.json, |width| text(&answer.value, &body, Utc::now(), width))?;
        Ok(Outcome::Done)
    }

    fn body(&self, client: &Client) -> anyhow::Result<ExplainBody> {
        let owned = |dn: &Dn| dn.text().to_owned();
        let as_subject = match &self.subject {
            Some(subject) => owned(subject),
            None => match client.get::<MeView>(routes::ME)?.value.subject {
                Some(subject) => subject,
                None => anyhow::bail!("the configuration maps you to no subject: say whose operation with --as DN"),
            },
        };
        Ok(ExplainBody {
            as_subject,
            operation: self.operation.name().to_owned(),
            target: owned(&self.target),
            scope: self.scope.clone(),
            filter: self.filter.clone(),
            attributes: self.attributes.clone(),
            new_rdn: self.new_rdn.as_ref().map(owned),
            new_superior: self.new_superior.as_ref().map(owned),
        })
    }
}

/// The gate's reason; where it permits without one, what that means.
fn why(view: &ExplainView) -> &str {
    match view.decision {
        ExplainDecision::Permitted if view.reason.is_empty() => {
            if view.resources.is_empty() {
                "nothing that is protected is touched"
            } else if !view.redacted.is_empty() {
                "what is protected and not held is left out of the answer"
            } else if view.rests_on.is_empty() {
                "standing access"
            } else {
                "grant"
            }
        }
        ExplainDecision::Permitted if view.reason == "redacted" && !view.monitored => {
            "what is protected and not held is left out of the answer"
        }
        ExplainDecision::Permitted | ExplainDecision::Refused => &view.reason,
    }
}

fn text(view: &ExplainView, asked: &ExplainBody, now: DateTime<Utc>, width: Option<usize>) -> String {
    let mut details = Details::default();
    let who = if asked.as_subject.is_empty() { "anonymous" } else { &asked.as_subject };
    details.line("operation", format!("{} {} as {who}", asked.operation, asked.target));
    match view.decision {
        ExplainDecision::Permitted if view.monitored => {
            details.line("decision", "permitted: the gate only monitors; it would be refused or redacted otherwise");
        }
        ExplainDecision::Permitted => details.line("decision", "permitted"),
        ExplainDecision::Refused => details.line("decision", format!("refused with result code {}", view.code)),
    }
    details.line("why", why(view));
    details.line("client is told", &view.message);
    details.line("touches", view.resources.join(", "));
    details.line("not held", view.missing.join(", "));
    details.line("redacted", view.redacted.join(", "));
    for held in &view.rests_on {
        let until = view::moment(held.until, now);
        details.line("rests on", format!("{} ({}, {}) until {until}", held.grant, held.role, held.request));
    }
    if let Some(asks) = &view.asks {
        details.line(
            "asks for",
            match &asks.hold_for {
                Some(length) => format!("{}, and waits for it for {length} at most", asks.role),
                None => format!("{}, and is refused", asks.role),
            },
        );
    }
    for role in &view.roles {
        details.line("opened by", format!("tidegate request {role} --reason TEXT"));
    }
    for role in &view.break_glass_roles {
        details.line("in an emergency", format!("tidegate request {role} --break-glass --reason TEXT"));
    }
    details.render(width)
}
