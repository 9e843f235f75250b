//! A session between a client and a directory that are both played by the test.

mod acting;
mod binding;
mod confirming;
mod ending;
mod flow;
mod held;
mod membership;
mod monitored;
mod paging;
mod recorded;
mod revoked;
mod sasl;
mod staged;
mod stages;

use super::*;
use crate::engine::access::{DirectoryFacts, Snapshot};
use crate::engine::grant::index::{ActiveGrant, ActiveGrants, Opening};
use crate::engine::ldap::Dn;
use crate::engine::ldap::attribute::AttributeDescription;
use crate::engine::ldap::entry::Entry;
use crate::engine::ldap::filter::Filter;
use crate::engine::ldap::frame::frame_length;
use crate::engine::ldap::message::{self, Envelope, UpstreamMessageId};
use crate::engine::ldap::request::{
    Authentication, BindName, BindRequest, DerefAliases, ExtendedRequest, Request, SearchRequest, SearchScope,
};
use crate::engine::policy::resource::{Resource, ResourceIndex, ResourceScope};
use crate::engine::policy::{Mode, OperationKind, OperationSet, Policy, RefusalStyle};
use chrono::{DateTime, TimeDelta, Utc};
use std::time::Duration;

pub(super) const BASE: &str = "dc=example,dc=com";
pub(super) const PAYROLL: &str = "ou=payroll,dc=example,dc=com";
pub(super) const ALICE: &str = "uid=alice,ou=people,dc=example,dc=com";
/// Nobody may bind as this without a grant.
pub(super) const ROBOT: &str = "cn=robot,ou=services,dc=example,dc=com";

pub(super) fn dn(text: &str) -> Dn {
    Dn::parse(text.as_bytes()).unwrap()
}

fn resource(name: &str, base: &str, operations: OperationSet) -> Resource {
    Resource {
        name: name.into(),
        base: dn(base),
        scope: ResourceScope::Subtree,
        operations,
        attributes: None,
        on_missing: None,
    }
}

/// What one side was sent, cut open.
#[derive(Debug, PartialEq, Eq, Clone)]
pub(super) struct Seen {
    pub(super) id: i32,
    pub(super) tag: u8,
    /// Result code, for final responses.
    pub(super) code: Option<u32>,
    pub(super) body: Vec<u8>,
}

pub(super) struct World {
    pub(super) session: Session,
    pub(super) fx: Effects,
    pub(super) snapshot: Snapshot,
    pub(super) now: Now,
}

impl World {
    /// A session over TLS; the directory's connection is there as soon as it is asked for.
    pub(super) fn new() -> World {
        let mut world = World::in_clear();
        world.session.tls_established("TLSv1.3".to_owned());
        world
    }

    pub(super) fn in_clear() -> World {
        let resources = vec![
            resource("payroll", PAYROLL, OperationSet::all()),
            resource("robot", ROBOT, [OperationKind::Bind].into_iter().collect()),
        ];
        let policy = Policy::new(Mode::Enforce, RefusalStyle::Explain, resources, Vec::new(), Vec::new());
        let directory = DirectoryFacts {
            naming_contexts: vec![dn(BASE)],
            subschema: Some(dn("cn=subschema")),
            ..DirectoryFacts::default()
        };
        let snapshot = Snapshot {
            policy: policy.into(),
            grants: ActiveGrants::new().into(),
            groups: Arc::default(),
            directory: directory.into(),
            recording: true,
            rates: Arc::default(),
            trials: Arc::default(),
        };
        let origin = Origin { session: "s1".to_owned(), connection_from: "192.0.2.1:4711".to_owned(), tls: None };
        let wall = DateTime::<Utc>::from_timestamp(1_800_000_000, 0).unwrap();
        let now = Now { wall, monotonic: Duration::from_secs(1000) };
        World { session: Session::new(origin), fx: Effects::default(), snapshot, now }
    }

    /// Gives `subject` a resource for an hour.
    pub(super) fn grant(&mut self, id: &str, subject: &str, resource: u32) {
        let grant = ActiveGrant {
            id: id.into(),
            request: "req-1".into(),
            role: "role".into(),
            subject: dn(subject),
            from: self.now.wall,
            until: self.now.wall + TimeDelta::hours(1),
            until_monotonic: self.now.monotonic + Duration::from_secs(3600),
            break_glass: false,
            opens: vec![Opening {
                resource: ResourceIndex(resource),
                operations: OperationSet::all(),
                base: None,
                attributes: None,
            }],
        };
        self.snapshot.grants = Arc::new(self.snapshot.grants.with(Arc::new(grant)));
    }

    pub(super) fn revoke(&mut self, id: &str, subject: &str) {
        self.snapshot.grants = Arc::new(self.snapshot.grants.without(&dn(subject), id));
        self.session.on_change(&self.snapshot, self.now, &mut self.fx);
    }

    /// Performs what a driver would: a dropped connection loses what was to be sent, a wanted one is there at once.
    fn perform(&mut self) {
        self.fx.drop_upstream = false;
        if self.fx.connect {
            self.fx.connect = false;
            self.session.on_upstream_connected("ldap://directory".into());
        }
    }

    pub(super) fn raw(&mut self, frame: &[u8]) -> Flow {
        let flow = self.session.on_client(frame, false, &self.snapshot, self.now, &mut self.fx);
        self.perform();
        flow
    }

    pub(super) fn client(&mut self, id: i32, request: &Request<'_>) -> Flow {
        let frame = frame(id, request);
        self.raw(&frame)
    }

    pub(super) fn search(&mut self, id: i32, base: &str) -> Flow {
        self.client(id, &search(base))
    }

    pub(super) fn bind(&mut self, id: i32, name: &str, password: &[u8]) -> Flow {
        self.client(id, &bind(name, password))
    }

    /// Binds and has the directory agree.
    pub(super) fn bound(&mut self, id: i32, name: &str) {
        self.bind(id, name, b"secret");
        let asked = self.at_directory();
        assert_eq!(asked.len(), 1, "{asked:?}");
        self.result(asked[0].id, tag::BIND_RESPONSE, 0);
        assert_eq!(self.at_client().last().unwrap().code, Some(0));
    }

    pub(super) fn upstream(&mut self, frame: &[u8]) {
        self.session.on_upstream(frame, &self.snapshot, self.now, &mut self.fx);
        self.perform();
    }

    /// The directory answers.
    pub(super) fn result(&mut self, id: i32, response_tag: u8, code: u32) {
        let mut frame = Vec::new();
        response::write_result(&mut frame, ClientMessageId(id), response_tag, ResultCode(code), "", "");
        self.upstream(&frame);
    }

    pub(super) fn entry(&mut self, id: i32, name: &str) {
        let mut frame = Vec::new();
        Entry { name: name.as_bytes(), attributes: Vec::new() }.write(&mut frame, ClientMessageId(id));
        self.upstream(&frame);
    }

    /// What was sent to the client since the last look.
    pub(super) fn at_client(&mut self) -> Vec<Seen> {
        self.fx.client_written = 0;
        self.session.on_client_written();
        cut(&std::mem::take(&mut self.fx.to_client))
    }

    /// What was sent to the directory since the last look.
    pub(super) fn at_directory(&mut self) -> Vec<Seen> {
        self.fx.upstream_written = 0;
        cut(&std::mem::take(&mut self.fx.to_upstream))
    }

    /// The finished log lines since the last look.
    pub(super) fn records(&mut self) -> Vec<serde_json::Value> {
        self.lines().into_iter().filter(|line| line["phase"] != "begun").collect()
    }

    /// All log lines since the last look.
    pub(super) fn lines(&mut self) -> Vec<serde_json::Value> {
        let text = String::from_utf8(std::mem::take(&mut self.fx.records)).unwrap();
        self.fx.record_ends.clear();
        text.lines().map(|line| serde_json::from_str(&format!("{{{line}")).unwrap()).collect()
    }
}

pub(super) fn frame(id: i32, request: &Request<'_>) -> Vec<u8> {
    let mut frame = Vec::new();
    message::write_request(&mut frame, UpstreamMessageId(id), request, &[]);
    frame
}

pub(super) fn search(base: &str) -> Request<'static> {
    Request::Search(SearchRequest {
        base: dn(base),
        scope: SearchScope::Subtree,
        deref: DerefAliases::Never,
        size_limit: 0,
        time_limit: 0,
        types_only: false,
        filter: Filter::Present(AttributeDescription(b"objectClass")),
        attributes: Vec::new(),
    })
}

pub(super) fn bind<'a>(name: &'a str, password: &'a [u8]) -> Request<'a> {
    let name = match Dn::parse(name.as_bytes()) {
        Ok(name) => BindName::Dn(name),
        Err(_) => BindName::Other(name.as_bytes()),
    };
    Request::Bind(BindRequest { version: 3, name, authentication: Authentication::Simple(password) })
}

pub(super) fn start_tls() -> Request<'static> {
    Request::Extended(ExtendedRequest::StartTls)
}

fn cut(mut octets: &[u8]) -> Vec<Seen> {
    let mut seen = Vec::new();
    while let Some(length) = frame_length(octets, usize::MAX).unwrap() {
        let (frame, rest) = octets.split_at(length);
        octets = rest;
        let envelope =
            Envelope::parse_response(frame).or_else(|_| Envelope::parse_request(frame)).expect("a whole message");
        let code = response::ResultView::peek(envelope.tag, envelope.body).ok().map(|view| view.code.0);
        seen.push(Seen { id: envelope.id, tag: envelope.tag, code, body: envelope.body.to_vec() });
    }
    assert!(octets.is_empty(), "half a message was sent");
    seen
}
