//! How soon a running search is cut, for each way in which what it rests on can end; and that it goes on
//! where nothing ends. Counted from the whole answer of the control API (for an expiry from `until`) to the last
//! octet that the client receives of the search.

use super::*;
use crate::support::eventually;
use crate::support::https::Https;
use crate::support::slapd::password;
use serde_json::json;

/// Between two entries on their way to the gate.
const ENTRY: Duration = Duration::from_millis(2);

/// A gate that runs a search of Alice's for long enough, and who ends it.
struct Stage {
    _slapd: Slapd,
    wire: Wire,
    gate: Gate,
    bob: Https,
    root: Https,
}

/// What a client saw of one search.
struct Seen {
    entries: Vec<Instant>,
    end: Instant,
    /// `None`: the session was closed.
    code: Option<i32>,
}

impl Stage {
    fn set() -> Stage {
        let slapd = Slapd::with(Extra { big: (3_000, 200), ..Extra::default() });
        let wire = Wire::to(slapd.ldap);
        let gate = Setup::default().policy(POLICY).https().plain_directory(wire.port).start(&slapd);
        let [bob, root] = ["bob", "root-admin"].map(|name| Https::new(&gate).logged_in(name, &password(name)));
        Stage { _slapd: slapd, wire, gate, bob, root }
    }

    /// Runs a search under a fresh grant, has it ended by `end`, which returns when that was so, and says how much
    /// later the client's last octet came.
    fn cut(&self, duration: &str, code: Option<i32>, end: impl FnOnce(&str) -> Instant) -> Duration {
        self.wire.slow_entries(ENTRY);
        let grant = self.gate.granted("alice", "big-reader", &["--for", duration]);
        let mut client = self.gate.client_as("alice");
        let id = client.send(&big().encoded(), &[]);
        assert_eq!(client.receive_for(id).tag, tag::ENTRY);
        let reader = std::thread::spawn(move || read(&mut client, id));
        let ended = end(&grant);
        let seen = reader.join().unwrap();
        // This holds every time, however late.
        assert_eq!(seen.code, code);
        let took = seen.end.saturating_duration_since(ended);
        // And nothing comes after the moment in which it was cut but what was on its way.
        let late = seen.entries.iter().filter(|at| **at > ended).count();
        assert!(late as u128 <= took.as_micros() / ENTRY.as_micros() + 50, "{late} entries in {took:?}");
        self.wire.slow_entries(Duration::ZERO);
        took
    }

    fn answered(&self, who: &Https, path: &str, body: &serde_json::Value) -> Instant {
        let answer = who.post(path, body);
        let now = Instant::now();
        assert!(answer.status < 300, "{answer:#?}");
        now
    }
}

fn read(client: &mut Client, id: i32) -> Seen {
    let mut entries = Vec::new();
    loop {
        let Some(message) = client.receive() else { return Seen { entries, end: Instant::now(), code: None } };
        let now = Instant::now();
        match message.tag {
            tag::ENTRY => entries.push(now),
            _ if message.id == id => return Seen { entries, end: now, code: Some(message.answer().code) },
            // A notice: the end of the connection follows.
            _ => {}
        }
    }
}

#[track_caller]
fn soon_enough(way: &str, one: impl Fn() -> Duration) -> String {
    let mut took: Vec<Duration> = (0..TRIES).map(|_| one()).collect();
    took.sort();
    assert!(took[0] <= CUT_WITHIN, "{way}: {took:?}");
    format!("{way}: cut {:?} after the answer, {:?} at most, of {TRIES}", took[TRIES / 2], took[TRIES - 1])
}

#[test]
fn by_whoever_ends_the_grant() {
    let stage = Stage::set();
    let alice = Https::new(&stage.gate).logged_in("alice", &password("alice"));
    let told = soon_enough("revoke", || {
        stage.cut("1h", Some(50), |grant| {
            stage.answered(&stage.bob, &format!("/v1/grants/{grant}/revoke"), &json!({ "reason": "enough" }))
        })
    });
    println!("{told}");
    let told = soon_enough("release", || {
        stage.cut("1h", Some(50), |grant| stage.answered(&alice, &format!("/v1/grants/{grant}/release"), &json!({})))
    });
    println!("{told}");
    let told = soon_enough("lock", || {
        let subject = json!({ "subject": person("alice"), "reason": "laptop lost" });
        let took = stage.cut("1h", Some(50), |_| stage.answered(&stage.root, "/v1/locks", &subject));
        stage.gate.cli("root-admin", &["unlock", &person("alice")]).expect(0);
        took
    });
    println!("{told}");
}

#[test]
fn by_its_time() {
    let stage = Stage::set();
    let told = soon_enough("expiry", || {
        stage.cut("3s", Some(50), |grant| {
            let shown = stage.gate.json("alice", &["show", grant]);
            let until = chrono::DateTime::parse_from_rfc3339(shown["until"].as_str().unwrap()).unwrap().to_utc();
            let (wall, now) = (chrono::Utc::now(), Instant::now());
            now + (until - wall).to_std().expect("it has not ended")
        })
    });
    println!("{told}");
}

#[test]
fn by_a_configuration_without_its_role_and_with_its_session() {
    let stage = Stage::set();
    let with = std::fs::read_to_string(&stage.gate.configuration).unwrap();
    let told = soon_enough("reload", || {
        let without = with.replace("name = \"big-reader\"", "name = \"another\"");
        let took = stage.cut("1h", Some(50), |_| {
            std::fs::write(&stage.gate.configuration, &without).unwrap();
            stage.answered(&stage.root, "/v1/reload", &json!({}))
        });
        std::fs::write(&stage.gate.configuration, &with).unwrap();
        stage.gate.cli("root-admin", &["reload"]).expect(0);
        took
    });
    println!("{told}");
    let told = soon_enough("kill", || {
        stage.cut("1h", None, |_| {
            let sessions = stage.root.get("/v1/sessions").json();
            let own = sessions.as_array().unwrap().iter().find(|one| one["subject"] == person("alice").as_str());
            let id = own.and_then(|one| one["id"].as_str()).unwrap_or_else(|| panic!("{sessions:#}"));
            stage.answered(&stage.root, &format!("/v1/sessions/{id}/kill"), &json!({ "reason": "enough" }))
        })
    });
    println!("{told}");
}

#[test]
fn an_extension_takes_over_in_the_middle_of_a_search() {
    let stage = Stage::set();
    stage.wire.slow_entries(ENTRY);
    let grant = stage.gate.granted("alice", "big-reader", &["--for", "4s"]);
    let mut client = stage.gate.client_as("alice");
    // 3,000 entries of 2 ms take longer than the grant has.
    let id = client.send(&big().encoded(), &[]);
    let request = stage.gate.json("alice", &["extend", &grant, "--for", "10m", "--reason", "not done yet"]);
    stage.gate.cli("bob", &["approve", request["id"].as_str().unwrap()]).expect(0);
    let seen = read(&mut client, id);
    let end = chrono::Utc::now();
    assert_eq!((seen.code, seen.entries.len()), (Some(0), 3_001));
    let state = |id: &str| stage.gate.json("alice", &["show", id])["state"].clone();
    eventually("the first has ended", || (state(&grant) == "expired").then_some(()));
    let next = stage.gate.json("alice", &["show", request["id"].as_str().unwrap()])["grant"].clone();
    let next = next.as_str().unwrap();
    assert_eq!(state(next), "active");
    let until = stage.gate.json("alice", &["show", &grant])["until"].clone();
    assert_eq!(stage.gate.json("alice", &["show", next])["from"], until, "without a gap");
    let border = chrono::DateTime::parse_from_rfc3339(until.as_str().unwrap()).unwrap();
    assert!(end > border, "the search was over at {end}, before {border}");
    stage.wire.slow_entries(Duration::ZERO);
    assert_eq!(client.search(&big()).answer.code, 0);
    // And it is the one that is cut.
    stage.gate.cli("bob", &["revoke", next, "--reason", "enough"]).expect(0);
    assert_eq!(client.search(&big()).answer.code, 50);
}
