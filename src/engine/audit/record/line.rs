//! A line of the log in the making, with what is counted of its operation: kinds and numbers, never a name.

use super::{Outcome, RecordContext, Verdict};
use crate::engine::grant::index::ActiveGrant;
use crate::engine::ldap::Dn;
use crate::engine::ldap::ResultCode;
use crate::engine::ldap::control::Control;
use crate::engine::ldap::request::{ExtendedRequest, Request, SearchScope};
use std::borrow::Borrow;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

/// Which operation, as the log calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names of the operations")]
pub enum Kind {
    Bind,
    Unbind,
    Search,
    Modify,
    Add,
    Delete,
    Rename,
    Compare,
    Abandon,
    Password,
    Extended,
    /// It could not be read which.
    #[default]
    Unknown,
}

/// What became of it, as the log says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
#[expect(missing_docs, reason = "the log's words")]
pub enum Decided {
    #[default]
    Permitted,
    Refused,
    Monitored,
    Ended,
}

/// One operation that is over, as it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Done {
    /// Which.
    pub kind: Kind,
    /// What was decided.
    pub decided: Decided,
    /// What the client was answered.
    pub result: Option<ResultCode>,
    /// From the decision to the answer; `None`: the gate answered by itself.
    pub duration: Option<Duration>,
    /// As in [`Outcome`].
    pub entries: u64,
    /// As in [`Outcome`].
    pub withheld: u64,
    /// As in [`Outcome`].
    pub cut: u64,
    /// As in [`Outcome`].
    pub bytes: u64,
}

/// What a line is worth while there is little room for lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Weight {
    /// Of an operation that depends on no access.
    #[default]
    Plain,
    /// Of a refused operation: many that are alike may be summed.
    Refused,
    /// Of a permitted operation that shows and changes nothing of the directory's data: a read of the rootDSE, an abandon, a
    /// bind that failed. Many that are alike may be summed.
    Trivial,
    /// Of an operation that depends on a grant or on standing access, or that has asked for a role. There is a reserve
    /// for these.
    Access,
}

/// A line.
#[derive(Debug, Clone, Default)]
pub struct Line {
    text: Vec<u8>,
    kind: Kind,
    decided: Decided,
    access: bool,
    /// Whether it has a begun line: then it is never summed.
    begun: bool,
    /// Whether it shows and changes nothing of the directory's data.
    trivial: bool,
}

impl Kind {
    /// Every one, in the order of their numbers.
    pub const ALL: [Kind; 12] = [
        Kind::Bind,
        Kind::Unbind,
        Kind::Search,
        Kind::Modify,
        Kind::Add,
        Kind::Delete,
        Kind::Rename,
        Kind::Compare,
        Kind::Abandon,
        Kind::Password,
        Kind::Extended,
        Kind::Unknown,
    ];

    /// What the log calls it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Bind => "bind",
            Kind::Unbind => "unbind",
            Kind::Search => "search",
            Kind::Modify => "modify",
            Kind::Add => "add",
            Kind::Delete => "delete",
            Kind::Rename => "rename",
            Kind::Compare => "compare",
            Kind::Abandon => "abandon",
            Kind::Password => "password",
            Kind::Extended => "extended",
            Kind::Unknown => "unknown",
        }
    }

    fn of(request: &Request<'_>) -> Kind {
        match request {
            Request::Bind(_) => Kind::Bind,
            Request::Unbind => Kind::Unbind,
            Request::Search(_) => Kind::Search,
            Request::Modify(_) => Kind::Modify,
            Request::Add(_) => Kind::Add,
            Request::Delete(_) => Kind::Delete,
            Request::Rename(_) => Kind::Rename,
            Request::Compare(_) => Kind::Compare,
            Request::Abandon(_) => Kind::Abandon,
            Request::Extended(ExtendedRequest::Password { .. }) => Kind::Password,
            Request::Extended(
                ExtendedRequest::StartTls
                | ExtendedRequest::WhoAmI
                | ExtendedRequest::Cancel(_)
                | ExtendedRequest::Other { .. },
            ) => Kind::Extended,
        }
    }

    /// RFC 4511 4.2 to 4.12: the application tags of requests.
    fn of_tag(tag: Option<u8>) -> Kind {
        match tag {
            Some(0x60) => Kind::Bind,
            Some(0x42) => Kind::Unbind,
            Some(0x63) => Kind::Search,
            Some(0x66) => Kind::Modify,
            Some(0x68) => Kind::Add,
            Some(0x4a) => Kind::Delete,
            Some(0x6c) => Kind::Rename,
            Some(0x6e) => Kind::Compare,
            Some(0x50) => Kind::Abandon,
            Some(0x77) => Kind::Extended,
            Some(_) | None => Kind::Unknown,
        }
    }
}

impl Decided {
    /// Every one, in the order of their numbers.
    pub const ALL: [Decided; 4] = [Decided::Permitted, Decided::Refused, Decided::Monitored, Decided::Ended];

    /// What the log says.
    pub fn name(self) -> &'static str {
        match self {
            Decided::Permitted => "permitted",
            Decided::Refused => "refused",
            Decided::Monitored => "monitored",
            Decided::Ended => "ended",
        }
    }

    fn of(word: &str) -> Decided {
        Decided::ALL.into_iter().find(|decided| decided.name() == word).unwrap_or_default()
    }
}

impl Line {
    /// A line with room for what is usual.
    pub fn with_room() -> Line {
        Line { text: Vec::with_capacity(640), ..Line::default() }
    }

    /// [`super::begin`], counted.
    pub fn begin<'a, R, G>(
        &mut self,
        context: &RecordContext<'_>,
        request: &Request<'_>,
        controls: &[Control<'_>],
        verdict: Verdict<'a, R, G>,
    ) where
        R: IntoIterator<Item = &'a str>,
        G: IntoIterator<Item: Borrow<ActiveGrant>, IntoIter: Clone>,
    {
        (self.kind, self.decided) = (Kind::of(request), Decided::of(verdict.decision));
        self.begun = context.number.is_some();
        self.trivial = verdict.reason.is_none() && is_trivial(request);
        super::begin(&mut self.text, context, request, controls, verdict);
    }

    /// [`super::begin_malformed`], counted.
    pub fn begin_malformed(&mut self, context: &RecordContext<'_>, tag: Option<u8>, reason: &str) {
        (self.kind, self.decided) = (Kind::of_tag(tag), Decided::Refused);
        super::begin_malformed(&mut self.text, context, tag, reason);
    }

    /// [`super::amend`], counted.
    pub fn amend<'a, R, G>(&mut self, name: &Dn, verdict: Verdict<'a, R, G>)
    where
        R: IntoIterator<Item = &'a str>,
        G: IntoIterator<Item: Borrow<ActiveGrant>, IntoIter: Clone>,
    {
        self.decided = Decided::of(verdict.decision);
        super::amend(&mut self.text, name, verdict);
    }

    /// The operation depends on access, or has asked for it.
    pub fn set_access(&mut self) {
        self.access = true;
    }

    /// What it is worth.
    pub fn weight(&self) -> Weight {
        match self.decided {
            _ if self.access => Weight::Access,
            Decided::Refused => Weight::Refused,
            Decided::Permitted if self.trivial && !self.begun => Weight::Trivial,
            Decided::Permitted | Decided::Monitored | Decided::Ended => Weight::Plain,
        }
    }

    /// Nothing of the operation was forwarded, because its begun line could not be written.
    pub fn unrecorded(&mut self) {
        const DECISION: &[u8] = b",\"decision\":\"";
        const RESOURCES: &[u8] = b",\"resources\":";
        let find = |line: &[u8], member: &[u8]| line.windows(member.len()).rposition(|window| window == member);
        self.decided = Decided::Refused;
        if let (Some(from), Some(to)) = (find(&self.text, DECISION), find(&self.text, RESOURCES)) {
            self.text.splice(from..to, br#","decision":"refused","reason":"not recorded""#.iter().copied());
        }
    }

    /// Empties it, to be used again.
    pub fn clear(&mut self) {
        self.text.clear();
        (self.access, self.begun, self.trivial) = (false, false, false);
    }

    /// The permit did not last.
    pub fn end(&mut self) {
        const WAS: &[u8] = br#""decision":"permitted""#;
        const IS: &[u8] = br#""decision":"ended""#;
        self.decided = Decided::Ended;
        // Quotes inside values are escaped, so these octets stand only where the member itself is.
        if let Some(at) = self.text.windows(WAS.len()).rposition(|window| window == WAS) {
            self.text.splice(at..at + WAS.len(), IS.iter().copied());
        }
    }

    /// [`super::finish`]; what is counted. `asked`: the directory answered, or was to.
    pub fn finish(&mut self, outcome: &Outcome<'_>, asked: bool) -> Done {
        super::finish(&mut self.text, outcome);
        let failed = |code: ResultCode| code != ResultCode::SUCCESS && code != ResultCode::SASL_BIND_IN_PROGRESS;
        self.trivial |= self.kind == Kind::Bind && outcome.result.is_some_and(failed);
        let Outcome { upstream: _, result, ending: _, entries, withheld, cut, would: _, bytes, duration } = *outcome;
        let (kind, decided) = (self.kind, self.decided);
        Done { kind, decided, result, duration: asked.then_some(duration), entries, withheld, cut, bytes }
    }
}

/// Whether a request shows and changes nothing of the directory's data, whatever is answered.
fn is_trivial(request: &Request<'_>) -> bool {
    match request {
        Request::Search(search) => search.base.is_root() && search.scope == SearchScope::Base,
        Request::Abandon(_) => true,
        _ => false,
    }
}

impl Deref for Line {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.text
    }
}

impl DerefMut for Line {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_and_decision_has_its_number_and_its_word() {
        for (number, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, number, "{kind:?}");
        }
        for (number, decided) in Decided::ALL.into_iter().enumerate() {
            assert_eq!((decided as usize, Decided::of(decided.name())), (number, decided));
        }
    }

    #[test]
    fn what_has_ended_is_said_and_counted() {
        let mut line = Line::with_room();
        line.extend_from_slice(br#""target":"\"decision\":\"permitted\"","decision":"permitted","reason":null"#);
        line.end();
        assert_eq!(line.as_slice(), br#""target":"\"decision\":\"permitted\"","decision":"ended","reason":null"#);
        assert_eq!(line.finish(&Outcome::default(), true).decided, Decided::Ended);
    }
}
