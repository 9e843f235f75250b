//! Many idle sessions at once: they are cheap, and they all work.

use crate::support::gate::Setup;
use crate::support::ldap::{SCOPE_BASE, Search};
use crate::support::slapd::Slapd;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

const SESSIONS: u64 = 1_000;

#[test]
fn a_thousand_idle_tls_sessions() {
    // Both this process and the gate, which inherits the limit, hold that many sockets.
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard.min(soft.max(8_192)), hard).unwrap();
    let slapd = Slapd::start();
    let gate = Setup::default().start(&slapd);
    let mut warm: Vec<_> = (0..10).map(|_| gate.client()).collect();
    warm[0].search(&Search::new("").scope(SCOPE_BASE));
    let before = gate.memory();
    let mut sessions: Vec<_> = (0..SESSIONS).map(|_| gate.client()).collect();
    // Each has been served once, so that its buffers are there; the rootDSE needs no connection to the directory.
    for client in &mut sessions {
        assert_eq!(client.search(&Search::new("").scope(SCOPE_BASE)).answer.code, 0);
    }
    let grown = gate.memory().saturating_sub(before);
    println!("{SESSIONS} idle TLS sessions: {grown} KiB, {} octets each", grown * 1024 / SESSIONS);
    assert!(grown < 100 * SESSIONS, "{grown} KiB for {SESSIONS} sessions");
    for client in sessions.iter_mut().rev().take(10) {
        assert_eq!(client.search(&Search::new("").scope(SCOPE_BASE)).answer.code, 0);
    }
}
