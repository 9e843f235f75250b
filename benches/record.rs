//! Writing one operation's record, and handing it to the log.

#![expect(clippy::unwrap_used, reason = "a bench may end where it cannot go on")]

#[expect(dead_code, reason = "not every bench measures everything")]
mod cases;

use cases::{dn, recorded_search, write_record};
use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};
use tidegate::daemon::audit_log::{AuditLog, Options};
use tidegate::daemon::clock::Clock;
use tidegate::engine::audit::record::Weight;
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
                    handle.append(&line, Weight::Plain);
                }
                taken += start.elapsed();
                // The disk is not what is measured.
                assert!(log.flush(Duration::from_secs(60)));
            }
            taken
        });
    });
    // What an operation waits for that depends on access, before it is forwarded.
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    criterion.bench_function("record/append a begun line and wait until it is in the log", |bencher| {
        let mut round = 0;
        bencher.iter(|| {
            let number = handle.append(&line, Weight::Access).unwrap();
            handle.hurry();
            handle.wait_for_lines(&mut round, &waker);
            while !handle.is_written(number).unwrap() {
                std::thread::park();
                handle.wait_for_lines(&mut round, &waker);
            }
        });
    });
    assert_eq!(log.lost(), 0);
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Unpark>) {
        self.0.unpark();
    }
}

criterion_group!(benches, record);
criterion_main!(benches);
