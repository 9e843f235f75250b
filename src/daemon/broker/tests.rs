//! The broker: what opens when, what is told to whom, and what a restart finds.

mod clocks;
mod doing;
mod kept;
mod membership;
mod more;
mod names;
mod orders;
mod pairs;
mod races;
mod recovery;
mod scale;
mod telling;

use super::*;
use crate::daemon::store::memory::MemoryStore;
use crate::engine::access::DirectoryFacts;
use crate::engine::grant::fixture::{
    HOUR, editor, groups, person, person_as, policy, policy_of, resources, selectors, uid,
};
use crate::engine::grant::history::Identity;
use crate::engine::grant::index::ActiveGrants;
use crate::engine::grant::lifecycle::GrantState;
use crate::engine::ldap::Dn;
use crate::engine::policy::Policy;
use crate::engine::policy::groups::Membership;
use crate::engine::policy::role::Role;
use crate::engine::workflow::RequestState;
use chrono::TimeDelta;
use serde_json::Value;
use std::sync::{Mutex, PoisonError};

#[derive(Default)]
pub(in crate::daemon) struct Sink(Mutex<Vec<Value>>);

impl EventSink for Sink {
    fn event(&self, event: Value) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }
}

impl Sink {
    pub(in crate::daemon) fn take(&self) -> Vec<Value> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What was recorded last.
    pub(in crate::daemon) fn last(&self) -> Value {
        self.take().pop().unwrap_or_default()
    }

    /// What happened since the last look, in words.
    fn words(&self) -> Vec<String> {
        self.take().iter().map(|event| event["event"].as_str().unwrap_or("?").to_owned()).collect()
    }
}

/// A broker with all around it.
pub(in crate::daemon) struct House {
    pub(in crate::daemon) broker: Arc<Broker>,
    pub(in crate::daemon) shared: Arc<Shared>,
    pub(in crate::daemon) clock: Clock,
    pub(in crate::daemon) sink: Arc<Sink>,
}

impl House {
    fn new() -> (House, Arc<MemoryStore>) {
        let store = Arc::new(MemoryStore::new());
        (House::on(Arc::clone(&store) as Arc<dyn GrantStore>), store)
    }

    pub(in crate::daemon) fn on(store: Arc<dyn GrantStore>) -> House {
        House::with(store, Arc::new(policy()))
    }

    fn with(store: Arc<dyn GrantStore>, policy: Arc<Policy>) -> House {
        House::at(store, policy, Clock::new())
    }

    fn at(store: Arc<dyn GrantStore>, policy: Arc<Policy>, clock: Clock) -> House {
        House::build(store, policy, clock, None)
    }

    /// One whose steps go to this log, and to no sink.
    fn logging(store: Arc<dyn GrantStore>, log: Arc<dyn EventSink>) -> House {
        House::build(store, Arc::new(policy()), Clock::new(), Some(log))
    }

    fn build(store: Arc<dyn GrantStore>, policy: Arc<Policy>, clock: Clock, log: Option<Arc<dyn EventSink>>) -> House {
        // Who is in which group stays known for as long as the test runs.
        let mut read = clock.now();
        read.monotonic += 100 * HOUR;
        let shared = Arc::new(Shared::new(Snapshot {
            policy,
            grants: Arc::new(ActiveGrants::new()),
            groups: Arc::new(groups(read)),
            directory: Arc::new(DirectoryFacts::default()),
            recording: true,
            rates: Arc::default(),
            trials: Arc::default(),
        }));
        shared.authority.store(Arc::new(authority()));
        let sink = Arc::new(Sink::default());
        let events = log.unwrap_or_else(|| Arc::clone(&sink) as Arc<dyn EventSink>);
        let broker = Broker::new(store, Arc::clone(&shared), clock.clone(), events).expect("a store that reads");
        House { broker: Arc::new(broker), shared, clock, sink }
    }

    pub(in crate::daemon) fn ask(&self) -> Request {
        self.ask_for(&wish())
    }

    fn ask_for(&self, wish: &Wish) -> Request {
        self.broker.ask(wish, &person("anna"), false).expect("a request")
    }

    pub(in crate::daemon) fn approve(&self, request: &Request, who: &str) -> Result<Request, BrokerError> {
        self.word(request, who, Verdict::Approve)
    }

    fn word(&self, request: &Request, who: &str, verdict: Verdict) -> Result<Request, BrokerError> {
        let digest = request.digest();
        let word = Word { verdict, reason: Some("because"), digest: &digest, revision: request.revision };
        self.broker.review(&request.id, word, &person(who))
    }

    /// A grant that is active.
    pub(in crate::daemon) fn granted(&self) -> Grant {
        let approved = self.approve(&self.ask(), "lars").expect("an approval");
        self.broker.grant(&approved.grant.expect("a grant"), &person("anna")).expect("which anna sees")
    }

    /// The grants in the snapshot.
    pub(in crate::daemon) fn open(&self) -> Vec<String> {
        self.shared.snapshot.load().grants.iter().map(|grant| grant.id.to_string()).collect()
    }

    fn state(&self, grant: &Grant) -> GrantState {
        self.broker.grant(&grant.id, &person("anna")).expect("a grant").state
    }

    pub(in crate::daemon) fn pass(&self, seconds: i64) {
        self.clock.set_wall_offset(TimeDelta::seconds(seconds));
    }
}

fn authority() -> Authority {
    Authority {
        administrators: selectors(&["dn:uid=root,ou=people,dc=x"]),
        auditors: selectors(&["dn:uid=rita,ou=people,dc=x"]),
        metrics: Vec::new(),
        act_as: selectors(&["local:olga"]),
        trust_act_as: false,
        max_pending: Some(20),
        requests_per_hour: None,
        local_subject: None,
    }
}

fn waiting_list(waiting: bool) -> RequestList {
    RequestList { waiting, ..RequestList::default() }
}

fn wish() -> Wish {
    Wish { role: "editor".to_owned(), reason: "payslips".to_owned(), ..Wish::default() }
}

#[test]
fn a_grant_opens_when_its_approval_is_kept_and_closes_when_it_ends() {
    let (house, _) = House::new();
    let mut generation = house.shared.watch();
    let request = house.ask();
    assert!(request.id.starts_with("req-") && request.id.len() == 14, "{}", request.id);
    assert!(house.open().is_empty());
    assert!(!generation.has_changed().expect("shared lives"), "a request opens nothing");
    let grant = house.granted();
    assert_eq!(house.open(), std::slice::from_ref(&grant.id));
    assert!(generation.has_changed().expect("shared lives"));
    let snapshot = house.shared.snapshot.load();
    let active = snapshot.grants.get(&uid("anna")).next().expect("anna's");
    assert!(active.is_active(house.clock.now()));
    assert_eq!((&*active.request, &*active.role), (grant.request.as_str(), "editor"));
    generation.mark_unchanged();
    house.broker.release(&grant.id, &person("anna")).expect("released");
    assert!(house.open().is_empty());
    assert!(generation.has_changed().expect("shared lives"), "running sessions are told");
    let error = house.broker.revoke(&grant.id, "late", &person("lars")).expect_err("it is over");
    assert_eq!(error.word(), "already-ended");
    assert_eq!(house.broker.live_grants(), 0);
}

#[test]
fn what_cannot_be_kept_opens_nothing() {
    let (house, store) = House::new();
    let (held, request) = (house.granted(), house.ask());
    store.fail("no space left");
    let error = house.approve(&request, "lars").expect_err("not kept");
    assert_eq!(error, BrokerError::Store(StoreError::Failed("no space left".to_owned())));
    assert_eq!(house.open(), std::slice::from_ref(&held.id));
    assert_eq!(house.broker.request(&request.id, &person("anna")).expect("read").state, RequestState::Pending);
    assert_eq!(house.broker.ask(&wish(), &person("anna"), false).expect_err("not kept").word(), "store-failed");
    // An end is in force all the same.
    house.broker.revoke(&held.id, "now", &person("lars")).expect("kept beside the store");
    assert!(house.open().is_empty());
    assert!(house.broker.failure().is_some());
}

#[test]
fn nothing_is_approved_while_operations_cannot_be_recorded() {
    let (house, _) = House::new();
    let request = house.ask();
    house.shared.update(|snapshot| Snapshot { recording: false, ..snapshot.clone() });
    assert_eq!(house.approve(&request, "lars").expect_err("refused"), BrokerError::NotRecording);
    assert!(house.open().is_empty());
    assert_eq!(house.word(&request, "lars", Verdict::Deny).expect("a no is fine").state, RequestState::Denied);
}

#[test]
fn nothing_is_kept_that_a_restart_could_not_read() {
    let (house, store) = House::new();
    let sync = "dn:cn=sync,dc=x";
    let role = Role { beneficiaries: selectors(&["subtree:dc=x", sync]), ..editor() };
    house.broker.install(Arc::new(policy_of(resources(), vec![role])), authority());
    let calendar_end = chrono::DateTime::<chrono::Utc>::MAX_UTC - TimeDelta::days(1);
    for (what, wish) in [
        ("a start at the end of the calendar", Wish { start: Some(calendar_end), ..wish() }),
        ("a start in a year of five digits", Wish { start: "+12026-06-30T23:59:60Z".parse().ok(), ..wish() }),
        // Read as given, this would be three times as long when it is written out.
        (
            "a name that grows",
            Wish { subject: Dn::parse(format!("cn={},dc=x", "\u{1}".repeat(5_000)).as_bytes()).ok(), ..wish() },
        ),
    ] {
        // Refused or not: what there is afterwards can be read.
        let _ = house.broker.ask(&wish, &person("anna"), false);
        house.broker.requests(&person("root"), |_| true).unwrap_or_else(|error| panic!("{what}: {error}"));
    }
    House::on(store);
}

/// What is left of a record's bound is for those who decide, revoke and sign off.
#[test]
fn a_request_leaves_room_for_its_end() {
    let (house, _) = House::new();
    let lines = (0..20).map(|_| editor().allow.remove(0)).collect();
    house.broker.install(Arc::new(policy_of(resources(), vec![Role { allow: lines, ..editor() }])), authority());
    let mut kept = 0;
    for length in (50..6_200).step_by(50) {
        let base = format!("cn={},ou=payroll,dc=x", "a".repeat(length)).parse().ok();
        let narrowing = crate::engine::grant::scope::Narrowing { base, ..Default::default() };
        let Ok(request) = house.broker.ask(&Wish { narrowing, ..wish() }, &person("anna"), false) else { continue };
        kept += 1;
        let grant = house.approve(&request, "lars").expect("approved").grant.expect("a grant");
        let longest = "\u{10348}".repeat(crate::engine::workflow::MAX_TEXT);
        house.broker.revoke(&grant, &longest, &person("lars")).expect("its end is kept");
    }
    assert!(kept > 10, "{kept}");
}

#[test]
fn a_dry_run_keeps_nothing() {
    let (house, _) = House::new();
    let request = house.broker.ask(&wish(), &person("anna"), true).expect("what it would be");
    assert_eq!((request.id.as_str(), request.scope.0.len()), ("", 3));
    assert!(house.broker.requests(&person("root"), |_| true).expect("read").is_empty());
    assert!(house.sink.take().is_empty());
}

#[test]
fn only_those_who_may_see_it_learn_that_it_exists() {
    let (house, _) = House::new();
    let grant = house.granted();
    for (name, expected) in [("anna", true), ("lars", true), ("root", true), ("rita", true), ("bert", false)] {
        let actor = person(name);
        assert_eq!(house.broker.grant(&grant.id, &actor).is_ok(), expected, "{name}");
        assert_eq!(house.broker.request(&grant.request, &actor).is_ok(), expected, "{name}");
        assert_eq!(house.broker.grants(&actor, false).expect("read").len(), usize::from(expected), "{name}");
        assert_eq!(house.broker.grants(&actor, true).expect("read").len(), usize::from(expected), "{name}");
        assert_eq!(house.broker.requests(&actor, |_| true).expect("read").len(), usize::from(expected), "{name}");
    }
    let bert = person("bert");
    for error in [
        house.broker.revoke(&grant.id, "why", &bert).expect_err("hidden"),
        house.broker.release(&grant.id, &bert).expect_err("hidden"),
        house.broker.cancel(&grant.request, None, &bert).expect_err("hidden"),
        house.broker.release(&grant.request, &person("anna")).expect_err("a request is no grant"),
    ] {
        assert_eq!(error.word(), "not-found", "{error}");
    }
}

#[test]
fn the_clock_activates_expires_and_lapses() {
    let (house, _) = House::new();
    let start = house.clock.now().wall + TimeDelta::seconds(1_000);
    let later = house.ask_for(&Wish { start: Some(start), ..wish() });
    let approved = house.approve(&later, "lars").expect("approved");
    let waiting = house.ask();
    let id = approved.grant.expect("a grant");
    let state = || house.broker.grant(&id, &person("anna")).expect("a grant").state;
    house.broker.settle();
    assert_eq!((state(), house.open().len()), (GrantState::Scheduled, 0));
    house.pass(1_001);
    house.broker.settle();
    assert_eq!((state(), house.open()), (GrantState::Active, vec![id.clone()]));
    house.pass(1_000 + 3_600);
    assert_eq!(house.broker.grants(&person("anna"), true).expect("read").len(), 0, "over by the clock");
    house.broker.settle();
    assert_eq!((state(), house.open().len()), (GrantState::Expired, 0));
    house.pass(8 * 3_600);
    house.broker.settle();
    let waited = house.broker.request(&waiting.id, &person("anna")).expect("a request");
    assert_eq!((waited.state, waited.revision), (RequestState::Lapsed, 2));
    house.broker.settle();
    assert_eq!(house.broker.request(&waiting.id, &person("anna")).expect("a request").revision, 2, "once");
    let words = house.sink.words();
    assert_eq!(words, ["requested", "approved", "granted", "requested", "activated", "expired", "lapsed"]);
}

#[tokio::test]
async fn the_background_task_does_what_is_due() {
    let (house, _) = House::new();
    let grant = house.granted();
    let mut generation = house.shared.watch();
    let task = tokio::spawn(Arc::clone(&house.broker).run());
    generation.mark_unchanged();
    house.pass(3_601);
    generation.changed().await.expect("shared lives");
    assert!(house.open().is_empty());
    assert_eq!(house.state(&grant), GrantState::Expired);
    task.abort();
}

#[test]
fn a_new_configuration_ends_what_it_does_not_allow() {
    let (house, _) = House::new();
    let (grant, _request) = (house.granted(), house.ask());
    let same = Arc::new(policy());
    assert!(house.broker.install(Arc::clone(&same), authority()).is_empty());
    assert_eq!(house.open(), std::slice::from_ref(&grant.id));
    assert!(Arc::ptr_eq(&house.shared.snapshot.load().policy, &same));
    let without = Arc::new(policy_of(resources(), vec![]));
    let shown =
        |endings: Vec<Ending>| endings.into_iter().map(|ending| (ending.grant.id, ending.why)).collect::<Vec<_>>();
    let expected = [(grant.id.clone(), "the role editor is no longer configured".to_owned())];
    assert_eq!(shown(house.broker.would_end(&without)), expected);
    assert_eq!(house.open(), std::slice::from_ref(&grant.id), "that was only asked");
    assert!(house.broker.would_end(&same).is_empty());
    assert_eq!(shown(house.broker.install(without, Authority::default())), expected);
    assert!(house.open().is_empty());
    // Its role is gone, so of anna, lars and root only anna still has to do with it.
    let ended = house.broker.grant(&grant.id, &person("anna")).expect("a grant");
    assert_eq!(ended.state, GrantState::Revoked);
    let why = ended.history.last().and_then(|entry| entry.reason.clone());
    assert_eq!(why.as_deref(), Some("the role editor is no longer configured"));
    assert!(house.broker.grant(&grant.id, &person("root")).is_err(), "who administers changed as well");
}

#[test]
fn resources_that_moved_place_are_still_the_ones_that_were_approved() {
    let (house, _) = House::new();
    house.granted();
    let mut turned = resources();
    turned.reverse();
    let mut role = editor();
    for allow in &mut role.allow {
        allow.resource.0 = 2 - allow.resource.0;
    }
    house.broker.install(Arc::new(policy_of(turned, vec![role])), authority());
    let snapshot = house.shared.snapshot.load();
    let grant = snapshot.grants.iter().next().expect("still open");
    let names: Vec<_> = grant
        .opens
        .iter()
        .filter_map(|opening| snapshot.policy.resource(opening.resource))
        .map(|resource| resource.name.to_string())
        .collect();
    assert_eq!(names, ["payroll", "writes", "people"]);
}

#[test]
fn a_grant_decided_under_the_configuration_before_opens_nothing() {
    let (house, store) = House::new();
    let grant = Grant { id: "grant-late".to_owned(), revision: 1, ..house.granted() };
    house.broker.install(Arc::new(policy_of(resources(), vec![])), authority());
    // As if it had been committed between the decision and now.
    let document = Document::Grant(grant.clone());
    store.commit(vec![document.to_record().expect("json")], Box::new(|| {})).expect("kept");
    house.broker.live.publish(&[document], &house.shared, house.clock.now());
    assert!(house.open().is_empty());
    house.broker.settle();
    assert_eq!(house.state(&grant), GrantState::Revoked);
    assert_eq!(house.broker.live_grants(), 0);
}

#[test]
fn a_grant_approved_under_the_configuration_before_ends_if_its_holder_may_no_longer_ask() {
    let (house, store) = House::new();
    let grant = Grant { id: "grant-late".to_owned(), revision: 1, ..house.granted() };
    let others = Role { eligible: selectors(&["dn:uid=bert,ou=people,dc=x"]), ..editor() };
    house.broker.install(Arc::new(policy_of(resources(), vec![others])), authority());
    let document = Document::Grant(grant.clone());
    store.commit(vec![document.to_record().expect("json")], Box::new(|| {})).expect("kept");
    house.broker.live.publish(&[document], &house.shared, house.clock.now());
    assert!(house.open().is_empty());
    house.broker.settle();
    assert_eq!(house.state(&grant), GrantState::Revoked);
}

#[test]
fn who_may_ask_is_looked_at_again_once_the_directory_has_said_it() {
    let (house, _) = House::new();
    let (annas, store) = (house.granted(), Arc::clone(&house.broker.store));
    // Nobody has read the new group yet: what it says of the holder is not known.
    let others = Role { eligible: selectors(&["group:cn=new,dc=x"]), ..editor() };
    let policy = Arc::new(policy_of(resources(), vec![others]));
    assert!(house.broker.install(Arc::clone(&policy), authority()).is_empty());
    house.broker.settle();
    assert_eq!((house.state(&annas), house.open().len()), (GrantState::Active, 1));
    let read = |house: &House, names: &[&str]| {
        let read_at = house.clock.now().monotonic + 100 * HOUR;
        let members = names.iter().map(|name| uid(name)).collect();
        house.shared.update(|snapshot| {
            let mut groups = crate::engine::policy::groups::Groups::clone(&snapshot.groups);
            groups.members.insert("cn=new,dc=x".parse().expect("a name"), Membership { members, read_at });
            Snapshot { groups: Arc::new(groups), ..snapshot.clone() }
        });
        house.broker.settle();
    };
    // The same over a restart, where nothing is known at first.
    let again = House::with(store, Arc::clone(&policy));
    assert_eq!(again.open(), std::slice::from_ref(&annas.id));
    read(&again, &["anna"]);
    assert_eq!((again.state(&annas), again.open().len()), (GrantState::Active, 1));
    read(&house, &["bert"]);
    assert_eq!((house.state(&annas), house.open().len()), (GrantState::Revoked, 0));
}

#[test]
fn a_clock_that_went_back_while_nothing_ran_gives_no_more_than_was_approved() {
    let (house, store) = House::new();
    house.pass(7_200);
    let grant = house.granted();
    let again = House::on(store);
    let (snapshot, now) = (again.shared.snapshot.load(), again.clock.now());
    let open = snapshot.grants.get(&uid("anna")).next().expect("anna's");
    assert!(!open.is_active(now), "it begins in two hours");
    assert!(open.until_monotonic <= now.monotonic + HOUR, "{:?} {grant:?}", open.until_monotonic);
}

#[test]
fn a_restart_finds_what_was_kept() {
    let (house, store) = House::new();
    let (active, ended) = (house.granted(), house.granted());
    house.broker.release(&ended.id, &person("anna")).expect("released");
    let pending = house.ask();
    let again = House::on(store);
    assert_eq!(again.open(), std::slice::from_ref(&active.id));
    let (snapshot, now) = (again.shared.snapshot.load(), again.clock.now());
    let open = snapshot.grants.get(&uid("anna")).next().expect("anna's");
    let left = (active.until - now.wall).to_std().expect("it is not over");
    assert!(open.until_monotonic <= now.monotonic + left + HOUR / 3_600);
    assert!(open.is_active(now));
    assert_eq!(again.approve(&pending, "lars").expect("goes on").state, RequestState::Approved);
}

#[test]
fn a_store_that_cannot_be_read_is_not_taken_over() {
    let (house, store) = House::new();
    house.granted();
    let record = crate::daemon::store::Record { id: "grant-x".to_owned(), revision: 1, body: Value::Null };
    store.commit(vec![record], Box::new(|| {})).expect("kept");
    let events = Arc::clone(&house.sink) as Arc<dyn EventSink>;
    let error = Broker::new(store, Arc::clone(&house.shared), house.clock.clone(), events).err();
    assert!(matches!(error, Some(StoreError::Corrupt { id, .. }) if id == "grant-x"));
}

#[test]
fn setting_the_clock_back_lengthens_nothing() {
    let (house, _) = House::new();
    house.granted();
    let until = || house.shared.snapshot.load().grants.iter().next().map(|grant| grant.until_monotonic);
    let before = until().expect("open");
    house.pass(-7_200);
    house.broker.install(Arc::new(policy()), authority());
    assert_eq!(until(), Some(before));
    let id = house.open().remove(0);
    house.broker.live.reconsider(&id, &house.shared, house.clock.now());
    assert_eq!(until(), Some(before));
}

#[test]
fn what_a_new_configuration_does_not_allow_is_closed_in_the_same_instant() {
    let (house, _) = House::new();
    let grant = house.granted();
    let shorter = Role { allow: editor().allow.split_off(1), ..editor() };
    let policy = Arc::new(policy_of(resources(), vec![shorter]));
    // Before its end is written down, and even if that fails.
    house.broker.live.install(policy, &house.shared, house.clock.now());
    assert!(house.open().is_empty());
    assert_eq!(house.state(&grant), GrantState::Active);
    house.broker.settle();
    assert_eq!(house.state(&grant), GrantState::Revoked);
}

#[test]
fn everything_is_recorded_with_both_names() {
    let (house, _) = House::new();
    let request = house.broker.ask(&wish(), &person_as("olga", "anna"), false).expect("a request");
    house.approve(&request, "anna").expect_err("their own");
    house.broker.cancel("req-nonesuch", None, &person("bert")).expect_err("there is none");
    house.approve(&request, "lars").expect("approved");
    let events = house.sink.take();
    let words: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap_or("?")).collect();
    assert_eq!(words, ["requested", "refused", "refused", "approved", "granted", "activated"]);
    let field = |event: usize, name: &str| events[event][name].as_str().unwrap_or("-").to_owned();
    assert_eq!((field(0, "by"), field(0, "acting_as")), (uid("olga").to_string(), uid("anna").to_string()));
    assert_eq!((field(1, "attempt"), field(1, "reason")), ("approve".to_owned(), "own-request".to_owned()));
    assert_eq!((field(2, "about"), field(2, "reason")), ("req-nonesuch".to_owned(), "not-found".to_owned()));
    assert_eq!((field(3, "by"), field(3, "acting_as")), (uid("lars").to_string(), "-".to_owned()));
    assert_eq!((&events[3]["revision_before"], &events[3]["revision_after"]), (&1.into(), &2.into()));
    assert_eq!((field(4, "request"), field(4, "grant")), (request.id.clone(), field(5, "grant")));
    assert_eq!((field(5, "by"), field(5, "subject")), ("tidegate".to_owned(), uid("anna").to_string()));
    assert_eq!(field(5, "connection_from"), "tidegate");
}
