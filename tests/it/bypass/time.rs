//! Hidden values by time: the client measures how long its searches take. Beside a gate that asks the directory to leave out
//! what is hidden stands one that does not, as the control: there the same measurements tell the value.

use crate::support::gate::{Gate, Setup};
use crate::support::ldap::{Client, Search};
use crate::support::slapd::{BASE, Extra, Slapd};
use std::time::Instant;

/// What is to be found out, a bit at a time.
const SECRET: &str = "101101";
/// How often each pair of guesses is compared.
const PAIRS: usize = 40;
/// A bit counts as seen where one guess of the two takes longer in so many of the pairs; by chance it does once in a thousand bits.
const SEEN: usize = 30;
/// How often all is measured at most.
const ATTEMPTS: usize = 3;

const ENTRIES: &str = "
[[resource]]
name = \"payroll\"
base = \"ou=payroll,dc=example,dc=com\"
";
const ATTRIBUTES: &str = "
[[resource]]
name = \"numbers\"
base = \"ou=payroll,dc=example,dc=com\"
attributes = [\"employeeNumber\"]
";

fn gate(slapd: &Slapd, policy: &str, more: &str) -> Gate {
    let lines = format!("urls = [\"ldap://127.0.0.1:{}\"]\n{more}", slapd.ldap);
    Setup::default().policy(policy).policy_lines("exposed_searches_per_minute = 0").directory(lines).start(slapd)
}

/// How many bits are seen, and seen right, where what came before each is known.
fn bits_seen(client: &mut Client) -> (usize, usize) {
    let (mut seen, mut right) = (0, 0);
    for (at, bit) in SECRET.bytes().enumerate() {
        let known = &SECRET[..at];
        let guess = |digit| {
            Search::new(BASE).filter(&format!("(&(uid=e77)(employeeNumber={known}{digit}*))")).attributes(&["*"])
        };
        let guesses = [guess(0), guess(1)];
        let mut time = |guess: &Search| {
            let start = Instant::now();
            let found = client.search(guess);
            assert_eq!(found.summary(), (0, vec![]), "it is hidden");
            start.elapsed()
        };
        let mut longer = [0, 0];
        for pair in 0..PAIRS {
            // Neither is always the second.
            let times = match pair % 2 {
                0 => guesses.each_ref().map(&mut time),
                _ => {
                    let second = time(&guesses[1]);
                    [time(&guesses[0]), second]
                }
            };
            longer[usize::from(times[1] > times[0])] += 1;
        }
        for (digit, count) in longer.into_iter().enumerate() {
            if count >= SEEN {
                seen += 1;
                right += usize::from(usize::from(bit - b'0') == digit);
            }
        }
    }
    (seen, right)
}

#[test]
fn hidden_values_cannot_be_told_by_time() {
    // What matches and is dropped takes long to send.
    let filling = "x".repeat(2_000_000);
    let ldif = format!(
        "dn: uid=e77,ou=payroll,{BASE}\nobjectClass: inetOrgPerson\nuid: e77\ncn: e77\nsn: Employee\n\
         employeeNumber: {SECRET}\ndescription: {filling}\n\n"
    );
    let slapd = Slapd::with(Extra { ldif, ..Extra::default() });
    for policy in [ENTRIES, ATTRIBUTES] {
        // A busy machine may hide the difference, or make one: that does not happen each time.
        let exposes = gate(&slapd, policy, "exclude_hidden = false");
        let mut control = exposes.client_as("alice");
        let tells = (0..ATTEMPTS).any(|_| bits_seen(&mut control).1 >= SECRET.len() - 1);
        assert!(tells, "the test tests nothing");
        let excludes = gate(&slapd, policy, "");
        let mut client = excludes.client_as("alice");
        let silent = (0..ATTEMPTS).any(|_| bits_seen(&mut client).0 <= 1);
        assert!(silent, "{policy}");
    }
}
