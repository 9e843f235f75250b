//! Searches of which something is redacted: what the directory is asked for, in one part or in several, and how they end.

use super::client::Message;
use super::entries::{Counted, deliver_ahead};
use super::outstanding::{Operation, Purpose};
use super::pages::{Cursor, Page};
use super::parts::{Next, Parts, most, orders};
use super::towards::Word;
use super::{Effects, Session};
use crate::engine::access::{Permit, Refusal, Snapshot};
use crate::engine::ldap::control::{self, Control, oid};
use crate::engine::ldap::filter::Filter;
use crate::engine::ldap::message::{self, Envelope, UpstreamMessageId};
use crate::engine::ldap::paged::PagedResults;
use crate::engine::ldap::request::{Request, SearchRequest};
use crate::engine::ldap::response::{self, ResultView};
use crate::engine::ldap::{Dn, ResultCode, tag};
use crate::engine::redaction::{Plan, Stages};
use crate::engine::time::Now;

pub(super) const TOO_OFTEN: &str =
    "too many searches that reach what is hidden: search less often, or from a narrower base";
const OLD_COOKIE: &str = "the paged results cookie is invalid, or old: search again";

impl Session {
    /// A search that is redacted, or that may go on with pages which were begun when it was.
    pub(super) fn forward_search(
        &mut self,
        sent: Message<'_>,
        search: &SearchRequest<'_>,
        permit: Permit,
        snapshot: &Snapshot,
        now: Now,
        fx: &mut Effects,
    ) {
        let paging = permit.controls(sent.controls).find(|control| control.oid == oid::PAGED_RESULTS);
        let asked = paging.map(|control| (control.critical, PagedResults::decode(control.value.unwrap_or_default())));
        let cursor = match &asked {
            Some((_, Ok(page))) => self.cursors.take(page.cookie),
            Some((_, Err(_))) | None => None,
        };
        let redaction = permit.redaction();
        if redaction.is_empty() && cursor.is_none() {
            // Pages are the directory's.
            return self.forward_as_it_is(sent, sent.request, permit, snapshot, now, fx);
        }
        let mut plan = match redaction.is_empty() {
            true => Plan { stages: Stages::AsAsked, is_exposed: false },
            false => redaction.plan(&snapshot.policy, &snapshot.directory, search),
        };
        let trial = self.try_first(&mut plan, sent, &permit, cursor.is_some(), snapshot, now);
        if plan.is_exposed && cursor.is_none() {
            let subject = self.searches_as(&permit);
            if !snapshot.admits_exposed(subject, &self.origin.connection_from, now) {
                return self.refuse(sent, &too_often(), snapshot, now, fx);
            }
        }
        let stages = plan.stages;
        if asked.is_none()
            && trial.is_none()
            && let Some(filter) = only_filter(&stages, search)
        {
            // The directory may count entries that are dropped here: those that are shown are counted here instead.
            let mut body = Vec::new();
            let size_limit = most(search.size_limit);
            Request::Search(SearchRequest { size_limit, filter, ..search.clone() }).write_body(&mut body);
            return self.forward_body(sent, &body, permit, snapshot, now, fx);
        }
        let mut parts = Parts::new(search, stages, permit.controls(sent.controls));
        if let Some(refusal) = cannot_sort(&parts, permit.controls(sent.controls)) {
            return self.refuse(sent, &refusal, snapshot, now, fx);
        }
        if let Some((critical, page)) = asked {
            match open_page(&parts, critical, page, cursor) {
                Ok(page) => parts.turn_page(page),
                Err(refusal) => return self.refuse(sent, &refusal, snapshot, now, fx),
            }
        }
        parts.trial = trial.map(Box::new);
        let none = UpstreamMessageId(0);
        let mut operation = self.operation(none, sent, (permit, Some(Box::new(parts))), snapshot, now, fx);
        // What is shown before the directory is asked is recorded before it is shown.
        fx.hold_client |= operation.must_be_recorded && operation.page_mut().is_some_and(|page| page.has_ahead());
        if deliver_ahead(&mut operation, fx) == Counted::OverTheLimit {
            return self.end_at_limit(operation, now, fx);
        }
        let next = match operation.page_mut() {
            Some(page) if page.is_farewell() && !page.cursor.is_begun() => Next::End(ResultCode::SUCCESS),
            Some(page) if page.is_farewell() => Next::Ask,
            Some(page) => page.next(),
            None => Next::Ask,
        };
        match next {
            Next::Ask => self.ask(operation, now, fx),
            Next::Another | Next::End(_) => self.end_page(operation, next, now, fx),
        }
    }

    /// Asks the directory once: what is encoded is what was decided upon.
    pub(super) fn forward_as_it_is(
        &mut self,
        sent: Message<'_>,
        request: &Request<'_>,
        permit: Permit,
        snapshot: &Snapshot,
        now: Now,
        fx: &mut Effects,
    ) {
        let forwarded: Vec<_> = permit.controls(sent.controls).collect();
        let upstream_id = self.tell(Word::Request(request, &forwarded), fx);
        self.track(upstream_id, sent, permit, snapshot, now, fx);
    }

    /// Asks the directory once for what was made of a search.
    fn forward_body(
        &mut self,
        sent: Message<'_>,
        body: &[u8],
        permit: Permit,
        snapshot: &Snapshot,
        now: Now,
        fx: &mut Effects,
    ) {
        let forwarded: Vec<_> = permit.controls(sent.controls).collect();
        let mut controls = Vec::new();
        control::write_controls(&mut controls, &forwarded);
        let upstream_id = self.tell(Word::Search(body, &controls), fx);
        self.track(upstream_id, sent, permit, snapshot, now, fx);
    }

    /// Asks the directory for the part that comes next.
    pub(super) fn ask(&mut self, mut operation: Operation, now: Now, fx: &mut Effects) {
        if self.outstanding.exhausted() {
            let text = "this connection has asked for all that it can";
            return self.end_search(operation, ResultCode::BUSY, text, now, fx);
        }
        if let Some((body, controls)) = operation.parts_mut().and_then(Parts::request) {
            operation.upstream_id = self.tell(Word::Search(&body, &controls), fx);
        }
        self.outstanding.push(operation);
    }

    /// The directory has answered a part.
    pub(super) fn part_answered(
        &mut self,
        mut operation: Operation,
        envelope: &Envelope<'_>,
        view: &ResultView<'_>,
        snapshot: &Snapshot,
        now: Now,
        fx: &mut Effects,
    ) {
        let Some(parts) = operation.parts_mut() else { return };
        if let Some(trial) = parts.trial.take() {
            return self.tried(operation, &trial, view.code, snapshot, now, fx);
        }
        let next = parts.answered(view.code, envelope.controls);
        match (&parts.page, next) {
            (_, Next::Ask) => self.ask(operation, now, fx),
            (Some(_), Next::Another | Next::End(ResultCode::SUCCESS)) => self.end_page(operation, next, now, fx),
            (Some(page), Next::End(ResultCode::PROTOCOL_ERROR | ResultCode::UNWILLING_TO_PERFORM))
                if page.cursor.is_continued() =>
            {
                // Another search in pages has come between, which some directories take amiss.
                self.end_search(operation, ResultCode::UNWILLING_TO_PERFORM, OLD_COOKIE, now, fx);
            }
            (Some(page), Next::End(_)) => {
                // What the directory says of its own cookie is none of the client's business.
                let others = page.cursor.others.clone();
                let controls = Some(others.as_slice()).filter(|others| !others.is_empty());
                self.answered(operation, &Envelope { controls, ..*envelope }, view, snapshot, now, fx);
            }
            (None, Next::Another | Next::End(_)) => self.answered(operation, envelope, view, snapshot, now, fx),
        }
    }

    /// A page is full, or there is nothing more for it.
    fn end_page(&mut self, mut operation: Operation, next: Next, now: Now, fx: &mut Effects) {
        let Some(page) = operation.parts_mut().and_then(|parts| parts.page.take()) else { return };
        let (code, mut controls) = match next {
            Next::End(code) => (code, page.cursor.others.clone()),
            Next::Another | Next::Ask => (ResultCode::SUCCESS, page.cursor.others.clone()),
        };
        let expected = operation.expected();
        // See `tells_through_alias`: the controls of what leads nowhere are the same as those of what is hidden.
        let ends = next != Next::Another || page.is_estimate();
        if ends && operation.entries == 0 && alias_base(&operation).is_some() {
            controls.clear();
            match code {
                ResultCode::SUCCESS => expected.write_empty(&mut controls),
                _ => expected.write_sorted(&mut controls),
            }
            return self.end_search_with(operation, (code, ""), &controls, now, fx);
        }
        let shows_cookie = code == ResultCode::SUCCESS && !page.unpaged && !page.is_farewell();
        let cookie = (next == Next::Another).then(|| self.cursors.keep(page.cursor));
        controls = expected.complete(Some(&controls)).unwrap_or(controls);
        if shows_cookie {
            let cookie = cookie.as_ref().map_or(&b""[..], |cookie| cookie);
            PagedResults { size: 0, cookie }.write_control(&mut controls, false);
        }
        self.end_search_with(operation, (code, ""), &controls, now, fx);
    }

    /// Ends a search with an answer that is made here; `controls` is the content of a controls element, perhaps empty.
    pub(super) fn end_search_with(
        &mut self,
        mut operation: Operation,
        (code, text): (ResultCode, &str),
        controls: &[u8],
        now: Now,
        fx: &mut Effects,
    ) {
        let mut body = Vec::new();
        response::write_result_body(&mut body, code, "", text);
        let before = fx.to_client.len();
        let controls = Some(controls).filter(|controls| !controls.is_empty());
        message::write_message(&mut fx.to_client, operation.client_id.0, tag::SEARCH_RESULT_DONE, &body, controls);
        operation.bytes += (fx.to_client.len() - before) as u64;
        self.finish(&mut operation, Some(code), now, fx);
    }

    /// As many entries were shown as the client wanted, and there is another (RFC 4511 4.5.1.4).
    pub(super) fn limit_reached(&mut self, id: UpstreamMessageId, now: Now, fx: &mut Effects) {
        let Some(operation) = self.outstanding.take(id) else { return };
        self.abandon_upstream(id, fx);
        self.end_at_limit(operation, now, fx);
    }

    fn end_at_limit(&mut self, operation: Operation, now: Now, fx: &mut Effects) {
        let mut controls = Vec::new();
        operation.expected().write_sorted(&mut controls);
        self.end_search_with(operation, (ResultCode::SIZE_LIMIT_EXCEEDED, ""), &controls, now, fx);
    }

    pub(super) fn end_search(
        &mut self,
        operation: Operation,
        code: ResultCode,
        text: &str,
        now: Now,
        fx: &mut Effects,
    ) {
        self.end_search_with(operation, (code, text), &[], now, fx);
    }

    /// RFC 3909 for a search in parts, which the directory might take for one that has ended: answered here, both.
    pub(super) fn cancel_parts(
        &mut self,
        sent: Message<'_>,
        target: UpstreamMessageId,
        permit: Permit,
        snapshot: &Snapshot,
        now: Now,
        fx: &mut Effects,
    ) {
        let line = self.begin(sent, &permit, snapshot, now);
        if let Some(operation) = self.outstanding.take(target) {
            self.abandon_upstream(target, fx);
            self.end_search(operation, ResultCode::CANCELED, "", now, fx);
        }
        let code = ResultCode::SUCCESS;
        let bytes = Session::respond(fx, sent.id, tag::EXTENDED_RESPONSE, code, "");
        self.finish_here(line, Some(code), bytes, fx);
    }
}

/// Whether a message may be a search in pages.
pub(super) fn asks_for_pages(envelope: &Envelope<'_>) -> bool {
    let oid = oid::PAGED_RESULTS.as_bytes();
    let names = |content: &[u8]| content.windows(oid.len()).any(|window| window == oid);
    envelope.tag == tag::SEARCH_REQUEST && envelope.controls.is_some_and(names)
}

/// What is asked where the directory is asked once, in the first stage.
fn only_filter<'a>(stages: &Stages<'a>, search: &SearchRequest<'a>) -> Option<Filter<'a>> {
    match stages {
        Stages::AsAsked => Some(search.filter.clone()),
        Stages::Several(several) => match &**several {
            [only] => only.to_ask(),
            _ => None,
        },
    }
}

fn too_often() -> Refusal {
    Refusal {
        code: ResultCode::BUSY,
        message: TOO_OFTEN.to_owned(),
        reason: "rate of searches",
        missing: Vec::new(),
        asks: None,
    }
}

/// Sorting each stage by itself would not sort the whole.
fn cannot_sort<'c>(parts: &Parts, mut controls: impl Iterator<Item = Control<'c>>) -> Option<Refusal> {
    let critical = controls.any(|control| control.critical && orders(&control));
    (parts.are_several() && critical).then(|| Refusal {
        code: ResultCode::UNAVAILABLE_CRITICAL_EXTENSION,
        message: "cannot sort what a filter on protected attributes finds".to_owned(),
        reason: "control",
        missing: Vec::new(),
        asks: None,
    })
}

/// The page that a client asks for.
fn open_page<E>(
    parts: &Parts,
    critical: bool,
    asked: Result<PagedResults<'_>, E>,
    cursor: Option<Cursor>,
) -> Result<Page, Refusal> {
    let refusal = |code, message: &str| Refusal {
        code,
        message: message.to_owned(),
        reason: "paged results",
        missing: Vec::new(),
        asks: None,
    };
    let asked =
        asked.map_err(|_| refusal(ResultCode::PROTOCOL_ERROR, "the paged results control could not be decoded"))?;
    let search = parts.digest();
    let cursor = match cursor {
        None if asked.cookie.is_empty() => Some(Cursor::new(search)),
        // RFC 2696 3: all but the page and its size must be the same.
        found => found.filter(|cursor| cursor.is_of(&search)),
    };
    // Whatever is wrong with a cookie, it says no more than that.
    let cursor = cursor.ok_or_else(|| refusal(ResultCode::UNWILLING_TO_PERFORM, OLD_COOKIE))?;
    Ok(Page::new(cursor, asked.size, critical, asked.cookie.is_empty()))
}

/// The base of a search, where an alias there could lead to what is hidden.
fn alias_base(operation: &Operation) -> Option<&Dn> {
    match &operation.purpose {
        Purpose::Search { redacts } => redacts.as_ref()?.alias_base.as_ref(),
        Purpose::Relay | Purpose::Bind { .. } | Purpose::Identify(_) | Purpose::Sasl(_) => None,
    }
}

/// Whether an answer says that what an alias leads to is not there. Were it there and hidden, the search would find
/// nothing and say no more: so it says no more of what is not there, too.
pub(super) fn tells_through_alias(operation: &Operation, envelope: &Envelope<'_>, view: &ResultView<'_>) -> bool {
    let Some(base) = alias_base(operation) else { return false };
    match view.code {
        ResultCode::ALIAS_PROBLEM | ResultCode::ALIAS_DEREFERENCING_PROBLEM => true,
        // Where no alias was followed, what was found on the way lies above the base.
        ResultCode::NO_SUCH_OBJECT if !view.matched_dn.is_empty() => {
            Dn::parse(view.matched_dn).map_or(true, |matched| {
                // Of a vague name it is not known what lies above it.
                !base.is_within(&matched) || base.is_vague() || matched.is_vague()
            })
        }
        // That the directory sends controls says that there was a search. Pages are not answered here.
        ResultCode::SUCCESS if operation.entries == 0 => envelope.controls.is_some() || operation.expected().any(),
        _ => false,
    }
}
