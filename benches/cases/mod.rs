//! What the benchmarks measure: a policy with grants, requests, records. Measures nothing itself.

use std::sync::Arc;
use std::time::Duration;
use tidegate::engine::Now;
use tidegate::engine::access::{Asked, Decision, DirectoryFacts, Snapshot, decide};
use tidegate::engine::audit::record::{Outcome, RecordContext, Verdict, begin, finish};
use tidegate::engine::grant::index::{ActiveGrant, ActiveGrants, Opening};
use tidegate::engine::ldap::attribute::AttributeDescription;
use tidegate::engine::ldap::control::Control;
use tidegate::engine::ldap::entry::Entry;
use tidegate::engine::ldap::filter::Filter;
use tidegate::engine::ldap::message::{ClientMessageId, Envelope, UpstreamMessageId, write_message, write_request};
use tidegate::engine::ldap::request::{
    Attribute, Authentication, BindName, BindRequest, Change, ChangeKind, DerefAliases, ModifyRequest, Request,
    SearchRequest, SearchScope,
};
use tidegate::engine::ldap::{Dn, ResultCode, tag};
use tidegate::engine::policy::groups::Groups;
use tidegate::engine::policy::resource::{Resource, ResourceIndex, ResourceScope};
use tidegate::engine::policy::{Mode, OperationSet, Policy, RefusalStyle, Subject};
use tidegate::engine::session::{Effects, Origin, Session};

const RESOURCES: u32 = 50;

/// The name that a text says.
pub(crate) fn dn(text: &str) -> Dn {
    text.parse().unwrap()
}

/// A moment.
pub(crate) fn now() -> Now {
    Now { wall: chrono::DateTime::from_timestamp(1_000, 0).unwrap(), monotonic: Duration::from_secs(1_000) }
}

/// 50 resources, and this many grants of as many subjects, each for one of them.
pub(crate) fn snapshot(grants: u32) -> Snapshot {
    let resource = |n: u32| Resource {
        name: format!("resource-{n}").into(),
        base: dn(&format!("ou=unit-{n},ou=protected,dc=example,dc=com")),
        scope: ResourceScope::Subtree,
        operations: OperationSet::all(),
        attributes: None,
        on_missing: None,
    };
    let grant = |n: u32| {
        Arc::new(ActiveGrant {
            id: format!("g{n}").into(),
            request: format!("r{n}").into(),
            role: "role".into(),
            subject: dn(&format!("uid=user-{n},ou=people,dc=example,dc=com")),
            from: now().wall,
            until: now().wall + chrono::TimeDelta::hours(1),
            until_monotonic: Duration::from_secs(9_000),
            break_glass: false,
            opens: vec![Opening {
                resource: ResourceIndex(n % RESOURCES),
                operations: OperationSet::all(),
                base: None,
                attributes: None,
            }],
        })
    };
    let resources = (0..RESOURCES).map(resource).collect();
    Snapshot {
        policy: Arc::new(Policy::new(Mode::Enforce, RefusalStyle::Explain, resources, vec![], vec![])),
        grants: Arc::new((0..grants).map(grant).collect::<ActiveGrants>()),
        groups: Arc::new(Groups::default()),
        directory: Arc::new(DirectoryFacts {
            naming_contexts: vec![dn("dc=example,dc=com")],
            ..DirectoryFacts::default()
        }),
        recording: true,
        rates: Arc::default(),
        trials: Arc::default(),
    }
}

fn frame(request: &Request<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    write_request(&mut out, UpstreamMessageId(7), request, &[]);
    out
}

/// A search below a base.
pub(crate) fn search(base: &str) -> Vec<u8> {
    let attribute = |name: &'static str| AttributeDescription(name.as_bytes());
    frame(&Request::Search(SearchRequest {
        base: dn(base),
        scope: SearchScope::Subtree,
        deref: DerefAliases::Never,
        size_limit: 0,
        time_limit: 0,
        types_only: false,
        filter: Filter::And(vec![
            Filter::Equality { attribute: attribute("objectClass"), value: b"inetOrgPerson" },
            Filter::Equality { attribute: attribute("uid"), value: b"user-7" },
        ]),
        attributes: vec![attribute("cn"), attribute("mail"), attribute("memberOf")],
    }))
}

/// A simple bind.
pub(crate) fn bind() -> Vec<u8> {
    frame(&Request::Bind(BindRequest {
        version: 3,
        name: BindName::Dn(dn("uid=user-7,ou=people,dc=example,dc=com")),
        authentication: Authentication::Simple(b"correct horse"),
    }))
}

/// A modify of an entry.
pub(crate) fn modify(entry: &str) -> Vec<u8> {
    let attribute = Attribute { description: AttributeDescription(b"title"), values: vec![b"Engineer"] };
    let changes = vec![Change { kind: ChangeKind::Replace, attribute }];
    frame(&Request::Modify(ModifyRequest { entry: dn(entry), changes }))
}

/// All that happens to a request between two sockets; whether it goes on.
pub(crate) fn pass(snapshot: &Snapshot, subject: &Subject, frame: &[u8], out: &mut Vec<u8>) -> bool {
    let envelope = Envelope::parse_request(frame).unwrap();
    let controls = envelope.controls().unwrap();
    let request = Request::decode(&envelope).unwrap();
    let asked = Asked { subject, request: &request, controls: &controls, now: now(), certificate: None };
    match decide(snapshot, &asked) {
        Decision::Permitted(permit) => {
            let forwarded: Vec<Control<'_>> = permit.controls(&controls).collect();
            out.clear();
            write_request(out, UpstreamMessageId(8), &request, &forwarded);
            true
        }
        Decision::Refused(_) => false,
    }
}

/// A search and what a directory answers to it.
pub(crate) struct Answer {
    request: Vec<u8>,
    messages: Vec<Vec<u8>>,
}

impl Answer {
    /// Entries below `ou=people`, of some 200 octets each.
    pub(crate) fn of(entries: u32) -> Answer {
        let mut messages = Vec::new();
        for n in 0..entries {
            let name = format!("uid=user-{n},ou=people,dc=example,dc=com");
            let attribute = |name: &'static str, value| Attribute {
                description: AttributeDescription(name.as_bytes()),
                values: vec![value],
            };
            let attributes = vec![attribute("cn", &b"A person of this name"[..]), attribute("mail", &[b'm'; 100])];
            let mut body = Vec::new();
            Entry { name: name.as_bytes(), attributes }.write_body(&mut body);
            let mut message = Vec::new();
            write_message(&mut message, 1, tag::SEARCH_RESULT_ENTRY, &body, None);
            messages.push(message);
        }
        let mut message = Vec::new();
        write_message(&mut message, 1, tag::SEARCH_RESULT_DONE, b"\x0a\x01\x00\x04\x00\x04\x00", None);
        messages.push(message);
        Answer { request: search("ou=people,dc=example,dc=com"), messages }
    }

    /// All of it through a new session, which writes to `out` what the client gets.
    pub(crate) fn pass(&self, snapshot: &Snapshot, out: &mut Vec<u8>) {
        let origin = Origin { session: String::new(), connection_from: String::new(), tls: Some(String::new()) };
        let (mut session, mut fx) = (Session::new(origin), Effects::default());
        std::mem::swap(&mut fx.to_client, out);
        fx.to_client.clear();
        session.on_client(&self.request, false, snapshot, now(), &mut fx);
        session.on_upstream_connected("".into());
        for message in &self.messages {
            session.on_upstream(message, snapshot, now(), &mut fx);
        }
        assert!(fx.to_client.len() > self.messages.len() * 100, "entries are passed on");
        std::mem::swap(&mut fx.to_client, out);
    }
}

/// A search as it is recorded.
pub(crate) fn recorded_search() -> Request<'static> {
    let attribute = |name: &'static str| AttributeDescription(name.as_bytes());
    Request::Search(SearchRequest {
        base: dn("ou=people,dc=example,dc=com"),
        scope: SearchScope::Subtree,
        deref: DerefAliases::Never,
        size_limit: 0,
        time_limit: 0,
        types_only: false,
        filter: Filter::And(vec![
            Filter::Equality { attribute: attribute("objectClass"), value: b"person" },
            Filter::Equality { attribute: attribute("uid"), value: b"user12345" },
        ]),
        attributes: vec![attribute("cn"), attribute("mail")],
    })
}

/// Writes what is recorded of an operation, but for the number in front.
pub(crate) fn write_record(out: &mut Vec<u8>, now: Now, subject: &Subject, request: &Request<'_>) {
    let context = RecordContext {
        now,
        session: "3f2-17",
        connection_from: "192.0.2.17:40022",
        tls: "TLSv1.3 TLS_AES_256_GCM_SHA384",
        subject,
        authentication: "simple",
        certificate: None,
        message_id: Some(ClientMessageId(42)),
        number: None,
    };
    begin(out, &context, request, &[], Verdict::plain("permitted", None));
    let outcome = Outcome {
        upstream: Some("ldaps://ldap1.example.com"),
        result: Some(ResultCode::SUCCESS),
        entries: 1,
        ending: None,
        withheld: 0,
        cut: 0,
        would: None,
        bytes: 412,
        duration: Duration::from_micros(317),
    };
    finish(out, &outcome);
}
