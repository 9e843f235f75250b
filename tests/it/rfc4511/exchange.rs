//! Tables of requests, one line a case: sent in one session straight to slapd and in one through the gate, which
//! must tell the same, and what the table says.

use crate::support::ldap::{Client, Entry, Message, tag};
use crate::support::target::{Target, both};

/// What it shows, with its section; the request; its controls; the outcome as [`Said::outcome`] writes it.
pub(super) type Row<'a> = (&'a str, Vec<u8>, Vec<Vec<u8>>, &'a str);

/// All that one request brought, but what servers word as they like.
#[derive(Debug, PartialEq)]
struct Said {
    what: String,
    entries: Vec<Entry>,
    references: usize,
    end: Option<End>,
}

#[derive(Debug, PartialEq)]
struct End {
    tag: u8,
    code: i32,
    matched: String,
    /// OIDs and values.
    controls: Vec<(String, Vec<u8>)>,
}

impl Said {
    /// The result code, then of each entry the first value of its name; `closed` where no answer came.
    fn outcome(&self) -> String {
        let Some(end) = &self.end else { return "closed".to_owned() };
        let mut out = end.code.to_string();
        for entry in &self.entries {
            let first = entry.dn.split(',').next().and_then(|rdn| rdn.split_once('=')).map_or("''", |(_, value)| value);
            out = format!("{out} {first}");
        }
        out
    }
}

/// Runs a table as Alice.
#[track_caller]
pub(super) fn agree(rows: &[Row<'_>]) {
    let (direct, gated) = both(|target| {
        let mut client = as_alice(target);
        rows.iter().map(|row| ask(target, &mut client, row)).collect::<Vec<_>>()
    });
    let mut wrong = Vec::new();
    for (row, (direct, gated)) in rows.iter().zip(direct.iter().zip(&gated)) {
        if direct.outcome() != row.3 {
            wrong.push(format!("{}: {} was expected, but straight: {direct:?}", row.0, row.3));
        }
        if direct != gated {
            wrong.push(format!("{}:\n  straight: {direct:?}\n  through the gate: {gated:?}", row.0));
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

fn as_alice(target: &Target) -> Client {
    let mut client = target.client();
    client.bind_as("alice");
    client
}

fn ask(target: &Target, client: &mut Client, (what, operation, controls, _): &Row<'_>) -> Said {
    let id = client.send(operation, controls);
    let mut said = Said { what: (*what).to_owned(), entries: Vec::new(), references: 0, end: None };
    while let Some(message) = client.receive() {
        match message.tag {
            _ if message.id == 0 => {}
            tag::ENTRY => said.entries.push(entry(&message)),
            tag::REFERENCE => said.references += 1,
            _ => {
                assert_eq!(message.id, id, "{what}: {message:?}");
                // RFC 4511 4.2 to 4.12: each request has a response of its own.
                let own = match operation[0] {
                    tag::SEARCH => tag::SEARCH_DONE,
                    tag::DELETE => 0x6b,
                    request => request + 1,
                };
                assert_eq!(message.tag, own, "{what}: {message:?}");
                said.entries.sort_by(|a, b| a.dn.cmp(&b.dn));
                let answer = message.answer();
                let (code, matched, controls) = (answer.code, answer.matched, message.controls);
                said.end = Some(End { tag: message.tag, code, matched, controls });
                return said;
            }
        }
    }
    *client = as_alice(target);
    said
}

/// Attributes and values are sets (RFC 4511 4.1.7); what changes with the clock is left out.
fn entry(message: &Message) -> Entry {
    let mut entry = message.entry();
    let changing = ["entryUUID", "entryCSN", "createTimestamp", "modifyTimestamp", "contextCSN", "pwdChangedTime"];
    entry.attributes.retain(|(name, _)| !changing.contains(&name.as_str()) && name != "userPassword");
    entry.attributes.iter_mut().for_each(|(_, values)| values.sort());
    entry.attributes.sort();
    entry
}
