//! Searches in pages (RFC 2696) of which something is taken out. Knows no redaction and sends nothing.
//!
//! What is hidden is not felt in how full a page is, in whether there is another, in cookies or in the estimate. So
//! pages are filled up from as many of the directory's as it takes, and one entry is looked for beyond a full one.
//! It is kept as it came, to be judged when the next page is asked for.

use super::parts::Next;
use crate::engine::ldap::ResultCode;
use crate::engine::ldap::control::{self, oid};
use crate::engine::ldap::paged::PagedResults;
use std::collections::VecDeque;

/// Searches in pages that a session may have begun and not ended; the oldest is forgotten for one more.
const MAX_CURSORS: usize = 8;
/// While no more than this is looked ahead, in octets, more than one entry may be asked for.
const AHEAD_BYTES: usize = 256 * 1024;
/// What was looked ahead beyond this goes to the client with the page that it came with.
const MAX_AHEAD_BYTES: usize = 1024 * 1024;
/// What every cookie of ours begins with, so that none is one of the directory's.
const COOKIE: &[u8] = b"tidegate";

/// A page on its way to the client.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) cursor: Cursor,
    /// How many entries the client wants; 0: no more of them.
    size: u32,
    critical: bool,
    /// It is the first one.
    begins: bool,
    /// It is the first one and of no entries, and the directory has answered it.
    is_answered: bool,
    /// How many it got.
    given: u32,
    /// How many the directory was asked for, and sent since.
    asked: u32,
    received: u32,
    /// Whether the directory's page brought any that is shown.
    fresh: bool,
    /// How many more to ask for than are missing: where much is hidden, less would take long.
    extra: u32,
    /// The largest entry that the directory sent, in octets.
    largest: usize,
    /// The directory does not know pages: it sends everything, and so does the gate.
    pub(super) unpaged: bool,
    /// There was no room to keep more: the rest of what the directory was asked for goes with this page.
    overflows: bool,
}

impl Page {
    /// `begins`: it came without a cookie.
    pub(super) fn new(cursor: Cursor, size: u32, critical: bool, begins: bool) -> Page {
        Page {
            cursor,
            size,
            critical,
            begins,
            is_answered: false,
            given: 0,
            asked: 0,
            received: 0,
            fresh: false,
            extra: 0,
            largest: 0,
            unpaged: false,
            overflows: false,
        }
    }

    /// Whether the client only says that it wants no more.
    pub(super) fn is_farewell(&self) -> bool {
        self.size == 0 && !self.begins
    }

    /// Whether it is a first page of no entries, by which clients ask for an estimate. They get none, and a cookie whether or
    /// not anything is found.
    pub(super) fn is_estimate(&self) -> bool {
        self.size == 0 && self.begins
    }

    /// Whether what comes now is for a later page.
    pub(super) fn is_full(&self) -> bool {
        self.given >= self.size && !self.unpaged && !self.overflows
    }

    /// Where the search stands.
    pub(super) fn next(&self) -> Next {
        match self.cursor.end {
            None if self.is_answered => Next::Another,
            _ if self.is_full() && !self.cursor.ahead.is_empty() => Next::Another,
            Some(code) => Next::End(code),
            None => Next::Ask,
        }
    }

    /// The directory has answered; the search has so many stages.
    pub(super) fn answered(&mut self, code: ResultCode, controls: Option<&[u8]>, stages: usize) {
        let cursor = &mut self.cursor;
        let controls = controls.and_then(|content| control::decode_controls(content).ok()).unwrap_or_default();
        cursor.others.clear();
        let others: Vec<_> = controls.iter().filter(|control| control.oid != oid::PAGED_RESULTS).copied().collect();
        control::write_controls(&mut cursor.others, &others);
        let answer =
            controls.iter().find(|control| control.oid == oid::PAGED_RESULTS).and_then(|control| control.value);
        let cookie = answer.and_then(|value| PagedResults::decode(value).ok()).map_or(&b""[..], |answer| answer.cookie);
        if self.size == 0 && self.begins && code == ResultCode::SUCCESS {
            self.is_answered = true;
        } else if code != ResultCode::SUCCESS || self.size == 0 {
            cursor.end = Some(code);
        } else if !cookie.is_empty() {
            cursor.upstream = cookie.to_vec();
            self.extra = if self.fresh { 0 } else { self.extra.saturating_mul(2).max(1) };
        } else if cursor.at + 1 < stages {
            cursor.at += 1;
            cursor.upstream.clear();
        } else {
            cursor.end = Some(ResultCode::SUCCESS);
        }
    }

    /// Appends the control that asks the directory for a page.
    pub(super) fn write_control(&mut self, out: &mut Vec<u8>) {
        let asked = PagedResults { size: self.ask(), cookie: &self.cursor.upstream };
        asked.write_control(out, self.critical);
    }

    /// How many to ask for: never more than the client did, for the directory may have a limit.
    fn ask(&mut self) -> u32 {
        let room = u32::try_from(AHEAD_BYTES / self.largest.max(1)).unwrap_or(u32::MAX);
        let missing = self.size.saturating_sub(self.given).max(1);
        self.asked = missing.saturating_add(self.extra.min(room)).min(self.size);
        self.received = 0;
        self.fresh = false;
        self.overflows = false;
        self.asked
    }

    /// The directory sent an entry of so many octets.
    pub(super) fn receive(&mut self, octets: usize) {
        self.received = self.received.saturating_add(1);
        self.largest = self.largest.max(octets);
        self.unpaged |= self.received > self.asked && self.size > 0;
    }

    /// The client got one.
    pub(super) fn give(&mut self) {
        self.given = self.given.saturating_add(1);
        self.fresh = true;
        self.cursor.shown += 1;
    }

    /// Keeps one for later. Where there is no room for more, all go with this page.
    pub(super) fn keep(&mut self, entry: Ahead) {
        self.fresh = true;
        self.cursor.ahead_bytes += entry.octets();
        self.cursor.ahead.push_back(entry);
        self.overflows = self.cursor.ahead.len() > 1 && self.cursor.ahead_bytes > MAX_AHEAD_BYTES;
    }

    /// Whether any was kept.
    pub(super) fn has_ahead(&self) -> bool {
        !self.cursor.ahead.is_empty()
    }

    /// The next one that was kept.
    pub(super) fn take_ahead(&mut self) -> Option<Ahead> {
        let entry = self.cursor.ahead.pop_front()?;
        self.cursor.ahead_bytes -= entry.octets();
        Some(entry)
    }

    /// Puts one back that was taken too early.
    pub(super) fn put_back(&mut self, entry: Ahead) {
        self.cursor.ahead_bytes += entry.octets();
        self.cursor.ahead.push_front(entry);
    }
}

/// Where a search in pages stands.
#[derive(Debug)]
pub(super) struct Cursor {
    /// Which search.
    search: [u8; 32],
    /// Which of its stages.
    pub(super) at: usize,
    /// The directory's cookie.
    upstream: Vec<u8>,
    /// Entries that the client has not got yet, as they came.
    ahead: VecDeque<Ahead>,
    ahead_bytes: usize,
    /// How many the client has got, on all pages.
    pub(super) shown: u64,
    /// The directory has no more: how it ended.
    end: Option<ResultCode>,
    /// Other controls of the directory's last answer.
    pub(super) others: Vec<u8>,
}

impl Cursor {
    /// At the beginning.
    pub(super) fn new(search: [u8; 32]) -> Cursor {
        Cursor {
            search,
            at: 0,
            upstream: Vec::new(),
            ahead: VecDeque::new(),
            ahead_bytes: 0,
            shown: 0,
            end: None,
            others: Vec::new(),
        }
    }

    /// Whether it is one of this search.
    pub(super) fn is_of(&self, search: &[u8; 32]) -> bool {
        self.search == *search
    }

    /// Whether the directory was asked to go on.
    pub(super) fn is_continued(&self) -> bool {
        !self.upstream.is_empty()
    }

    /// Whether the directory has kept something for it.
    pub(super) fn is_begun(&self) -> bool {
        !self.upstream.is_empty() && self.end.is_none()
    }
}

/// An entry for a later page: to be judged when that is asked for.
#[derive(Debug)]
pub(super) struct Ahead {
    pub(super) stage: usize,
    pub(super) body: Vec<u8>,
    pub(super) controls: Option<Vec<u8>>,
}

impl Ahead {
    fn octets(&self) -> usize {
        self.body.len() + self.controls.as_ref().map_or(0, Vec::len)
    }
}

/// The searches in pages that a session has begun. A cookie is a number and opens nothing but one of these:
/// those of others, forged ones and those that were used meet nothing.
#[derive(Debug, Default)]
pub(super) struct Cursors {
    open: VecDeque<(u64, Cursor)>,
    last: u64,
}

impl Cursors {
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.open.clear();
    }

    /// How many octets are kept of entries that were looked ahead.
    pub(super) fn octets(&self) -> usize {
        self.open.iter().map(|(_, cursor)| cursor.ahead_bytes).sum()
    }

    /// Keeps one and gives it a cookie.
    pub(super) fn keep(&mut self, cursor: Cursor) -> [u8; 16] {
        if self.open.len() >= MAX_CURSORS {
            self.open.pop_front();
        }
        self.last += 1;
        self.open.push_back((self.last, cursor));
        let mut cookie = [0; 16];
        let (name, number) = cookie.split_at_mut(COOKIE.len());
        name.copy_from_slice(COOKIE);
        number.copy_from_slice(&self.last.to_be_bytes());
        cookie
    }

    /// Each is good once.
    pub(super) fn take(&mut self, cookie: &[u8]) -> Option<Cursor> {
        let number = cookie.strip_prefix(COOKIE)?.try_into().ok().map(u64::from_be_bytes)?;
        let at = self.open.iter().position(|(known, _)| *known == number)?;
        self.open.remove(at).map(|(_, cursor)| cursor)
    }
}
