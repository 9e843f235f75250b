//! A process to kill: this same test binary, told by the environment to approve requests on a
//! store and to say what was acknowledged and what is open, a line each.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tidegate::daemon::broker::{Broker, EventSink, Word};
use tidegate::daemon::clock::Clock;
use tidegate::daemon::state::Shared;
use tidegate::daemon::store::GrantStore;
use tidegate::daemon::store::sled::SledStore;
use tidegate::engine::access::{DirectoryFacts, Snapshot};
use tidegate::engine::grant::history::{Actor, Identity};
use tidegate::engine::grant::index::ActiveGrants;
use tidegate::engine::policy::groups::Groups;
use tidegate::engine::policy::resource::{Resource, ResourceIndex, ResourceScope};
use tidegate::engine::policy::role::{Allow, Role, SecondFactor};
use tidegate::engine::policy::selector::Selector;
use tidegate::engine::policy::{Mode, OperationSet, Policy, RefusalStyle};
use tidegate::engine::workflow::Verdict;
use tidegate::engine::workflow::asking::Wish;

/// Which store the child is to work on.
const STORE: &str = "TIDEGATE_TEST_STORE";

/// What the child says. Lines that something else prints are none of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// The store is open.
    Ready,
    /// An approval was acknowledged; this is the grant.
    Approved(String),
    /// A grant is in the snapshot that decisions read.
    Opened(String),
    /// A release was acknowledged.
    Ended(String),
}

/// A running child. Dropping it kills it.
pub(super) struct Child {
    process: std::process::Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Child {
    /// Runs the named test of this binary as a child.
    pub(super) fn start(test: &str, store: &Path) -> Child {
        let mut process = Command::new(std::env::current_exe().expect("this binary"))
            .args(["--exact", test, "--nocapture", "--test-threads=1"])
            .env(STORE, store)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let lines = BufReader::new(process.stdout.take().expect("its output")).lines();
        Child { process, lines }
    }

    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    /// What it says next; nothing more once it is gone.
    pub(super) fn next(&mut self) -> Option<Said> {
        loop {
            let line = self.lines.next()?.expect("text");
            // The last line may be cut off: only whole ones end in a full stop.
            let Some(line) = line.strip_suffix('.') else { continue };
            // The test harness leaves its own line unfinished.
            let line = line.rsplit(" ... ").next().unwrap_or(line);
            return Some(match line.split_once(' ') {
                None if line == "ready" => Said::Ready,
                Some(("approved", grant)) => Said::Approved(grant.to_owned()),
                Some(("opened", grant)) => Said::Opened(grant.to_owned()),
                Some(("ended", grant)) => Said::Ended(grant.to_owned()),
                _ => continue,
            });
        }
    }

    /// `kill -9`.
    pub(super) fn kill(&mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it is gone");
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Gone already, mostly.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(super) fn is_child() -> bool {
    std::env::var_os(STORE).is_some()
}

/// Approves and releases until it is killed.
pub(super) fn run() {
    let path = PathBuf::from(std::env::var_os(STORE).expect("the store"));
    let (broker, shared) = house(Arc::new(SledStore::open(&path).expect("the store opens")));
    say("ready", "");
    let watcher = Arc::clone(&shared);
    std::thread::spawn(move || watch(&watcher));
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let broker = Arc::clone(&broker);
            std::thread::spawn(move || work(&broker))
        })
        .collect();
    for worker in workers {
        worker.join().expect("it works until it is killed");
    }
}

fn work(broker: &Broker) {
    let (anna, bert) = (person("anna"), person("bert"));
    let wish = Wish { role: "editor".to_owned(), reason: "payslips".to_owned(), ..Wish::default() };
    for number in 0_u64.. {
        let request = broker.ask(&wish, &anna, false).expect("a request");
        let digest = request.digest();
        let word = Word { verdict: Verdict::Approve, reason: None, digest: &digest, revision: request.revision };
        let grant = broker.review(&request.id, word, &bert).expect("approved").grant.expect("a grant");
        say("approved ", &grant);
        if number % 3 == 0 {
            broker.release(&grant, &anna).expect("released");
            say("ended ", &grant);
        }
    }
}

/// Says of each grant that it is open, as soon as a session could see it.
fn watch(shared: &Shared) {
    let mut known = std::collections::BTreeSet::new();
    let mut generation = None;
    loop {
        let now = *shared.generation.borrow();
        if generation.replace(now) == Some(now) {
            std::thread::sleep(Duration::from_micros(50));
            continue;
        }
        for grant in shared.snapshot.load().grants.iter() {
            if known.insert(Arc::clone(&grant.id)) {
                say("opened ", &grant.id);
            }
        }
    }
}

/// One whole line in one write.
fn say(what: &str, about: &str) {
    let line = format!("{what}{about}.\n");
    std::io::stdout().lock().write_all(line.as_bytes()).expect("somebody listens");
}

struct Nobody;

impl EventSink for Nobody {
    fn event(&self, _: serde_json::Value) {}
}

fn person(name: &str) -> Actor {
    let dn = format!("uid={name},ou=people,dc=x").parse().expect("a name");
    Actor::own(Identity::of_dn(dn), "local")
}

/// A broker on this store, for a company of anna and bert.
pub(super) fn house(store: Arc<dyn GrantStore>) -> (Arc<Broker>, Arc<Shared>) {
    let hour = Duration::from_secs(3_600);
    let resource = Resource {
        name: "payroll".into(),
        base: "ou=payroll,dc=x".parse().expect("a name"),
        scope: ResourceScope::Subtree,
        operations: OperationSet::all(),
        attributes: None,
        on_missing: None,
    };
    let role = Role {
        name: "editor".into(),
        description: String::new(),
        allow: vec![Allow {
            resource: ResourceIndex(0),
            operations: OperationSet::all(),
            base: None,
            attributes: None,
        }],
        eligible: vec![Selector::Anyone],
        approvers: vec![Selector::Anyone],
        beneficiaries: Vec::new(),
        approvals: 1,
        stages: Vec::new(),
        automatic: Vec::new(),
        break_glass: Vec::new(),
        max_duration: hour,
        default_duration: hour,
        request_ttl: hour,
        max_lead: hour,
        reason_required: true,
        ticket_pattern: None,
        second_factor: SecondFactor::default(),
        replicate: false,
        on_missing: None,
    };
    let policy = Policy::new(Mode::Enforce, RefusalStyle::Explain, vec![resource], Vec::new(), vec![Arc::new(role)]);
    let shared = Arc::new(Shared::new(Snapshot {
        policy: Arc::new(policy),
        grants: Arc::new(ActiveGrants::new()),
        groups: Arc::new(Groups::default()),
        directory: Arc::new(DirectoryFacts::default()),
        recording: true,
        rates: Arc::default(),
        trials: Arc::default(),
    }));
    let broker = Broker::new(store, Arc::clone(&shared), Clock::new(), Arc::new(Nobody)).expect("the store reads");
    (Arc::new(broker), shared)
}
