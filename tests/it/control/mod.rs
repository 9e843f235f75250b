//! The control port over TLS: who is let in, who is not, and what nobody can do to it.

mod certificates;
mod command_line;
mod doors;
mod guarding;
mod metrics;
mod requests;
mod schemathesis;
mod second_factor;

use crate::support::gate::{Gate, Setup};
use crate::support::https::Https;
use crate::support::slapd::{Slapd, password};

/// A gate with a control port in front of a slapd.
fn open() -> (Slapd, Gate) {
    open_with("")
}

fn open_with(control_lines: &str) -> (Slapd, Gate) {
    let slapd = Slapd::start();
    let gate = Setup::default().https().control_lines(control_lines).start(&slapd);
    (slapd, gate)
}

/// One of the people, logged in.
fn person(gate: &Gate, name: &str) -> Https {
    Https::new(gate).logged_in(name, &password(name))
}
