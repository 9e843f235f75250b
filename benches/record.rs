//! Writing one operation's record, and handing it to the log.

#![expect(clippy::unwrap_used, reason = "a bench may end where it cannot go on")]

use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::time::{Duration, Instant};
use tidegate::daemon::audit_log::{AuditLog, Options};
use tidegate::daemon::clock::Clock;
use tidegate::engine::audit::record::{Outcome, RecordContext, Verdict, begin, finish};
use tidegate::engine::ldap::attribute::AttributeDescription;
use tidegate::engine::ldap::filter::Filter;
use tidegate::engine::ldap::message::ClientMessageId;
use tidegate::engine::ldap::request::{DerefAliases, Request, SearchRequest, SearchScope};
use tidegate::engine::ldap::{Dn, ResultCode};
use tidegate::engine::policy::Subject;

fn search_record(out: &mut Vec<u8>, clock: &Clock, subject: &Subject, request: &Request<'_>) {
    let context = RecordContext {
        now: clock.now(),
        session: "3f2-17",
        connection_from: "192.0.2.17:40022",
        tls: "TLSv1.3 TLS_AES_256_GCM_SHA384",
        subject,
        authentication: "simple",
        message_id: Some(ClientMessageId(42)),
    };
    begin(out, &context, request, &[], Verdict::plain("permitted", None));
    let outcome = Outcome {
        upstream: Some("ldaps://ldap1.example.com"),
        result: Some(ResultCode::SUCCESS),
        entries: 1,
        withheld: 0,
        bytes: 412,
        duration: Duration::from_micros(317),
    };
    finish(out, &outcome);
}

fn record(criterion: &mut Criterion) {
    let dn = |text: &str| Dn::parse(text.as_bytes()).unwrap();
    let attribute = |name: &'static str| AttributeDescription(name.as_bytes());
    let request = Request::Search(SearchRequest {
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
    });
    let subject = Subject::Dn(dn("uid=alice,ou=people,dc=example,dc=com"));
    let clock = Clock::new();
    let mut line = Vec::with_capacity(1024);
    criterion.bench_function("record/write a search", |bencher| {
        bencher.iter(|| {
            line.clear();
            search_record(&mut line, &clock, black_box(&subject), black_box(&request));
        });
    });
    let directory = tempfile::tempdir().unwrap();
    let log = AuditLog::open(Options::new(directory.path().to_owned()), clock.clone(), Box::new(|_| {})).unwrap();
    let handle = log.handle();
    criterion.bench_function("record/write a search and append it to the log", |bencher| {
        bencher.iter_custom(|iterations| {
            let mut taken = Duration::ZERO;
            for done in (0..iterations).step_by(1000) {
                let start = Instant::now();
                for _ in done..iterations.min(done + 1000) {
                    line.clear();
                    search_record(&mut line, &clock, black_box(&subject), black_box(&request));
                    handle.append(&line);
                }
                taken += start.elapsed();
                // The disk is not what is measured.
                assert!(log.flush(Duration::from_secs(60)));
            }
            taken
        });
    });
    assert_eq!(log.lost(), 0);
}

criterion_group!(benches, record);
criterion_main!(benches);
