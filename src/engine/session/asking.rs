//! What a session says of a role that an operation asks for, and what it is told of it.

use crate::engine::grant::index::ActiveGrants;
use crate::engine::ldap::Dn;
use crate::engine::ldap::request::{ExtendedRequest, Request};
use crate::engine::text::is_invisible;
use std::sync::Arc;

/// How much of what was done is told in a reason, in characters.
const MAX_DOING: usize = 500;

/// That a role is to be asked for, in the place of an operation that was done without it.
#[derive(Debug, Clone)]
pub struct Asking {
    /// By this number the session knows it: see [`Session::on_asked`].
    pub number: u64,
    /// Which role.
    pub role: Arc<str>,
    /// For whom: who asks.
    pub subject: Dn,
    /// The subject of the client certificate that showed who that is, where one did.
    pub certificate: Option<Dn>,
    /// Address and port of the client.
    pub from: String,
    /// What was done.
    pub reason: String,
    /// The grants on which it was refused.
    pub seen: Arc<ActiveGrants>,
}

/// What came of asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A request waits, and is durable.
    Waits {
        /// Its id.
        request: String,
    },
    /// A request was approved: the snapshot has what came of it.
    Granted {
        /// Its id.
        request: String,
    },
    /// A request ended, and nothing came of it; now, or a short while ago.
    Ended {
        /// Its id.
        request: String,
        /// How, in a few words: `denied`.
        how: &'static str,
        /// It was over before: nothing was asked for.
        before: bool,
    },
    /// It cannot be asked for.
    Refused {
        /// Why, for the client where it may know.
        why: String,
    },
    /// Too many operations wait already, of all sessions.
    TooMany,
}

/// What those who decide read: what was done, of bearable length, and without what could drive a terminal or turn
/// what stands around it.
pub(super) fn reason(request: &Request<'_>, from: &str) -> String {
    let (what, target) = match request {
        Request::Search(search) => ("search", search.base.text()),
        Request::Compare(compare) => ("compare", compare.entry.text()),
        Request::Add(add) => ("add", add.entry.text()),
        Request::Modify(modify) => ("modify", modify.entry.text()),
        Request::Delete(entry) => ("delete", entry.text()),
        Request::Rename(rename) => ("rename", rename.entry.text()),
        Request::Extended(ExtendedRequest::Password { .. }) => ("password", ""),
        Request::Extended(_) | Request::Bind(_) | Request::Unbind | Request::Abandon(_) => ("extended", ""),
    };
    let mut text = String::new();
    for letter in target.chars().take(MAX_DOING) {
        if !is_invisible(letter) {
            text.push(letter);
        } else {
            let mut octets = [0; 4];
            letter.encode_utf8(&mut octets).bytes().for_each(|octet| text.push_str(&format!("\\{octet:02x}")));
        }
    }
    let cut = if target.chars().nth(MAX_DOING).is_some() { "…" } else { "" };
    let space = if text.is_empty() { "" } else { " " };
    let address = from.rsplit_once(':').map_or(from, |(address, _)| address);
    format!("asked by doing: {what}{space}{text}{cut} from {address}")
}
