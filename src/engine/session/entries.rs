//! The entries that a search brings: judged one by one, then dropped, passed on, changed, or kept for the next page.

use super::Effects;
use super::outstanding::{Operation, Purpose};
use super::pages::{Ahead, Page};
use super::upstream::pass;
use crate::engine::access::root_dse;
use crate::engine::ldap::entry::Entry;
use crate::engine::ldap::message::Envelope;
use crate::engine::ldap::{response, tag};
use crate::engine::redaction::Look;

/// Whether an entry was one too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counted {
    Within,
    OverTheLimit,
}

/// An entry as the client may see it.
enum Judged {
    No,
    AsItCame,
    /// Its new body, and how many attributes it lacks.
    Changed(Vec<u8>, u64),
}

/// What the permit says of an entry that a stage brought.
fn judge(operation: &mut Operation, stage: usize, body: &[u8]) -> Judged {
    let Purpose::Search { redacts: Some(redacts) } = &operation.purpose else { return Judged::AsItCame };
    // What cannot be read cannot be shown to be open.
    let look = match response::entry_name(body) {
        Ok(name) => operation.permit.redaction().look(&redacts.policy, stage, name),
        Err(_) => Look::Hidden,
    };
    let cut = match look {
        Look::Hidden => {
            operation.withheld += 1;
            return Judged::No;
        }
        Look::Elsewhere => return Judged::No,
        Look::Whole => return Judged::AsItCame,
        Look::Cut(cut) => Some(cut),
        Look::RootDse => None,
    };
    let Ok(mut found) = Entry::decode(body) else {
        operation.withheld += 1;
        return Judged::No;
    };
    let gone = match cut {
        Some(cut) => match cut.apply(&mut found) {
            0 => return Judged::AsItCame,
            gone => gone,
        },
        None => {
            root_dse::rewrite(&mut found, &redacts.policy, &redacts.directory);
            root_dse::rewrite_mechanisms(&mut found, redacts.offered);
            0
        }
    };
    let mut changed = Vec::with_capacity(body.len());
    found.write_body(&mut changed);
    Judged::Changed(changed, gone)
}

/// One entry of a search: dropped where it is hidden, else passed on, or kept for the next page.
pub(super) fn entry_found(operation: &mut Operation, envelope: &Envelope<'_>, fx: &mut Effects) -> Counted {
    let Purpose::Search { redacts: Some(_) } = &operation.purpose else {
        operation.entries += 1;
        if let Some(would) = &mut operation.would {
            would.see(envelope.body);
        }
        pass(operation, envelope, fx);
        return Counted::Within;
    };
    let mut stage = 0;
    if let Some(parts) = operation.parts_mut() {
        if let Some(trial) = &mut parts.trial {
            trial.found = true;
            return Counted::Within;
        }
        stage = parts.stage();
        let of_none = parts.page.as_ref().is_some_and(|page| page.is_farewell() || page.is_estimate());
        if parts.is_probe() || of_none {
            return Counted::Within;
        }
        if let Some(page) = &mut parts.page {
            page.receive(envelope.body.len());
        }
    }
    let judged = judge(operation, stage, envelope.body);
    if matches!(judged, Judged::No) {
        return Counted::Within;
    }
    if operation.is_over_the_limit() {
        return Counted::OverTheLimit;
    }
    if let Some(page) = operation.page_mut()
        && page.is_full()
    {
        let controls = envelope.controls.map(<[u8]>::to_vec);
        page.keep(Ahead { stage, body: envelope.body.to_vec(), controls });
        // Where the page is no longer full, all that was kept belongs to it.
        return if page.is_full() { Counted::Within } else { deliver_ahead(operation, fx) };
    }
    if operation.page_mut().is_some_and(|page| page.has_ahead())
        && deliver_ahead(operation, fx) == Counted::OverTheLimit
    {
        return Counted::OverTheLimit;
    }
    show(operation, &judged, envelope, fx);
    Counted::Within
}

/// Gives the client what was looked ahead, as far as it may see it now and the page has room.
pub(super) fn deliver_ahead(operation: &mut Operation, fx: &mut Effects) -> Counted {
    while let Some(entry) = operation.page_mut().and_then(Page::take_ahead) {
        let judged = judge(operation, entry.stage, &entry.body);
        if matches!(judged, Judged::No) {
            continue;
        }
        if operation.is_over_the_limit() {
            return Counted::OverTheLimit;
        }
        if let Some(page) = operation.page_mut()
            && page.is_full()
        {
            page.put_back(entry);
            break;
        }
        let (body, controls) = (entry.body.as_slice(), entry.controls.as_deref());
        // What was told beside it was asked for by another request.
        let controls = controls.filter(|_| operation.permit.redaction().dereferenced().is_some());
        let envelope = Envelope { id: 0, tag: tag::SEARCH_RESULT_ENTRY, body, controls };
        show(operation, &judged, &envelope, fx);
    }
    Counted::Within
}

fn show(operation: &mut Operation, judged: &Judged, envelope: &Envelope<'_>, fx: &mut Effects) {
    let body = match judged {
        Judged::No => return,
        Judged::AsItCame => envelope.body,
        Judged::Changed(body, gone) => {
            operation.cut += gone;
            body
        }
    };
    operation.entries += 1;
    if let Some(would) = &mut operation.would {
        would.see(envelope.body);
    }
    if let Some(page) = operation.page_mut() {
        page.give();
    }
    let told = envelope.controls.and_then(|controls| dereferenced_without_hidden(operation, controls));
    let controls = match &told {
        Some(told) => Some(told.as_slice()).filter(|told| !told.is_empty()),
        None => envelope.controls,
    };
    pass(operation, &Envelope { body, controls, ..*envelope }, fx);
}

/// The controls of an entry, without what a dereference control tells of hidden ones; `None`: as they came.
fn dereferenced_without_hidden(operation: &Operation, controls: &[u8]) -> Option<Vec<u8>> {
    let Purpose::Search { redacts: Some(redacts) } = &operation.purpose else { return None };
    operation.permit.redaction().dereferenced()?.rewrite_dereferenced(&redacts.policy, controls)
}
