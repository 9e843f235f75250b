//! Frame to decision and on: octets of a request, decoded, decided upon and written for the directory,
//! with more and more grants active. The cost must not grow with them.

#![expect(clippy::unwrap_used, reason = "a bench may end where it cannot go on")]

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;
use tidegate::engine::Now;
use tidegate::engine::access::{Asked, Decision, DirectoryFacts, Snapshot, decide};
use tidegate::engine::grant::index::{ActiveGrant, ActiveGrants, Opening};
use tidegate::engine::ldap::Dn;
use tidegate::engine::ldap::attribute::AttributeDescription;
use tidegate::engine::ldap::control::Control;
use tidegate::engine::ldap::filter::Filter;
use tidegate::engine::ldap::message::{Envelope, UpstreamMessageId, write_request};
use tidegate::engine::ldap::request::{
    Attribute, Authentication, BindName, BindRequest, Change, ChangeKind, DerefAliases, ModifyRequest, Request,
    SearchRequest, SearchScope,
};
use tidegate::engine::policy::resource::{Resource, ResourceIndex, ResourceScope};
use tidegate::engine::policy::selector::Groups;
use tidegate::engine::policy::{Mode, OperationSet, Policy, RefusalStyle, Subject};

const RESOURCES: u32 = 50;

fn dn(text: &str) -> Dn {
    text.parse().unwrap()
}

fn now() -> Now {
    Now { wall: chrono::DateTime::from_timestamp(1_000, 0).unwrap(), monotonic: Duration::from_secs(1_000) }
}

/// 50 resources, and this many grants of as many subjects, each for one of them.
fn snapshot(grants: u32) -> Snapshot {
    let resource = |n: u32| Resource {
        name: format!("resource-{n}").into(),
        base: dn(&format!("ou=unit-{n},ou=protected,dc=example,dc=com")),
        scope: ResourceScope::Subtree,
        operations: OperationSet::all(),
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
            opens: vec![Opening {
                resource: ResourceIndex(n % RESOURCES),
                operations: OperationSet::all(),
                base: None,
            }],
        })
    };
    let resources = (0..RESOURCES).map(resource).collect();
    Snapshot {
        policy: Arc::new(Policy::new(Mode::Enforce, RefusalStyle::Explain, resources, vec![], vec![])),
        grants: Arc::new((0..grants).map(grant).collect::<ActiveGrants>()),
        groups: Arc::new(Groups::default()),
        directory: Arc::new(DirectoryFacts { naming_contexts: vec![dn("dc=example,dc=com")], subschema: None }),
        recording: true,
    }
}

fn frame(request: &Request<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    write_request(&mut out, UpstreamMessageId(7), request, &[]);
    out
}

fn search(base: &str) -> Vec<u8> {
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

fn bind() -> Vec<u8> {
    frame(&Request::Bind(BindRequest {
        version: 3,
        name: BindName::Dn(dn("uid=user-7,ou=people,dc=example,dc=com")),
        authentication: Authentication::Simple(b"correct horse"),
    }))
}

fn modify(entry: &str) -> Vec<u8> {
    let attribute = Attribute { description: AttributeDescription(b"title"), values: vec![b"Engineer"] };
    let changes = vec![Change { kind: ChangeKind::Replace, attribute }];
    frame(&Request::Modify(ModifyRequest { entry: dn(entry), changes }))
}

/// All that happens to a request between two sockets; whether it goes on.
fn pass(snapshot: &Snapshot, subject: &Subject, frame: &[u8], out: &mut Vec<u8>) -> bool {
    let envelope = Envelope::parse_request(frame).unwrap();
    let controls = envelope.controls().unwrap();
    let request = Request::decode(&envelope).unwrap();
    let asked = Asked { subject, request: &request, controls: &controls, now: now() };
    match decide(snapshot, &asked) {
        Decision::Permitted(permit) => {
            let forwarded: Vec<Control<'_>> = permit.controls(&controls).copied().collect();
            out.clear();
            write_request(out, UpstreamMessageId(8), &request, &forwarded);
            true
        }
        Decision::Refused(_) => false,
    }
}

fn decisions(criterion: &mut Criterion) {
    let subject = Subject::Dn(dn("uid=user-7,ou=people,dc=example,dc=com"));
    let cases = [
        ("bind", bind()),
        ("search", search("ou=people,dc=example,dc=com")),
        ("search-granted", search("ou=unit-7,ou=protected,dc=example,dc=com")),
        ("search-all", search("dc=example,dc=com")),
        ("modify", modify("uid=user-9,ou=people,dc=example,dc=com")),
        ("modify-granted", modify("cn=a,ou=unit-7,ou=protected,dc=example,dc=com")),
    ];
    for (name, frame) in &cases {
        let mut group = criterion.benchmark_group(*name);
        for grants in [10, 1_000, 100_000] {
            let snapshot = snapshot(grants);
            let mut out = Vec::with_capacity(4_096);
            assert!(pass(&snapshot, &subject, frame, &mut out), "{name} was refused");
            group.bench_function(BenchmarkId::from_parameter(grants), |bencher| {
                bencher.iter(|| pass(&snapshot, black_box(&subject), black_box(frame), &mut out));
            });
        }
    }
}

fn names(criterion: &mut Criterion) {
    let plain = b"uid=user-7,ou=people,dc=example,dc=com";
    criterion.bench_function("name", |bencher| bencher.iter(|| Dn::parse(black_box(plain))));
    let other = "cn=Schmidt\\, Jörg,ou=Löhne,dc=example,dc=com".as_bytes();
    criterion.bench_function("name-general", |bencher| bencher.iter(|| Dn::parse(black_box(other))));
}

criterion_group!(benches, decisions, names);
criterion_main!(benches);
