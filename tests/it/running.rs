//! While it runs: what a grant's end does to sessions that are in the middle of something.

mod cuts;
mod ending;

use crate::support::ber::value;
use crate::support::gate::{Gate, Setup};
use crate::support::ldap::{Client, SCOPE_BASE, Search, tag};
use crate::support::slapd::{BASE, Extra, Slapd, person};
use crate::support::wire::Wire;
use std::time::{Duration, Instant};

/// How long a running search may go on after the answer that ended its grant.
const CUT_WITHIN: Duration = Duration::from_millis(100);
/// A noisy machine may be late now and then; the best of this many tries counts.
const TRIES: usize = 5;

const POLICY: &str = r#"
[[resource]]
name = "big"
base = "ou=big,dc=example,dc=com"

[[resource]]
name = "service-logins"
base = "ou=services,dc=example,dc=com"
operations = ["bind"]

[[role]]
name = "big-reader"
description = "Read what is big"
allow = [{ resource = "big", operations = ["search"] }]
eligible = ["group:cn=hr,ou=groups,dc=example,dc=com"]
approvers = ["group:cn=hr-leads,ou=groups,dc=example,dc=com"]
max_duration = "4h"
default_duration = "1h"

[[role]]
name = "service-login"
description = "Bind as a service"
allow = [{ resource = "service-logins", operations = ["bind"] }]
eligible = ["group:cn=hr,ou=groups,dc=example,dc=com"]
beneficiaries = ["subtree:ou=services,dc=example,dc=com"]
approvers = ["group:cn=hr-leads,ou=groups,dc=example,dc=com"]
max_duration = "4h"
default_duration = "1h"

[[standing]]
who = ["dn:cn=tidegate,ou=services,dc=example,dc=com"]
resource = "service-logins"
operations = ["bind"]
reason = "the gate's own"
"#;

/// A directory whose answers take long enough to be in the middle of one.
fn slow() -> (Slapd, Wire, Gate) {
    let slapd = Slapd::with(Extra { big: (3_000, 200), ..Extra::default() });
    let wire = Wire::to(slapd.ldap);
    let gate = Setup::default().policy(POLICY).plain_directory(wire.port).start(&slapd);
    (slapd, wire, gate)
}

fn big() -> Search {
    Search::new(format!("ou=big,{BASE}")).attributes(&["*"])
}

/// Reads on until the search ends; returns when its end came, its code, and how many entries came after `since`.
fn read_to_end(client: &mut Client, id: i32, since: &dyn Fn() -> Option<Instant>) -> (Instant, i32, usize) {
    let mut late = 0;
    loop {
        let message = client.receive_for(id);
        let now = Instant::now();
        match message.tag {
            tag::ENTRY => late += usize::from(since().is_some_and(|ended| now > ended + CUT_WITHIN)),
            _ => return (now, message.answer().code, late),
        }
    }
}

#[test]
fn a_running_search_is_cut_when_its_grant_ends() {
    let (_slapd, wire, gate) = slow();
    let mut best = Duration::MAX;
    for round in 0..TRIES {
        wire.slow_entries(Duration::from_millis(2));
        let grant = gate.granted("alice", "big-reader", &[]);
        let mut client = gate.client_as("alice");
        let search = big();
        let id = client.send(&search.encoded(), &[]);
        assert_eq!(client.receive_for(id).tag, tag::ENTRY);
        let (ended, code, late) = std::thread::scope(|scope| {
            let (say, said) = std::sync::mpsc::channel();
            let (gate, grant) = (&gate, &grant);
            scope.spawn(move || {
                match round % 3 {
                    0 => gate.cli("alice", &["release", grant]).expect(0),
                    1 => gate.cli("root-admin", &["lock", &person("alice"), "--reason", "laptop lost"]).expect(0),
                    _ => gate.cli("bob", &["revoke", grant, "--reason", "enough"]).expect(0),
                };
                let _ = say.send(Instant::now());
            });
            let at = std::cell::Cell::new(None);
            let since = || {
                at.set(at.get().or_else(|| said.try_recv().ok()));
                at.get()
            };
            let (end, code, late) = read_to_end(&mut client, id, &since);
            // The answer may still be on its way to us when the search has been cut already.
            let answered = at.get().unwrap_or_else(|| said.recv().unwrap());
            (end.saturating_duration_since(answered), code, late)
        });
        // RFC 4511 appendix A: insufficientAccessRights. This holds in every round, however late.
        assert_eq!(code, 50);
        let asked = wire.heard();
        let search = asked.iter().rfind(|m| m.tag == tag::SEARCH && m.body.windows(6).any(|w| w == b"ou=big")).unwrap();
        wire.wait_for("the abandon upstream", |m| {
            m.tag == tag::ABANDON && m.connection == search.connection && value(&m.body) == search.id
        });
        if late == 0 {
            best = best.min(ended);
        }
        // The session goes on with what needs no grant (once the wire is clear of what slapd had sent).
        wire.slow_entries(Duration::ZERO);
        assert_eq!(client.search(&Search::new(person("bob")).scope(SCOPE_BASE)).answer.code, 0);
        assert_eq!(client.search(&big()).answer.code, 50);
        if round % 3 == 1 {
            gate.cli("root-admin", &["unlock", &person("alice").to_uppercase()]).expect(0);
        }
    }
    println!("cut {best:?} after the answer, at best of {TRIES}");
    assert!(best <= CUT_WITHIN, "cut no sooner than {best:?} after the answer");
}

#[test]
fn a_running_search_is_cut_when_its_grant_expires() {
    let (_slapd, wire, gate) = slow();
    wire.slow_entries(Duration::from_millis(3));
    gate.granted("alice", "big-reader", &["--for", "2s"]);
    let mut client = gate.client_as("alice");
    let id = client.send(&big().encoded(), &[]);
    // 3,000 entries of 3 ms would take nine seconds.
    let (_, code, _) = read_to_end(&mut client, id, &|| None);
    assert_eq!(code, 50);
    wire.slow_entries(Duration::ZERO);
    assert_eq!(client.search(&Search::new(person("bob")).scope(SCOPE_BASE)).answer.code, 0);
}

#[test]
fn other_operations_of_the_session_go_on() {
    let (_slapd, wire, gate) = slow();
    let grant = gate.granted("alice", "big-reader", &[]);
    let mut client = gate.client_as("alice");
    wire.slow_entries(Duration::from_millis(5));
    let rests = client.send(&big().encoded(), &[]);
    assert_eq!(client.receive_for(rests).tag, tag::ENTRY);
    let free = client.send(&Search::new(format!("ou=people,{BASE}")).encoded(), &[]);
    gate.cli("alice", &["release", &grant]).expect(0);
    wire.slow_entries(Duration::ZERO);
    let (mut cut, mut done, mut entries) = (None, None, 0);
    while cut.is_none() || done.is_none() {
        let message = client.receive().expect("an answer");
        match (message.id == free, message.tag) {
            (true, tag::ENTRY) => entries += 1,
            (true, _) => done = Some(message.answer().code),
            (false, tag::ENTRY) => {}
            (false, _) => cut = Some(message.answer().code),
        }
    }
    assert_eq!((cut, done, entries), (Some(50), Some(0), 8));
}

#[test]
fn a_search_that_redacts_what_was_held_is_cut_too() {
    let (_slapd, wire, gate) = slow();
    let grant = gate.granted("alice", "big-reader", &[]);
    let mut client = gate.client_as("alice");
    wire.slow_entries(Duration::from_millis(2));
    // From above: it rests on the grant as well, for what the grant opens of it.
    let id = client.send(&Search::new(BASE).filter("(sn=Employee)").encoded(), &[]);
    assert_eq!(client.receive_for(id).tag, tag::ENTRY);
    gate.cli("alice", &["release", &grant]).expect(0);
    let (_, code, _) = read_to_end(&mut client, id, &|| None);
    assert_eq!(code, 50);
}

/// An attribute is hidden in a part of what is searched: the directory is asked twice, and the grant ends the second time.
#[test]
fn a_search_is_cut_in_whichever_stage_it_is() {
    let slapd = Slapd::with(Extra { big: (300, 200), ..Extra::default() });
    let wire = Wire::to(slapd.ldap);
    let numbers = format!("[[resource]]\nname = \"numbers\"\nbase = \"ou=big,{BASE}\"\nattributes = [\"mobile\"]\n");
    let gate = Setup::default().policy(POLICY).and(&numbers).plain_directory(wire.port).start(&slapd);
    let grant = gate.granted("alice", "big-reader", &[]);
    let mut client = gate.client_as("alice");
    wire.slow_entries(Duration::from_millis(3));
    let id = client.send(&Search::new(BASE).filter("(|(uid=b*)(mobile=*))").encoded(), &[]);
    // Bob comes from the first stage, and those below `ou=big` from the second.
    let first = client.receive_for(id).entry();
    assert_eq!(first.dn, person("bob"));
    assert!(client.receive_for(id).entry().dn.ends_with(&format!("ou=big,{BASE}")));
    wire.hold(true);
    gate.cli("alice", &["release", &grant]).expect(0);
    let (_, code, _) = read_to_end(&mut client, id, &|| None);
    assert_eq!(code, 50);
    let heard = wire.heard();
    let asked = heard.iter().filter(|m| m.tag == tag::SEARCH && m.body.windows(5).any(|w| w == b"\x04\x03uid"));
    let asked: Vec<_> = asked.map(|m| (m.connection, m.id)).collect();
    assert_eq!(asked.len(), 2, "{asked:?}");
    wire.wait_for("the abandon upstream", |m| m.tag == tag::ABANDON && (m.connection, value(&m.body)) == asked[1]);
    wire.hold(false);
    wire.slow_entries(Duration::ZERO);
    assert_eq!(client.search(&Search::new(person("bob")).scope(SCOPE_BASE)).answer.code, 0);
}

#[test]
fn a_session_whose_bind_rested_on_the_grant_is_closed() {
    let (_slapd, _wire, gate) = slow();
    let app = format!("cn=app,ou=services,{BASE}");
    let mut client = gate.client();
    assert_ne!(client.bind(&app, "app-secret").code, 0);
    let grant = gate.granted("alice", "service-login", &["--subject", &app]);
    assert_eq!(client.bind(&app, "app-secret").code, 0);
    assert_eq!(client.who_am_i(), format!("dn:{app}"));
    let mut bystander = gate.client_as("alice");
    gate.cli("bob", &["revoke", &grant, "--reason", "enough"]).expect(0);
    let last = client.receive().expect("a notice");
    assert!(last.notice_of_disconnection().is_some(), "{last:?}");
    assert_eq!(client.receive(), None);
    assert_eq!(bystander.who_am_i(), format!("dn:{}", person("alice")));
}

/// What waits for a client that does not read is taken back; what was written cannot be.
#[test]
fn what_waits_for_a_stalled_client_is_withheld_when_the_grant_ends() {
    let slapd = Slapd::with(Extra { big: (3_000, 20_000), ..Extra::default() });
    let gate = Setup::default().policy(POLICY).start(&slapd);
    let mut withheld = 0;
    // The end may come before the queue is full.
    for _ in 0..TRIES {
        let grant = gate.granted("alice", "big-reader", &[]);
        let mut client = gate.client_as("alice");
        let id = client.send(&big().encoded(), &[]);
        assert_eq!(client.receive_for(id).tag, tag::ENTRY);
        gate.cli("bob", &["revoke", &grant, "--reason", "enough"]).expect(0);
        let mut entries = 1;
        let code = loop {
            let message = client.receive_for(id);
            match message.tag {
                tag::ENTRY => entries += 1,
                _ => break message.answer().code,
            }
        };
        assert_eq!(code, 50);
        let grant = grant.as_str();
        let record = gate.audit.wait_for("the search", |r| r["operation"] == "search" && r["grant"] == grant);
        // The log says what the client got, not what was meant for it.
        assert_eq!(record["entries"].as_u64(), Some(entries), "{record}");
        withheld = withheld.max(record["withheld"].as_u64().unwrap_or_default());
        if withheld > 0 {
            break;
        }
    }
    assert!(withheld > 0, "everything that waited was passed on");
}

#[test]
fn a_slow_client_holds_up_nobody_and_fills_no_memory() {
    let slapd = Slapd::with(Extra { big: (3_000, 20_000), ..Extra::default() });
    let gate = Setup::default().start(&slapd);
    let mut slow = gate.client_as("alice");
    let before = gate.memory();
    let ids: Vec<i32> = (0..4).map(|_| slow.send(&big().encoded(), &[])).collect();
    assert_eq!(slow.receive().map(|m| m.tag), Some(tag::ENTRY));
    // 240 MB are asked for and not read. Others are served; the gate holds no more than its bounded queues.
    let mut other = gate.client_as("bob");
    for _ in 0..50 {
        assert_eq!(other.search(&Search::new(person("bob")).scope(SCOPE_BASE)).answer.code, 0);
    }
    let grown = gate.memory().saturating_sub(before);
    assert!(grown < 60 * 1024, "the gate grew by {grown} KiB");
    // And nothing is lost: all of it comes when it is read.
    let (mut entries, mut done) = (1, 0);
    while done < ids.len() {
        match slow.receive().expect("an answer").tag {
            tag::ENTRY => entries += 1,
            _ => done += 1,
        }
    }
    assert_eq!(entries, ids.len() * 3_001);
    let grown = gate.memory().saturating_sub(before);
    println!("grown by {grown} KiB for a slow client of {entries} entries");
    assert!(grown < 60 * 1024, "the gate grew by {grown} KiB");
}
