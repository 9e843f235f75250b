//! The operations that were forwarded and have no final answer yet, in the order of their upstream ids.

use super::expected::Expected;
use super::identify::Identifying;
use super::pages::Page;
use super::parts::Parts;
use super::sasl::Conversation;
use super::would::Would;
use crate::engine::access::root_dse::Offered;
use crate::engine::access::{DirectoryFacts, Permit, Snapshot};
use crate::engine::audit::record::{self, Ending};
use crate::engine::ldap::Dn;
use crate::engine::ldap::message::{ClientMessageId, UpstreamMessageId};
use crate::engine::ldap::request::{DerefAliases, SearchRequest};
use crate::engine::policy::{Policy, Subject};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// What the session does with the answer.
#[derive(Debug)]
pub(super) enum Purpose {
    /// Passes it on.
    Relay,
    /// Passes entries on; `None`: byte for byte, nothing is hidden from this one.
    Search { redacts: Option<Redacts> },
    /// Takes over the identity on success; `becomes` is `None`: asks the directory first who that is.
    /// `was_named`: the connection had a name before. `name`: what was bound with, where it is not a DN.
    Bind { becomes: Option<Subject>, authentication: &'static str, was_named: bool, name: Vec<u8> },
    /// A step of a SASL bind.
    Sasl(Conversation),
    /// Asks who that is.
    Identify(Box<Identifying>),
}

/// By what a search's entries are redacted.
#[derive(Debug)]
pub(super) struct Redacts {
    pub(super) policy: Arc<Policy>,
    pub(super) directory: Arc<DirectoryFacts>,
    /// The client's size limit, which is counted here (0: none): hidden entries must not be felt in it.
    pub(super) size_limit: u64,
    /// The base, where an alias there could lead to what is hidden.
    pub(super) alias_base: Option<Dn>,
    /// Response controls that the client takes for granted.
    pub(super) expected: Expected,
    /// Where the directory is asked more than once.
    pub(super) parts: Option<Box<Parts>>,
    /// What the rootDSE says of SASL mechanisms.
    pub(super) offered: Offered,
}

/// While more octets of requests than this are kept for parts that come later, the client is not read.
const MAX_KEPT: usize = 1024 * 1024;

/// Ids that are kept for what the session itself has to say: an abandon for everything in flight, and its leave.
const RESERVED: i32 = 2 * super::bounds::MAX_OPERATIONS as i32;

/// A search that may last for ever, as it was forwarded, and what it was decided by.
#[derive(Debug)]
pub(super) struct Again {
    pub(super) frame: Vec<u8>,
    pub(super) snapshot: Snapshot,
}

/// One forwarded operation.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) upstream_id: UpstreamMessageId,
    pub(super) client_id: ClientMessageId,
    /// The tag of its final response.
    pub(super) response_tag: u8,
    pub(super) purpose: Purpose,
    pub(super) permit: Permit,
    /// What enforcing would take out of the answer, where that is only counted.
    pub(super) would: Option<Box<Would>>,
    /// Whether the directory may have changed something for it, or done something else that lasts.
    pub(super) has_side_effects: bool,
    /// The client has abandoned it; it is kept until the directory answers, because it may still be done.
    pub(super) abandoned: bool,
    /// What became of it when something that it depends on ended.
    pub(super) ending: Option<Ending>,
    /// What it takes to decide upon it again, where it may last for ever.
    pub(super) again: Option<Box<Again>>,
    /// The operation's line in the log, as far as it is known.
    pub(super) record: record::Line,
    /// Its number in the session, where it has a begun line.
    pub(super) number: Option<u64>,
    /// Whether it must not be forwarded, nor anything shown of it, before its begun line is in the log.
    pub(super) must_be_recorded: bool,
    pub(super) started: Duration,
    pub(super) entries: u64,
    pub(super) withheld: u64,
    /// Attributes taken out of the entries that were shown.
    pub(super) cut: u64,
    pub(super) bytes: u64,
    /// How many octets it was counted with.
    pub(super) weight: usize,
}

impl Redacts {
    /// What has to be known until the last entry: the policy that was decided by, which a reload may replace
    /// meanwhile. `None`: all is passed as it comes.
    pub(super) fn of(
        permit: &Permit,
        search: &SearchRequest<'_>,
        parts: Option<Box<Parts>>,
        offered: Offered,
        snapshot: &Snapshot,
    ) -> Option<Redacts> {
        let redaction = permit.redaction();
        let needed = redaction.looks_at_entries() || redaction.dereferenced().is_some() || parts.is_some();
        let counted = !redaction.is_empty() || parts.is_some();
        let size_limit = if counted { u64::try_from(search.size_limit).unwrap_or(0) } else { 0 };
        let (policy, directory) = (snapshot.policy.clone(), snapshot.directory.clone());
        let finds = matches!(search.deref, DerefAliases::FindingBase | DerefAliases::Always);
        let alias_base = (finds && redaction.hides_protected()).then(|| search.base.clone());
        let expected = Expected::default();
        needed.then(|| Redacts { policy, directory, size_limit, alias_base, expected, parts, offered })
    }
}

impl Operation {
    fn weigh(&mut self) {
        let again = self.again.as_ref().map_or(0, |again| again.frame.len());
        self.weight = size_of::<Operation>() + self.record.capacity() + again;
    }

    /// Whether anything can end that it depends on. The same from the beginning to the end of an operation, but for a
    /// bind whose name the directory says.
    pub(super) fn depends(&self) -> bool {
        self.again.is_some() || self.permit.depends()
    }

    /// Whether it depends on more than grants: on how things are while it lasts, or on the right to act for others.
    pub(super) fn rests_on_more(&self) -> bool {
        self.again.is_some() || self.permit.acts_for().is_some() || !self.permit.standing().is_empty()
    }

    /// Whether its answers are passed on: it is no bind, nor a question of the session's own.
    pub(super) fn is_relayed(&self) -> bool {
        match self.purpose {
            Purpose::Relay | Purpose::Search { .. } => true,
            Purpose::Bind { .. } | Purpose::Sasl(_) | Purpose::Identify(_) => false,
        }
    }

    /// Whether the directory was asked once for it, or is about to be for the first time.
    pub(super) fn is_first_request(&self) -> bool {
        self.parts().is_none_or(|parts| parts.requests() <= 1)
    }

    /// What more the directory is to be asked for it, where that may be more than once.
    pub(super) fn parts(&self) -> Option<&Parts> {
        match &self.purpose {
            Purpose::Search { redacts: Some(redacts) } => redacts.parts.as_deref(),
            Purpose::Search { redacts: None }
            | Purpose::Relay
            | Purpose::Bind { .. }
            | Purpose::Sasl(_)
            | Purpose::Identify(_) => None,
        }
    }

    pub(super) fn parts_mut(&mut self) -> Option<&mut Parts> {
        match &mut self.purpose {
            Purpose::Search { redacts: Some(redacts) } => redacts.parts.as_deref_mut(),
            Purpose::Search { redacts: None }
            | Purpose::Relay
            | Purpose::Bind { .. }
            | Purpose::Sasl(_)
            | Purpose::Identify(_) => None,
        }
    }

    /// Whether the client got as many entries as it wanted at most, on all pages.
    pub(super) fn is_over_the_limit(&self) -> bool {
        let Purpose::Search { redacts: Some(redacts) } = &self.purpose else { return false };
        let page = redacts.parts.as_ref().and_then(|parts| parts.page.as_ref());
        let shown = page.map_or(self.entries, |page| page.cursor.shown);
        redacts.size_limit > 0 && shown >= redacts.size_limit
    }

    /// Response controls that the client takes for granted.
    pub(super) fn expected(&self) -> Expected {
        match &self.purpose {
            Purpose::Search { redacts: Some(redacts) } => redacts.expected,
            Purpose::Search { redacts: None }
            | Purpose::Relay
            | Purpose::Bind { .. }
            | Purpose::Sasl(_)
            | Purpose::Identify(_) => Expected::default(),
        }
    }

    pub(super) fn page_mut(&mut self) -> Option<&mut Page> {
        self.parts_mut().and_then(|parts| parts.page.as_mut())
    }
}

/// All of a session's forwarded operations.
#[derive(Debug, Default)]
pub(super) struct Outstanding {
    operations: VecDeque<Operation>,
    last_id: i32,
    /// How many octets of requests are kept.
    kept: usize,
    /// How many octets operations take, log lines included.
    octets: usize,
    /// How many searches are in flight whose pages are filled up here.
    pages: usize,
    /// How many are in flight that depend on something.
    dependent: usize,
}

impl Outstanding {
    /// The next unused upstream id. Ids rise, so that a late answer to something abandoned meets nothing new.
    pub(super) fn next_id(&mut self) -> UpstreamMessageId {
        self.last_id = self.last_id.checked_add(1).unwrap_or(1);
        UpstreamMessageId(self.last_id)
    }

    /// Whether the ids are used up: the session ends rather than reuse one.
    pub(super) fn exhausted(&self) -> bool {
        self.last_id >= i32::MAX - RESERVED
    }

    pub(super) fn len(&self) -> usize {
        self.operations.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// Whether so much is kept that nothing more is taken up.
    pub(super) fn keeps_too_much(&self) -> bool {
        self.kept > MAX_KEPT
    }

    /// Whether pages of a search are being filled up.
    pub(super) fn fills_pages(&self) -> bool {
        self.pages > 0
    }

    pub(super) fn push(&mut self, mut operation: Operation) {
        operation.weigh();
        self.count(&operation, usize::saturating_add);
        self.operations.push_back(operation);
    }

    /// Puts one back that was taken, at its place among the others.
    pub(super) fn push_again(&mut self, mut operation: Operation) {
        operation.weigh();
        self.count(&operation, usize::saturating_add);
        let at = self.operations.partition_point(|other| other.upstream_id < operation.upstream_id);
        self.operations.insert(at, operation);
    }

    /// How many octets operations take, log lines and kept requests included.
    pub(super) fn octets(&self) -> usize {
        self.octets + self.kept
    }

    /// Whether anything is in flight that depends on something.
    pub(super) fn depends(&self) -> bool {
        self.dependent > 0
    }

    fn count(&mut self, operation: &Operation, change: fn(usize, usize) -> usize) {
        self.octets = change(self.octets, operation.weight);
        self.dependent = change(self.dependent, usize::from(operation.depends()));
        let Some(parts) = operation.parts() else { return };
        self.kept = change(self.kept, parts.kept());
        self.pages = change(self.pages, usize::from(parts.page.is_some()));
    }

    fn counted(&mut self, taken: Option<Operation>) -> Option<Operation> {
        if let Some(operation) = &taken {
            self.count(operation, usize::saturating_sub);
        }
        taken
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Operation> {
        self.operations.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Operation> {
        self.operations.iter_mut()
    }

    pub(super) fn uses(&self, id: ClientMessageId) -> bool {
        self.operations.iter().any(|operation| operation.client_id == id && !operation.abandoned)
    }

    /// By the directory's id.
    pub(super) fn find(&mut self, id: UpstreamMessageId) -> Option<&mut Operation> {
        let at = self.operations.binary_search_by_key(&id, |operation| operation.upstream_id).ok()?;
        self.operations.get_mut(at)
    }

    /// As [`Outstanding::find`], to look at.
    pub(super) fn find_ref(&self, id: UpstreamMessageId) -> Option<&Operation> {
        let at = self.operations.binary_search_by_key(&id, |operation| operation.upstream_id).ok()?;
        self.operations.get(at)
    }

    pub(super) fn take(&mut self, id: UpstreamMessageId) -> Option<Operation> {
        let at = self.operations.binary_search_by_key(&id, |operation| operation.upstream_id).ok()?;
        let taken = self.operations.remove(at);
        self.counted(taken)
    }

    /// By the client's id.
    pub(super) fn find_client(&self, id: ClientMessageId) -> Option<UpstreamMessageId> {
        self.operations
            .iter()
            .find(|known| known.client_id == id && !known.abandoned)
            .map(|operation| operation.upstream_id)
    }

    pub(super) fn take_first(&mut self) -> Option<Operation> {
        let taken = self.operations.pop_front();
        self.counted(taken)
    }
}
