//! A session in a world that is against it: any order of messages, answers, losses, grants and clocks.
//!
//! The directory here is the worst there is: a bind that fails leaves its connection bound as before,
//! and searches are answered with entries from everywhere. What must hold all the same: (1) the directory
//! is asked as the one whom the session says it is; (2) nothing protected is asked for or shown unless a
//! grant is active at that instant; (3) ids towards the directory rise, and the client gets at most one
//! final answer to each message; (4) octets in either direction are whole messages; (5) when a grant has ended, nothing that
//! depends on it waits, for the directory or for a client that does not read, and no write is left with the directory.

#[path = "session_frames.rs"]
mod frames;
#[path = "session_role.rs"]
mod role;

use frames::{bind, each, search};
use std::sync::Arc;
use std::time::Duration;
use tidegate::engine::Now;
use tidegate::engine::access::{DirectoryFacts, Snapshot};
use tidegate::engine::grant::index::{ActiveGrant, ActiveGrants, Opening};
use tidegate::engine::ldap::control::{Control, decode_controls};
use tidegate::engine::ldap::entry::Entry;
use tidegate::engine::ldap::message::{self, ClientMessageId, Envelope, UpstreamMessageId};
use tidegate::engine::ldap::paged::PagedResults;
use tidegate::engine::ldap::request::{BindName, BindRequest, ExtendedRequest, Request};
use tidegate::engine::ldap::{Dn, ResultCode, response, tag};
use tidegate::engine::policy::resource::{Resource, ResourceIndex, ResourceScope};
use tidegate::engine::policy::{Mode, OperationKind, OperationSet, Policy, RefusalStyle, Subject};
use tidegate::engine::session::{Answer, Effects, Flow, Origin, Session};

const PAYROLL: &str = "ou=payroll,dc=example,dc=com";
const NAMES: [&str; 4] =
    ["", "uid=alice,ou=people,dc=example,dc=com", "uid=bob,ou=people,dc=example,dc=com", "cn=robot,dc=example,dc=com"];
const BASES: [&str; 4] =
    ["dc=example,dc=com", PAYROLL, "OU=Pay\\72oll, DC=Example,dc=com", "cn=1,ou=payroll,dc=example,dc=com"];

/// One connection to the directory.
#[derive(Default)]
struct Connection {
    bound_as: String,
    /// Id, request tag, and for binds the name.
    asked: Vec<(i32, u8, String)>,
}

struct World {
    session: Session,
    fx: Effects,
    snapshot: Snapshot,
    now: Now,
    connecting: bool,
    connection: Option<Connection>,
    last_id: i32,
    /// The client's message that waits.
    held: Option<Vec<u8>>,
    /// Ids that the client may still be answered, one for each message.
    open: Vec<i32>,
    /// The client does not read.
    stalled: bool,
    grants: u32,
    /// The last that the session gave.
    cookie: Vec<u8>,
    /// Numbers under which a role was asked for.
    asked: Vec<u64>,
}

/// Each octet is a step, the bits above the kind its argument.
pub fn session_steps(data: &[u8]) {
    let mut world = World::new();
    for octet in data.iter().take(512) {
        if world.session.is_closed() {
            break;
        }
        world.step(octet & 15, usize::from(octet >> 4));
        world.settle();
    }
}

fn dn(text: &str) -> Dn {
    Dn::parse(text.as_bytes()).expect("a name")
}

impl World {
    fn new() -> World {
        let resource = |name: &str, base: &str, operations| Resource {
            name: name.into(),
            base: dn(base),
            scope: ResourceScope::Subtree,
            operations,
            attributes: None,
            on_missing: None,
        };
        let robot = [OperationKind::Bind].into_iter().collect();
        let resources = vec![resource("payroll", PAYROLL, OperationSet::all()), resource("robot", NAMES[3], robot)];
        let directory = DirectoryFacts { naming_contexts: vec![dn("dc=example,dc=com")], ..DirectoryFacts::default() };
        let snapshot = Snapshot {
            policy: Arc::new(Policy::new(
                Mode::Enforce,
                RefusalStyle::Explain,
                resources,
                vec![],
                vec![Arc::new(role::held(dn(NAMES[1])))],
            )),
            grants: Arc::new(ActiveGrants::new()),
            groups: Arc::default(),
            directory: Arc::new(directory),
            recording: true,
            rates: Arc::default(),
            trials: Arc::default(),
        };
        let mut session =
            Session::new(Origin { session: "s".to_owned(), connection_from: "192.0.2.1:1".to_owned(), tls: None });
        session.tls_established("TLSv1.3".to_owned());
        let wall = chrono::DateTime::from_timestamp(1_800_000_000, 0).expect("a time");
        World {
            session,
            fx: Effects::default(),
            snapshot,
            now: Now { wall, monotonic: Duration::from_secs(100) },
            connecting: false,
            connection: None,
            last_id: 0,
            held: None,
            open: Vec::new(),
            stalled: false,
            grants: 0,
            cookie: Vec::new(),
            asked: Vec::new(),
        }
    }

    fn step(&mut self, kind: u8, argument: usize) {
        let id = i32::try_from(argument).expect("small") + 1;
        match kind {
            0 => self.client(id, &search(BASES[argument % 4])),
            1 => self.page(id, argument),
            2 | 3 => self.client(id, &bind(NAMES[argument % 4])),
            4 => self.client(id, &Request::Delete(dn(BASES[argument % 4]))),
            5 => self.client(id, &Request::Abandon(ClientMessageId(id ^ 1))),
            6 => self.client(id, &Request::Extended(ExtendedRequest::Cancel(ClientMessageId(id ^ 1)))),
            7 if argument.is_multiple_of(2) => self.client(id, &Request::Extended(ExtendedRequest::WhoAmI)),
            7 => self.asked(argument / 2),
            8 => self.answer(argument, 0),
            9 => self.answer(argument, 49),
            10 | 11 => self.entry(argument),
            12 if argument == 13 => self.stalled = !self.stalled,
            12 => self.connected(!argument.is_multiple_of(4)),
            13 if argument.is_multiple_of(4) && self.connection.take().is_some() => {
                self.session.on_upstream_lost(self.now, &mut self.fx);
            }
            13 => self.retry(),
            14 => self.grant_or_revoke(argument),
            _ => self.later(argument),
        }
    }

    /// A search in pages: from the beginning, or with the last cookie that the session gave, or one that is made up.
    fn page(&mut self, id: i32, argument: usize) {
        let cookie = match argument % 4 {
            0 | 1 => self.cookie.clone(),
            2 => Vec::new(),
            _ => b"tidegate\0\0\0\0\0\0\0\x01".to_vec(),
        };
        let size = u32::try_from(argument % 3).expect("small") + u32::from(argument != 15);
        let mut controls = Vec::new();
        PagedResults { size, cookie: &cookie }.write_control(&mut controls, true);
        let controls = decode_controls(&controls).expect("our own");
        self.with_controls(id, &search(BASES[argument % 2]), &controls);
    }

    fn client(&mut self, id: i32, request: &Request<'_>) {
        self.with_controls(id, request, &[]);
    }

    fn with_controls(&mut self, id: i32, request: &Request<'_>, controls: &[Control<'_>]) {
        if self.held.is_some() {
            return self.retry();
        }
        let mut frame = Vec::new();
        message::write_request(&mut frame, UpstreamMessageId(id), request, controls);
        self.hand_over(frame);
    }

    fn retry(&mut self) {
        if let Some(frame) = self.held.take() {
            self.hand_over(frame);
        }
    }

    fn hand_over(&mut self, frame: Vec<u8>) {
        let before = self.fx.to_upstream.len();
        let flow = self.session.on_client(&frame, false, &self.snapshot, self.now, &mut self.fx);
        if flow == Flow::Wait {
            assert_eq!(self.fx.to_upstream.len(), before, "what waits has no effect");
            self.held = Some(frame);
            return;
        }
        let envelope = Envelope::parse_request(&frame).expect("our own");
        if tag::response_to(envelope.tag).is_some() {
            self.open.push(envelope.id);
        }
        self.check_permitted(before.min(self.fx.to_upstream.len()));
    }

    /// What was just put on its way: only what is open to the subject at this instant.
    fn check_permitted(&self, from: usize) {
        each(&self.fx.to_upstream[from..], |envelope| {
            let request = Request::decode(&envelope).expect("canonical");
            let touched = match &request {
                Request::Search(search) => Some(&search.base),
                Request::Delete(entry) => Some(entry),
                _ => None,
            };
            if touched.is_some_and(|name| name.is_within(&dn(PAYROLL))) {
                assert!(self.may_see_payroll(), "{request:?} as {:?}", self.session.subject());
            }
        });
    }

    fn may_see_payroll(&self) -> bool {
        match self.session.subject() {
            Subject::Anonymous => false,
            Subject::Dn(name) => self.snapshot.grants.get(name).any(|grant| grant.is_active(self.now)),
        }
    }

    fn any_grant_is_active(&self) -> bool {
        NAMES.iter().any(|name| self.snapshot.grants.get(&dn(name)).any(|grant| grant.is_active(self.now)))
    }

    /// Tells the session what came of asking for a role.
    fn asked(&mut self, argument: usize) {
        let Some(number) = self.asked.get(argument % self.asked.len().max(1)).copied() else { return };
        let request = "req-1".to_owned();
        let answer = match argument % 4 {
            0 => Answer::Waits { request },
            1 => Answer::Granted { request },
            2 => Answer::Ended { request, how: "denied", before: false },
            _ => Answer::TooMany,
        };
        let before = self.fx.to_upstream.len();
        self.session.on_asked(number, answer, &self.snapshot, self.now, &mut self.fx);
        self.check_permitted(before);
    }

    /// Grants or time have changed: what waits may go on.
    fn changed(&mut self) {
        self.session.on_change(&self.snapshot, self.now, &mut self.fx);
        self.check_permitted(0);
        if self.fx.drop_upstream {
            return;
        }
        let asked = self.connection.iter().flat_map(|connection| &connection.asked);
        for (_, _, entry) in asked.filter(|asked| asked.1 == tag::DELETE_REQUEST) {
            assert!(!dn(entry).is_within(&dn(PAYROLL)) || self.may_see_payroll(), "{entry} may still be deleted");
        }
        let open = self.any_grant_is_active();
        each(&self.fx.to_client, |envelope| {
            if envelope.tag == tag::SEARCH_RESULT_ENTRY {
                let name = Dn::parse(response::entry_name(envelope.body).expect("ours")).expect("ours");
                assert!(open || !name.is_within(&dn(PAYROLL)), "{name:?} waits for the client");
            }
        });
    }

    /// Performs the effects, in the driver's order.
    fn settle(&mut self) {
        for asking in self.fx.asks.drain(..) {
            assert_eq!(*self.session.subject(), Subject::Dn(asking.subject), "asked for somebody else");
            self.asked.push(asking.number);
        }
        assert!(self.session.held() <= self.snapshot.policy.held.per_session);
        self.fx.records.clear();
        self.fx.record_ends.clear();
        if !self.stalled {
            self.taken();
        }
        if self.fx.close {
            return;
        }
        if std::mem::take(&mut self.fx.drop_upstream) {
            self.connection = None;
            self.connecting = false;
        }
        if std::mem::take(&mut self.fx.connect) {
            assert!(self.connection.is_none(), "a second connection");
            self.connecting = true;
        }
        self.deliver();
    }

    /// The client takes everything that waits for it.
    fn taken(&mut self) {
        self.session.on_client_written();
        let mut answered = Vec::new();
        // It may have waited since somebody else was bound; that is looked at when it comes.
        let (shows, mut cookie) = (self.any_grant_is_active(), None);
        each(&std::mem::take(&mut self.fx.to_client), |envelope| {
            if envelope.tag == tag::SEARCH_RESULT_ENTRY {
                let name = Dn::parse(response::entry_name(envelope.body).expect("ours")).expect("ours");
                assert!(shows || !name.is_within(&dn(PAYROLL)), "{name:?} as {:?}", self.session.subject());
            }
            for control in envelope.controls().expect("controls") {
                if let Ok(page) = PagedResults::decode(control.value.unwrap_or_default()) {
                    assert_eq!(page.size, 0, "an estimate");
                    cookie = Some(page.cookie.to_vec());
                }
            }
            if tag::is_final_response(envelope.tag) && envelope.id != 0 {
                answered.push(envelope.id);
            }
        });
        self.cookie = cookie.unwrap_or_else(|| std::mem::take(&mut self.cookie));
        for id in answered {
            let at = self.open.iter().position(|open| *open == id).expect("one answer to each message");
            self.open.remove(at);
        }
    }

    fn deliver(&mut self) {
        let Some(connection) = &mut self.connection else { return };
        let subject = match self.session.subject() {
            Subject::Anonymous => String::new(),
            Subject::Dn(name) => name.text().to_owned(),
        };
        each(&std::mem::take(&mut self.fx.to_upstream), |envelope| {
            assert!(envelope.id > self.last_id, "ids rise");
            self.last_id = envelope.id;
            let name = match Request::decode(&envelope).expect("canonical") {
                Request::Bind(BindRequest { name: BindName::Dn(name), .. }) => name.text().to_owned(),
                Request::Abandon(_) => return,
                Request::Delete(entry) => {
                    assert_eq!(connection.bound_as, subject, "a delete as somebody else");
                    entry.text().to_owned()
                }
                request => {
                    assert_eq!(connection.bound_as, subject, "{request:?} as somebody else");
                    String::new()
                }
            };
            connection.asked.push((envelope.id, envelope.tag, name));
        });
    }

    fn connected(&mut self, well: bool) {
        if !std::mem::take(&mut self.connecting) {
            return;
        }
        if well {
            self.connection = Some(Connection::default());
            self.session.on_upstream_connected("ldap://directory".into());
        } else {
            self.session.on_upstream_failed(self.now, &mut self.fx);
        }
    }

    fn answer(&mut self, argument: usize, code: u32) {
        let Some(connection) = self.connection.as_mut().filter(|connection| !connection.asked.is_empty()) else {
            return;
        };
        let (id, request_tag, name) = connection.asked.remove(argument % connection.asked.len());
        if request_tag == tag::BIND_REQUEST && code == 0 {
            connection.bound_as = name;
        }
        let response_tag = tag::response_to(request_tag).expect("has an answer");
        let mut frame = Vec::new();
        // Some searches have another page, whether it was asked for or not.
        if response_tag == tag::SEARCH_RESULT_DONE && code == 0 && argument.is_multiple_of(2) {
            let mut controls = Vec::new();
            PagedResults { size: 0, cookie: &id.to_be_bytes() }.write_control(&mut controls, false);
            let body = b"\x0a\x01\x00\x04\x00\x04\x00";
            message::write_message(&mut frame, id, response_tag, body, Some(&controls));
        } else {
            response::write_result(&mut frame, ClientMessageId(id), response_tag, ResultCode(code), "", "");
        }
        self.session.on_upstream(&frame, &self.snapshot, self.now, &mut self.fx);
    }

    fn entry(&mut self, argument: usize) {
        let asked = self.connection.iter().flat_map(|connection| &connection.asked);
        let Some(id) = asked.filter(|asked| asked.1 == tag::SEARCH_REQUEST).map(|asked| asked.0).next() else {
            return;
        };
        let name = BASES[argument % 4];
        let mut frame = Vec::new();
        Entry { name: name.as_bytes(), attributes: Vec::new() }.write(&mut frame, ClientMessageId(id));
        // As the driver does before it hands over what the directory sent.
        self.changed();
        let before = self.fx.to_client.len();
        self.session.on_upstream(&frame, &self.snapshot, self.now, &mut self.fx);
        each(&self.fx.to_client[before..], |envelope| {
            if envelope.tag == tag::SEARCH_RESULT_ENTRY && dn(name).is_within(&dn(PAYROLL)) {
                assert!(self.may_see_payroll(), "{name} as {:?}", self.session.subject());
            }
        });
    }

    fn grant_or_revoke(&mut self, argument: usize) {
        let subject = dn(NAMES[1 + argument % 3]);
        let grants = &self.snapshot.grants;
        let held: Vec<_> = grants.get(&subject).map(|grant| grant.id.clone()).collect();
        self.snapshot.grants = Arc::new(match held.first() {
            Some(id) => grants.without(&subject, id),
            None => {
                self.grants += 1;
                grants.with(Arc::new(self.grant(subject)))
            }
        });
        self.changed();
    }

    fn grant(&self, subject: Dn) -> ActiveGrant {
        let opens = [0, 1].map(|at| Opening {
            resource: ResourceIndex(at),
            operations: OperationSet::all(),
            base: None,
            attributes: None,
        });
        ActiveGrant {
            id: format!("g{}", self.grants).into(),
            request: "r".into(),
            role: "role".into(),
            subject,
            from: self.now.wall,
            until: self.now.wall + chrono::TimeDelta::seconds(10),
            until_monotonic: self.now.monotonic + Duration::from_secs(10),
            break_glass: false,
            opens: opens.to_vec(),
        }
    }

    /// Time passes on both clocks, or only on one, or the wall clock is set back.
    fn later(&mut self, argument: usize) {
        let (wall, monotonic) = [(4, 4), (0, 4), (12, 0), (-60, 1)][argument % 4];
        self.now.wall += chrono::TimeDelta::seconds(wall);
        self.now.monotonic += Duration::from_secs(monotonic);
        self.changed();
    }
}
