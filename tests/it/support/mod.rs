//! What the end-to-end tests stand on: a private slapd, a gate in front of it, clients, and a
//! look at the audit log. Everything lives in a temporary folder and ends with the test.

// Each test uses its own part of this.
#![expect(dead_code, reason = "helpers are shared between modules that use different ones")]

pub(crate) mod audit;
pub(crate) mod ber;
pub(crate) mod certs;
pub(crate) mod command;
#[path = "../../../src/daemon/control/tests/document.rs"]
pub(crate) mod document;
pub(crate) mod ds389;
pub(crate) mod gate;
pub(crate) mod hook;
pub(crate) mod https;
pub(crate) mod kerberos;
pub(crate) mod ldap;
pub(crate) mod page;
pub(crate) mod samba;
pub(crate) mod slapd;
pub(crate) mod target;
pub(crate) mod wire;

use std::time::{Duration, Instant};

/// How long anything may take before a test gives up on it. Generous: machines are busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Asks again until there is something, or panics with `what`. For things that announce themselves in no other way.
pub(crate) fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(3));
    }
}
