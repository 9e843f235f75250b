//! Frame to decision and on: octets of a request, decoded, decided upon and written for the directory,
//! with more and more grants active. The cost must not grow with them.

#[expect(dead_code, reason = "not every bench measures everything")]
#[expect(clippy::unwrap_used, reason = "a bench may end where it cannot go on")]
mod cases;

use cases::{bind, dn, modify, pass, search, snapshot};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use tidegate::engine::ldap::Dn;
use tidegate::engine::policy::Subject;

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
