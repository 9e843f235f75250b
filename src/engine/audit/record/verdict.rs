//! What was decided, and on what it rests, in a record.

use super::{ITEM_LIMIT, LIST_LIMIT, TEXT_LIMIT, Verdict, json, list, optional};
use crate::engine::grant::index::ActiveGrant;
use std::borrow::Borrow;

pub(super) fn write_verdict<'a, R, G>(out: &mut Vec<u8>, verdict: Verdict<'a, R, G>)
where
    R: IntoIterator<Item = &'a str>,
    G: IntoIterator<Item: Borrow<ActiveGrant>, IntoIter: Clone>,
{
    out.extend_from_slice(b",\"decision\":\"");
    out.extend_from_slice(verdict.decision.as_bytes());
    out.extend_from_slice(b"\",\"reason\":");
    optional(out, verdict.reason.map(str::as_bytes));
    out.extend_from_slice(b",\"resources\":[");
    for (position, name) in verdict.resources.into_iter().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        json::string(out, name.as_bytes(), ITEM_LIMIT);
    }
    out.push(b']');
    let grants = verdict.grants.into_iter();
    write_joined(out, b",\"role\":", grants.clone(), |grant| &grant.role);
    write_joined(out, b",\"grant\":", grants.clone(), |grant| &grant.id);
    write_joined(out, b",\"request\":", grants.clone(), |grant| &grant.request);
    out.extend_from_slice(b",\"standing\":");
    list(out, LIST_LIMIT, verdict.standing, |out, (resource, reason)| {
        json::string(out, resource.as_bytes(), ITEM_LIMIT);
        out.pop();
        out.extend_from_slice(b": ");
        let start = out.len();
        json::string(out, reason.as_bytes(), TEXT_LIMIT);
        out.remove(start);
    });
    let broke: &[u8] = if grants.into_iter().any(|grant| grant.borrow().break_glass) { b"true" } else { b"false" };
    out.extend_from_slice(b",\"break_glass\":");
    out.extend_from_slice(broke);
}

fn write_joined<B: Borrow<ActiveGrant>>(
    out: &mut Vec<u8>,
    field: &[u8],
    grants: impl Iterator<Item = B>,
    part: impl Fn(&ActiveGrant) -> &str,
) {
    out.extend_from_slice(field);
    let mut none = true;
    for grant in grants {
        out.push(if none { b'"' } else { b',' });
        none = false;
        json::text(out, part(grant.borrow()).as_bytes());
    }
    out.extend_from_slice(if none { b"null" } else { b"\"" });
}
