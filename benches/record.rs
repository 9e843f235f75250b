//! Writing one operation's record, and handing it to the log.

#![expect(clippy::unwrap_used, reason = "a bench may end where it cannot go on")]

#[expect(dead_code, reason = "not every bench measures everything")]
mod cases;

use cases::{dn, recorded_search, write_record};
use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::time::{Duration, Instant};
use tidegate::daemon::audit_log::{AuditLog, Options};
use tidegate::daemon::clock::Clock;
use tidegate::engine::policy::Subject;

fn record(criterion: &mut Criterion) {
    let request = recorded_search();
    let subject = Subject::Dn(dn("uid=alice,ou=people,dc=example,dc=com"));
    let clock = Clock::new();
    let mut line = Vec::with_capacity(1024);
    criterion.bench_function("record/write a search", |bencher| {
        bencher.iter(|| {
            line.clear();
            write_record(&mut line, clock.now(), black_box(&subject), black_box(&request));
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
                    write_record(&mut line, clock.now(), black_box(&subject), black_box(&request));
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
