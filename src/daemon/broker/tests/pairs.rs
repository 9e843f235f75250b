//! Every two transitions that can meet, each between the other's decision and its commit, and then side by side: what is
//! told fits what is kept, nothing ends twice, no request has two grants, and what is open is what is kept as active.

use super::orders::Ring;
use super::races::both;
use super::*;
use crate::daemon::store::sled::SledStore;
use crate::engine::grant::history::Happened;
use std::collections::{BTreeMap, BTreeSet};

/// What the two meet at.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Scene {
    /// A request that waits, for one approval.
    Waiting,
    /// For two.
    WaitingForTwo,
    /// The same, with one given.
    OneGiven,
    /// An active grant.
    Active,
    /// A grant that begins in a thousand seconds.
    Scheduled,
    /// A break-glass grant that has ended.
    Over,
    /// An active grant and a request to extend it.
    Extending,
    /// Nothing yet, or a lock.
    Nothing,
    Locked,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Act {
    Approve(&'static str),
    Deny,
    Cancel,
    Release,
    Revoke,
    SignOff,
    BreakGlass,
    Lock,
    Unlock,
    /// A configuration without the role is taken over.
    Reload,
    /// So many seconds have passed, and what is due is done.
    Pass(i64),
}

struct Row {
    scene: Scene,
    acts: [Act; 2],
    /// What the first is told when the second comes in between, and the second when the first does.
    late: [&'static str; 2],
    /// What the one who comes in between is told, where that is not `done`.
    early: [&'static str; 2],
    /// How many grants are open in the end, in either order.
    open: [usize; 2],
}

fn row(scene: Scene, acts: [Act; 2], late: [&'static str; 2], open: [usize; 2]) -> Row {
    Row { scene, acts, late, early: ["done"; 2], open }
}

fn rows() -> Vec<Row> {
    use Act::{Approve, BreakGlass, Cancel, Deny, Lock, Pass, Release, Reload, Revoke, SignOff, Unlock};
    const LAPSED: Act = Pass(8 * 3_600);
    const EXPIRED: Act = Pass(3_600);
    const BEGUN: Act = Pass(1_000);
    let ended = "already-ended";
    let told = |early, row| Row { early, ..row };
    vec![
        row(Scene::Waiting, [Approve("lars"), Approve("lena")], [ended; 2], [1, 1]),
        row(Scene::Waiting, [Approve("lars"), Approve("lars")], [ended; 2], [1, 1]),
        row(Scene::WaitingForTwo, [Approve("lars"), Approve("lars")], ["reviewed-already"; 2], [0, 0]),
        row(Scene::WaitingForTwo, [Approve("lars"), Approve("lena")], ["stale-review"; 2], [0, 0]),
        row(Scene::OneGiven, [Approve("lars"), Approve("lena")], [ended; 2], [1, 1]),
        row(Scene::Waiting, [Approve("lars"), Cancel], [ended; 2], [0, 1]),
        row(Scene::Waiting, [Approve("lars"), Deny], [ended; 2], [0, 1]),
        row(Scene::Waiting, [Deny, Cancel], [ended; 2], [0, 0]),
        // The deadline is part of the condition: who comes in between and after it is told so.
        told(["already-ended", "done"], row(Scene::Waiting, [Approve("lars"), LAPSED], [ended, "done"], [0, 0])),
        told(["already-ended", "done"], row(Scene::Waiting, [Cancel, LAPSED], [ended, "done"], [0, 0])),
        told(["already-ended", "done"], row(Scene::Active, [Revoke, EXPIRED], [ended, "done"], [0, 0])),
        told(["already-ended", "done"], row(Scene::Active, [Release, EXPIRED], [ended, "done"], [0, 0])),
        row(Scene::Active, [Release, Revoke], [ended; 2], [0, 0]),
        row(Scene::Active, [Release, Release], [ended; 2], [0, 0]),
        row(Scene::Active, [Release, Reload], [ended, "done"], [0, 0]),
        row(Scene::Active, [Release, Lock], [ended, "done"], [0, 0]),
        row(Scene::Waiting, [Approve("lars"), Lock], ["done"; 2], [0, 0]),
        row(Scene::Scheduled, [BEGUN, Lock], ["done"; 2], [0, 0]),
        row(Scene::Scheduled, [BEGUN, Revoke], ["done"; 2], [0, 0]),
        row(Scene::Scheduled, [BEGUN, Release], ["done"; 2], [0, 0]),
        row(Scene::Nothing, [BreakGlass, Lock], ["done"; 2], [0, 0]),
        row(Scene::Over, [SignOff, SignOff], ["signed-off-already"; 2], [0, 0]),
        // What it was to take over from has been ended: it may be approved in that very moment, and does not begin.
        row(Scene::Extending, [Approve("lars"), Revoke], ["done"; 2], [0, 0]),
        row(Scene::Extending, [Approve("lars"), Release], ["done"; 2], [0, 0]),
        told(["already-ended", "done"], row(Scene::Extending, [Approve("lars"), EXPIRED], [ended, "done"], [0, 0])),
        row(Scene::Nothing, [Lock, Lock], ["locked-already"; 2], [0, 0]),
        row(Scene::Locked, [Unlock, Unlock], ["not-locked"; 2], [0, 0]),
        // A configuration is nothing that is kept: only one of the orders can be forced there.
        row(Scene::Waiting, [Approve("lars"), Reload], ["done"; 2], [0, 0]),
    ]
}

/// What is there when two meet.
struct Met {
    broker: Arc<Broker>,
    clock: Clock,
    request: Option<Request>,
    grant: Option<String>,
}

impl Met {
    fn at(house: &House, scene: Scene) -> Met {
        let start = house.clock.now().wall + TimeDelta::seconds(1_000);
        let two = Wish { role: "vault".to_owned(), ..wish() };
        let id = |request: Request| request.grant.expect("a grant");
        let (request, grant) = match scene {
            Scene::Waiting => (Some(house.ask()), None),
            Scene::WaitingForTwo => (Some(house.ask_for(&two)), None),
            Scene::OneGiven => (Some(house.approve(&house.ask_for(&two), "bert").expect("one")), None),
            Scene::Active => (None, Some(house.granted().id)),
            Scene::Scheduled => {
                let request = house.ask_for(&Wish { start: Some(start), ..wish() });
                (None, Some(id(house.approve(&request, "lars").expect("approved"))))
            }
            Scene::Over => {
                let grant = id(house.ask_for(&emergency()));
                house.broker.release(&grant, &person("anna")).expect("released");
                (None, Some(grant))
            }
            Scene::Extending => {
                let grant = house.granted().id;
                let more = house.broker.extend(&grant, HOUR, "more", &person("anna")).expect("a request");
                (Some(more), Some(grant))
            }
            Scene::Nothing => (None, None),
            Scene::Locked => {
                house.broker.lock(&uid("anna"), "why", &person("root"), &[]).expect("locked");
                (None, None)
            }
        };
        Met { broker: Arc::clone(&house.broker), clock: house.clock.clone(), request, grant }
    }

    fn act(&self, act: Act) -> &'static str {
        let (broker, root) = (&self.broker, person("root"));
        let request = || self.request.as_ref().expect("a request");
        let grant = || self.grant.as_deref().expect("a grant");
        match act {
            Act::Approve(who) => self.review(request(), who, Verdict::Approve),
            Act::Deny => self.review(request(), "lena", Verdict::Deny),
            Act::Cancel => word(broker.cancel(&request().id, None, &person("anna"))),
            Act::Release => word(broker.release(grant(), &person("anna"))),
            Act::Revoke => word(broker.revoke(grant(), "why", &person("lars"))),
            Act::SignOff => word(broker.sign_off(grant(), None, &person("rita"))),
            Act::BreakGlass => word(broker.ask(&emergency(), &person("anna"), false)),
            Act::Lock => word(broker.lock(&uid("anna"), "why", &root, &[])),
            Act::Unlock => word(broker.unlock(&uid("anna"), &root)),
            Act::Reload => {
                broker.install(Arc::new(policy_of(resources(), vec![])), authority());
                "done"
            }
            Act::Pass(seconds) => {
                self.clock.set_wall_offset(TimeDelta::seconds(seconds));
                broker.settle();
                "done"
            }
        }
    }

    fn review(&self, request: &Request, who: &str, verdict: Verdict) -> &'static str {
        let digest = request.digest();
        let word_of = Word { verdict, reason: Some("why"), digest: &digest, revision: request.revision };
        word(self.broker.review(&request.id, word_of, &person(who)))
    }
}

fn word<T>(result: Result<T, BrokerError>) -> &'static str {
    result.map_or_else(|error| error.word(), |_| "done")
}

fn emergency() -> Wish {
    Wish { break_glass: true, ..wish() }
}

fn usual() -> Arc<Policy> {
    let glass = Role { break_glass: selectors(&["dn:uid=anna,ou=people,dc=x"]), ..editor() };
    Arc::new(policy_of(resources(), vec![glass, crate::engine::grant::fixture::vault()]))
}

/// As at the beginning, whatever has happened.
fn tidy(house: &House) {
    house.broker.settle();
    drop(house.broker.unlock(&uid("anna"), &person("root")));
    house.broker.install(usual(), authority());
    for grant in house.open() {
        house.broker.revoke(&grant, "tidy", &person("root")).expect("revoked");
    }
    // Whatever still waits or was to begin is over by then.
    house.pass(100 * 3_600);
    house.broker.settle();
    house.pass(0);
    house.sink.take();
}

/// What is kept makes sense by itself, and fits what is open; returns how much is open.
fn truth(house: &House, label: &str) -> usize {
    house.broker.settle();
    let (mut granted, mut grants, mut active) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
    let endings = |history: &[crate::engine::grant::history::Entry], ends: &[Happened]| {
        history.iter().filter(|entry| ends.contains(&entry.what)).count()
    };
    let store = Arc::clone(&house.broker.store);
    store
        .scan(&mut |record| match Document::from_record(record).expect("it can be read") {
            Document::Request(request) => {
                let ends = [Happened::Denied, Happened::Cancelled, Happened::Lapsed];
                let ended = endings(&request.history, &ends);
                let over = match request.state {
                    RequestState::Pending | RequestState::Approved => 0,
                    RequestState::Denied | RequestState::Cancelled | RequestState::Lapsed => 1,
                };
                assert_eq!(ended, over, "{label}: {request:?}");
                assert_eq!(request.grant.is_some(), request.state == RequestState::Approved, "{label}: {request:?}");
                let mut who: Vec<_> = request.reviews.iter().map(|review| review.who.to_string()).collect();
                who.sort();
                who.dedup();
                assert_eq!(who.len(), request.reviews.len(), "{label}: one person twice {request:?}");
                if let Some(grant) = request.grant {
                    assert_eq!(granted.insert(grant, request.id), None, "{label}");
                }
            }
            Document::Grant(grant) => {
                let ends = [Happened::Expired, Happened::Released, Happened::Revoked];
                let ended = endings(&grant.history, &ends);
                assert_eq!(ended, usize::from(grant.state.is_end()), "{label}: {grant:?}");
                assert!(endings(&grant.history, &[Happened::SignedOff]) <= 1, "{label}: {grant:?}");
                if grant.state == GrantState::Active {
                    active.insert(grant.id.clone());
                }
                assert_eq!(grants.insert(grant.id, grant.request), None, "{label}");
            }
            Document::Lock(lock) => assert_eq!(lock.revision % 2 == 1, lock.locked, "{label}: {lock:?}"),
            Document::Notification(_) => {}
        })
        .expect("it can be read");
    assert_eq!(granted, grants, "{label}: a grant a request");
    let open: BTreeSet<String> = house.open().into_iter().collect();
    assert_eq!(open, active, "{label}: what is open is what is kept as active");
    open.len()
}

/// Each order of each pair, the one within the other.
fn forced(fresh: &dyn Fn() -> Arc<dyn GrantStore>, rounds: usize) {
    for row in rows() {
        let ring = Ring::on(fresh());
        let house = &ring.house;
        tidy(house);
        for round in 0..rounds * 2 {
            let late = round % 2;
            let (one, other) = (row.acts[late], row.acts[1 - late]);
            if one == Act::Reload && row.scene == Scene::Waiting {
                continue;
            }
            let met = Arc::new(Met::at(house, row.scene));
            let label = format!("{one:?} at {:?}, overtaken by {other:?}", row.scene);
            let (rival, said) = (Arc::clone(&met), Arc::new(Mutex::new("")));
            let says = Arc::clone(&said);
            let told = ring.overtaken(
                move |_| *says.lock().unwrap_or_else(PoisonError::into_inner) = rival.act(other),
                |_| met.act(one),
            );
            let early = *said.lock().unwrap_or_else(PoisonError::into_inner);
            assert_eq!((early, told), (row.early[1 - late], row.late[late]), "{label}");
            let open = if round < 4 || round % 50 == 0 { truth(house, &label) } else { settled(house) };
            if row.scene == Scene::Extending || row.scene == Scene::Scheduled {
                let later = house.clock.now().wall;
                house.clock.set_wall_offset(TimeDelta::seconds(4_000));
                assert_eq!(settled(house), 0, "{label}: it begins, at {later}");
            } else {
                assert_eq!(open, row.open[late], "{label}");
            }
            tidy(house);
        }
    }
}

fn settled(house: &House) -> usize {
    house.broker.settle();
    house.open().len()
}

/// The same side by side, as it comes.
fn free(fresh: &dyn Fn() -> Arc<dyn GrantStore>, rounds: usize) {
    for row in rows() {
        let house = House::on(fresh());
        tidy(&house);
        // One after the other, too.
        let mut known = vec![(row.late[0], row.early[1]), (row.early[0], row.late[1])];
        for late in [0, 1] {
            let met = Met::at(&house, row.scene);
            let early = met.act(row.acts[1 - late]);
            let told = met.act(row.acts[late]);
            known.push(if late == 0 { (told, early) } else { (early, told) });
            tidy(&house);
        }
        if row.acts.contains(&Act::Reload) {
            // Between the look at who may see it and the look at what it is.
            known.push(("role-gone", "done"));
        }
        for round in 0..rounds {
            let met = Met::at(&house, row.scene);
            let told = both(|| met.act(row.acts[0]), || met.act(row.acts[1]));
            let label = format!("{:?} at {:?}: {told:?}, {known:?}", row.acts, row.scene);
            assert!(known.contains(&told), "{label}");
            if round % 50 == 0 {
                truth(&house, &label);
            }
            tidy(&house);
        }
        truth(&house, "in the end");
    }
}

/// How often, unless the environment says more: `RACES=20` is twenty times as often.
fn times(rounds: usize) -> usize {
    let more = std::env::var("RACES").ok().and_then(|text| text.parse().ok());
    rounds * more.unwrap_or(1)
}

fn in_memory() -> Arc<dyn GrantStore> {
    Arc::new(MemoryStore::new())
}

fn on_disk(run: impl FnOnce(&dyn Fn() -> Arc<dyn GrantStore>)) {
    let directory = tempfile::tempdir().expect("a directory");
    let count = std::cell::Cell::new(0);
    run(&|| {
        count.set(count.get() + 1);
        Arc::new(SledStore::open(&directory.path().join(format!("store-{}", count.get()))).expect("a store"))
    });
}

#[test]
fn each_order_of_every_pair_in_memory() {
    forced(&in_memory, times(15));
}

#[test]
fn each_order_of_every_pair_on_disk() {
    on_disk(|fresh| forced(fresh, times(4)));
}

#[test]
fn every_pair_side_by_side_in_memory() {
    free(&in_memory, times(40));
}

#[test]
fn every_pair_side_by_side_on_disk() {
    on_disk(|fresh| free(fresh, times(6)));
}
