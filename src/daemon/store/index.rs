//! What records are listed by: kind, person and role in the order of time; what has not ended; what ended when. Both
//! stores keep these lists with the records, in the same commit.

use super::Record;
use super::record::Document;
use crate::engine::grant::history::Identity;
use crate::engine::grant::lifecycle::{Grant, GrantState};
use crate::engine::ldap::Dn;
use crate::engine::workflow::{Request, RequestState};
use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};

/// Of what is in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Requests, by when they were made.
    Requests,
    /// Grants, by when they begin.
    Grants,
}

/// A name by which records are found that are somebody's: one that may be the same person's finds them, too.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Person([u8; 16]);

impl Person {
    /// Of a DN.
    pub fn of(dn: &Dn) -> Person {
        // As it is read without any schema, which may change while the store stays.
        Person(Dn::parse(dn.text().as_bytes()).map_or_else(|_| short(dn.key()), |plain| short(plain.key())))
    }
}

/// A list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum List {
    /// What has not ended: what a start reads. By id.
    Live,
    /// What has ended and is not in the archive, by when it ended.
    Ended,
    /// All of a kind.
    All {
        /// Which.
        kind: Kind,
        /// In the archive, or not.
        archived: bool,
    },
    /// Those that a person requested or holds.
    Of {
        /// Whose.
        person: Person,
        /// Which.
        kind: Kind,
        /// In the archive, or not.
        archived: bool,
    },
    /// Those of a role.
    Role {
        /// Its name.
        role: String,
        /// Which.
        kind: Kind,
        /// In the archive, or not.
        archived: bool,
    },
}

/// An entry of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// By what it is sorted.
    pub key: Vec<u8>,
    /// The record's id.
    pub id: String,
    /// In which state the record is.
    pub state: Indexed,
}

/// The state of a record, as far as lists know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Indexed {
    /// A request's.
    Request(RequestState),
    /// A grant's.
    Grant(GrantState),
    /// Of something else.
    Other,
}

/// Octets of a time within a key.
const TIME: usize = 12;

impl List {
    /// What the keys of the list's entries begin with.
    pub(super) fn prefix(&self) -> Vec<u8> {
        let (tag, name, kind, archived) = match self {
            List::Live => return vec![b'L'],
            List::Ended => return vec![b'E'],
            List::All { kind, archived } => (b'A', [0; 16], kind, archived),
            List::Of { person, kind, archived } => (b'P', person.0, kind, archived),
            List::Role { role, kind, archived } => (b'R', short(role.as_bytes()), kind, archived),
        };
        let kind = match kind {
            Kind::Requests => b'q',
            Kind::Grants => b'g',
        };
        let archived = if *archived { b'a' } else { b'h' };
        [&[tag, archived, kind][..], &name].concat()
    }

    /// The key of an entry: of this time (of none, in [`List::Live`]) and id.
    pub fn key(at: Option<DateTime<Utc>>, id: &str) -> Vec<u8> {
        let time = at.map(|at| {
            // Before 1970 sorts before, too.
            let seconds = (at.timestamp() as u64) ^ (1 << 63);
            [&seconds.to_be_bytes()[..], &at.timestamp_subsec_nanos().to_be_bytes()].concat()
        });
        [time.unwrap_or_default().as_slice(), id.as_bytes()].concat()
    }

    /// An entry as a store has it, without the prefix.
    pub(super) fn entry(&self, key: &[u8], state: &[u8]) -> Listed {
        let id = match self {
            List::Live => Some(key),
            List::Ended | List::All { .. } | List::Of { .. } | List::Role { .. } => key.get(TIME..),
        };
        let id = String::from_utf8_lossy(id.unwrap_or_default()).into_owned();
        Listed { key: key.to_vec(), id, state: Indexed::read(state.first().copied()) }
    }
}

impl Indexed {
    fn octet(self) -> u8 {
        match self {
            Indexed::Other => 0,
            Indexed::Request(RequestState::Pending) => 1,
            Indexed::Request(RequestState::Approved) => 2,
            Indexed::Request(RequestState::Denied) => 3,
            Indexed::Request(RequestState::Cancelled) => 4,
            Indexed::Request(RequestState::Lapsed) => 5,
            Indexed::Grant(GrantState::Scheduled) => 6,
            Indexed::Grant(GrantState::Active) => 7,
            Indexed::Grant(GrantState::Expired) => 8,
            Indexed::Grant(GrantState::Released) => 9,
            Indexed::Grant(GrantState::Revoked) => 10,
        }
    }

    fn read(octet: Option<u8>) -> Indexed {
        match octet {
            Some(1) => Indexed::Request(RequestState::Pending),
            Some(2) => Indexed::Request(RequestState::Approved),
            Some(3) => Indexed::Request(RequestState::Denied),
            Some(4) => Indexed::Request(RequestState::Cancelled),
            Some(5) => Indexed::Request(RequestState::Lapsed),
            Some(6) => Indexed::Grant(GrantState::Scheduled),
            Some(7) => Indexed::Grant(GrantState::Active),
            Some(8) => Indexed::Grant(GrantState::Expired),
            Some(9) => Indexed::Grant(GrantState::Released),
            Some(10) => Indexed::Grant(GrantState::Revoked),
            Some(_) | None => Indexed::Other,
        }
    }
}

/// Where a record is listed: whole keys, each with the octet of its state. What is no document of ours is listed so
/// that a start finds it, and says so.
pub(super) fn entries(record: &Record, archived: bool) -> Vec<(Vec<u8>, u8)> {
    match Document::from_record(record.clone()) {
        Ok(document) => of_document(&document, archived),
        Err(_) => vec![(whole(&List::Live, None, &record.id), Indexed::Other.octet())],
    }
}

fn of_document(document: &Document, archived: bool) -> Vec<(Vec<u8>, u8)> {
    let (lists, at, id, state, ended) = match document {
        Document::Request(request) => of_request(request, archived),
        Document::Grant(grant) => of_grant(grant, archived),
        // Lifted ones are few, and a start needs to know only those in force.
        Document::Lock(lock) if !lock.locked => return Vec::new(),
        Document::Lock(_) | Document::Notification(_) => {
            return vec![(whole(&List::Live, None, document.id()), Indexed::Other.octet())];
        }
    };
    let mut entries: Vec<_> = lists.iter().map(|list| (whole(list, Some(at), id), state.octet())).collect();
    entries.extend(match ended {
        Some(ended) if !archived => Some((whole(&List::Ended, Some(ended), id), state.octet())),
        Some(_) => None,
        None => Some((whole(&List::Live, None, id), state.octet())),
    });
    entries
}

type Places<'a> = (Vec<List>, DateTime<Utc>, &'a str, Indexed, Option<DateTime<Utc>>);

fn of_request(request: &Request, archived: bool) -> Places<'_> {
    let last = request.history.last().map_or(request.created, |entry| entry.at);
    let ended = (request.state != RequestState::Pending).then_some(last);
    let lists = lists(&request.requested_by, &request.subject, &request.role, Kind::Requests, archived);
    (lists, request.created, &request.id, Indexed::Request(request.state), ended)
}

fn of_grant(grant: &Grant, archived: bool) -> Places<'_> {
    // One that an auditor has to look at is not over.
    let over = grant.state.is_end() && !grant.is_unsigned();
    let ended = over.then(|| grant.ended.unwrap_or(grant.until));
    let lists = lists(&grant.requested_by, &grant.subject, &grant.role, Kind::Grants, archived);
    (lists, grant.from, &grant.id, Indexed::Grant(grant.state), ended)
}

fn lists(by: &Identity, subject: &Dn, role: &str, kind: Kind, archived: bool) -> Vec<List> {
    let mut people: Vec<Person> = by.dn.iter().chain([subject]).map(Person::of).collect();
    people.sort();
    people.dedup();
    let own = people.into_iter().map(|person| List::Of { person, kind, archived });
    [List::All { kind, archived }, List::Role { role: role.to_owned(), kind, archived }]
        .into_iter()
        .chain(own)
        .collect()
}

fn whole(list: &List, at: Option<DateTime<Utc>>, id: &str) -> Vec<u8> {
    [list.prefix(), List::key(at, id)].concat()
}

fn short(octets: &[u8]) -> [u8; 16] {
    let digest: [u8; 32] = Sha256::digest(octets).into();
    let mut out = [0; 16];
    out.iter_mut().zip(digest).for_each(|(to, octet)| *to = octet);
    out
}
