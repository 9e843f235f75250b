//! What a record says of a request: operation, target, filter, names of attributes and controls. Never values.

use super::{ITEM_LIMIT, LIST_LIMIT, TEXT_LIMIT, json, ldap_text, list};
use crate::engine::ldap::attribute::AttributeDescription;
use crate::engine::ldap::control::Control;
use crate::engine::ldap::request::{
    Attribute, BindName, Change, ChangeKind, ExtendedRequest, RenameRequest, Request, SearchRequest, SearchScope,
};
use crate::engine::policy::Subject;

/// How much of a request a record keeps, in octets: it is in memory for as long as the operation is in flight.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// Of the name of an entry.
    name: usize,
    /// Of a filter's text, and of each list, about.
    list: usize,
}

impl Room {
    /// Of somebody without a name, who may have a thousand operations in flight on each connection, less is kept.
    pub(super) fn of(subject: &Subject) -> Room {
        match subject {
            Subject::Anonymous => Room { name: 1024, list: 512 },
            Subject::Dn(_) => Room { name: TEXT_LIMIT, list: LIST_LIMIT },
        }
    }
}

pub(super) const NOT_A_SEARCH: &[u8] = b",\"scope\":null,\"filter\":null,\"attributes\":null";

/// `operation target scope filter attributes`.
pub(super) fn write_request(out: &mut Vec<u8>, request: &Request<'_>, room: Room) {
    match request {
        Request::Search(search) => return write_search(out, search, room),
        Request::Bind(bind) => {
            operation(out, b"bind");
            match &bind.name {
                BindName::Dn(dn) => ldap_text::distinguished_name(out, dn.text().as_bytes(), room.name),
                BindName::Other(name) => ldap_text::distinguished_name(out, name, room.name),
            }
        }
        Request::Unbind => {
            operation(out, b"unbind");
            out.extend_from_slice(b"null");
        }
        Request::Modify(modify) => entry(out, b"modify", modify.entry.text(), room),
        Request::Add(add) => entry(out, b"add", add.entry.text(), room),
        Request::Delete(dn) => entry(out, b"delete", dn.text(), room),
        Request::Rename(rename) => entry(out, b"rename", rename.entry.text(), room),
        Request::Compare(compare) => {
            entry(out, b"compare", compare.entry.text(), room);
            out.extend_from_slice(b",\"scope\":null,\"filter\":null,\"attributes\":");
            return write_attributes(out, &[compare.attribute], room);
        }
        Request::Abandon(id) => {
            operation(out, b"abandon");
            out.push(b'"');
            json::signed(out, i64::from(id.0));
            out.push(b'"');
        }
        Request::Extended(extended) => write_extended(out, extended, room),
    }
    out.extend_from_slice(NOT_A_SEARCH);
}

fn operation(out: &mut Vec<u8>, name: &[u8]) {
    out.extend_from_slice(b",\"operation\":\"");
    out.extend_from_slice(name);
    out.extend_from_slice(b"\",\"target\":");
}

fn entry(out: &mut Vec<u8>, name: &[u8], dn: &str, room: Room) {
    operation(out, name);
    ldap_text::distinguished_name(out, dn.as_bytes(), room.name);
}

fn write_search(out: &mut Vec<u8>, search: &SearchRequest<'_>, room: Room) {
    entry(out, b"search", search.base.text(), room);
    out.extend_from_slice(match search.scope {
        SearchScope::Base => b",\"scope\":\"base\",\"filter\":",
        SearchScope::One => b",\"scope\":\"one\",\"filter\":",
        SearchScope::Subtree => b",\"scope\":\"subtree\",\"filter\":",
        SearchScope::Subordinate => b",\"scope\":\"subordinate\",\"filter\":",
    });
    ldap_text::filter(out, &search.filter, room.list);
    out.extend_from_slice(b",\"attributes\":");
    write_attributes(out, &search.attributes, room);
}

/// The target of an extended operation is its OID, but of a password change whose password it is
/// (`null`: the session's own).
fn write_extended(out: &mut Vec<u8>, extended: &ExtendedRequest<'_>, room: Room) {
    match extended {
        ExtendedRequest::Password { identity, old: _, new: _ } => {
            operation(out, b"password");
            match identity {
                Some(identity) => ldap_text::distinguished_name(out, identity, room.name),
                None => out.extend_from_slice(b"null"),
            }
        }
        ExtendedRequest::StartTls => extension(out, "1.3.6.1.4.1.1466.20037"),
        ExtendedRequest::WhoAmI => extension(out, "1.3.6.1.4.1.4203.1.11.3"),
        ExtendedRequest::Cancel(_) => extension(out, "1.3.6.1.1.8"),
        ExtendedRequest::Other { oid, value: _ } => extension(out, oid),
    }
}

fn extension(out: &mut Vec<u8>, oid: &str) {
    operation(out, b"extended");
    json::string(out, oid.as_bytes(), ITEM_LIMIT);
}

fn write_attributes(out: &mut Vec<u8>, attributes: &[AttributeDescription<'_>], room: Room) {
    list(out, room.list, attributes, |out, attribute| json::string(out, attribute.0, ITEM_LIMIT));
}

/// OIDs, a critical one followed by ` critical`. Never values.
pub(super) fn write_controls(out: &mut Vec<u8>, controls: &[Control<'_>], room: Room) {
    list(out, room.list, controls, |out, control| {
        json::string(out, control.oid.as_bytes(), ITEM_LIMIT);
        if control.critical {
            out.pop();
            out.extend_from_slice(b" critical\"");
        }
    });
}

/// What is written: kinds and attribute names, and where a rename leads. Never values.
pub(super) fn write_changes(out: &mut Vec<u8>, request: &Request<'_>, room: Room) {
    match request {
        Request::Modify(modify) => list(out, room.list, &modify.changes, |out, Change { kind, attribute }| {
            let kind: &[u8] = match kind {
                ChangeKind::Add => b"add ",
                ChangeKind::Delete => b"delete ",
                ChangeKind::Replace => b"replace ",
                ChangeKind::Increment => b"increment ",
            };
            change(out, kind, attribute);
        }),
        Request::Add(add) => list(out, room.list, &add.attributes, |out, attribute| change(out, b"add ", attribute)),
        Request::Rename(rename) => write_rename(out, rename, room),
        Request::Bind(_)
        | Request::Unbind
        | Request::Search(_)
        | Request::Delete(_)
        | Request::Compare(_)
        | Request::Abandon(_)
        | Request::Extended(_) => out.extend_from_slice(b"null"),
    }
}

fn change(out: &mut Vec<u8>, kind: &[u8], attribute: &Attribute<'_>) {
    out.push(b'"');
    out.extend_from_slice(kind);
    let start = out.len();
    json::string(out, attribute.description.0, ITEM_LIMIT);
    out.remove(start);
}

fn write_rename(out: &mut Vec<u8>, rename: &RenameRequest, room: Room) {
    let mut item = |start: &[u8], dn: &str| {
        out.extend_from_slice(start);
        let at = out.len();
        ldap_text::distinguished_name(out, dn.as_bytes(), room.name);
        out.remove(at);
    };
    item(b"[\"rename to ", rename.new_rdn.text());
    if let Some(parent) = &rename.new_superior {
        item(b",\"move to ", parent.text());
    }
    out.extend_from_slice(if rename.delete_old_rdn { b",\"delete old name\"]" } else { b"]" });
}
