//! What of a record is known only after it was begun.

use super::{TEXT_LIMIT, Verdict, verdict::write_verdict};
use crate::engine::audit::{json, ldap_text};
use crate::engine::grant::index::ActiveGrant;
use crate::engine::ldap::Dn;
use std::borrow::Borrow;

/// Writes again, into the first part of a bind, who that was and what was decided: it was not known before
/// the directory had said it.
pub fn amend<'a, R, G>(line: &mut Vec<u8>, name: &Dn, verdict: Verdict<'a, R, G>)
where
    R: IntoIterator<Item = &'a str>,
    G: IntoIterator<Item: Borrow<ActiveGrant>, IntoIter: Clone>,
{
    const TARGET: &[u8] = b",\"target\":";
    const SCOPE: &[u8] = b",\"scope\":";
    const DECISION: &[u8] = b",\"decision\":\"";
    // Quotes inside values are escaped, so these octets stand only where the members themselves are.
    let find = |line: &[u8], member: &[u8]| line.windows(member.len()).position(|window| window == member);
    if let Some(at) = find(line, DECISION) {
        line.truncate(at);
    }
    if let (Some(target), Some(scope)) = (find(line, TARGET), find(line, SCOPE)) {
        let mut text = Vec::new();
        ldap_text::distinguished_name(&mut text, name.text().as_bytes(), TEXT_LIMIT);
        line.splice(target + TARGET.len()..scope, text);
    }
    write_verdict(line, verdict);
}

/// Writes into the first part of a refused operation what was asked for in its place: the role, and the request that
/// was made. There is no grant.
pub fn name_asked(line: &mut Vec<u8>, role: &str, request: Option<&str>) {
    const NOTHING: &[u8] = b",\"role\":null,\"grant\":null,\"request\":null,\"standing\":null,\"break_glass\":false";
    let (Some(request), true) = (request, line.ends_with(NOTHING)) else { return };
    line.truncate(line.len() - NOTHING.len());
    line.extend_from_slice(b",\"role\":");
    json::string(line, role.as_bytes(), TEXT_LIMIT);
    line.extend_from_slice(b",\"grant\":null,\"request\":");
    json::string(line, request.as_bytes(), TEXT_LIMIT);
    line.extend_from_slice(b",\"standing\":null,\"break_glass\":false");
}
