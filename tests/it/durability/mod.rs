//! `kill -9` at any moment: nothing acknowledged is lost, nothing opens that is not on disk.

mod child;
mod damage;
mod disk;
mod full;
mod serve;

use child::{Child, Said, house};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tidegate::daemon::store::record::Document;
use tidegate::daemon::store::sled::SledStore;
use tidegate::daemon::store::{GrantStore, StoreError};
use tidegate::engine::grant::lifecycle::GrantState;
use tidegate::engine::workflow::RequestState;

const ROUNDS: usize = 20;

/// What the child said, over all rounds.
#[derive(Default)]
struct Heard {
    approved: BTreeSet<String>,
    opened: BTreeSet<String>,
    ended: BTreeSet<String>,
}

impl Heard {
    fn take(&mut self, said: Said) {
        match said {
            Said::Ready => {}
            Said::Approved(grant) => drop(self.approved.insert(grant)),
            Said::Opened(grant) => drop(self.opened.insert(grant)),
            Said::Ended(grant) => drop(self.ended.insert(grant)),
        }
    }
}

#[test]
fn nothing_acknowledged_is_lost_and_nothing_unkept_opens() {
    if child::is_child() {
        return child::run();
    }
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("store");
    let mut heard = Heard::default();
    let mut random = random_numbers();
    for round in 0..ROUNDS {
        let mut child = Child::start("durability::nothing_acknowledged_is_lost_and_nothing_unkept_opens", &path);
        // So many approvals, and then any moment within the next ones.
        let enough = heard.approved.len() + 1 + usize::from(random() % 32);
        while heard.approved.len() < enough {
            heard.take(child.next().expect("it goes on until it is killed"));
        }
        std::thread::sleep(Duration::from_micros(u64::from(random() % 4_000)));
        child.kill();
        while let Some(said) = child.next() {
            heard.take(said);
        }
        check(&path, &heard, round);
    }
    assert!(heard.approved.len() >= ROUNDS && !heard.ended.is_empty(), "it did something");
}

/// What is on disk against what was said.
fn check(path: &std::path::Path, heard: &Heard, round: usize) {
    let store = Arc::new(SledStore::open(path).expect("it opens again"));
    let (mut active, mut ended, mut named) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    store
        .scan(&mut |record| match Document::from_record(record).expect("it can be read") {
            Document::Grant(grant) if grant.state == GrantState::Active => drop(active.insert(grant.id)),
            Document::Grant(grant) => drop(ended.insert(grant.id)),
            Document::Lock(lock) => panic!("nobody locked anybody: {lock:?}"),
            Document::Notification(one) => panic!("nobody is to be told anything: {one:?}"),
            Document::Request(request) => {
                assert_eq!(request.state == RequestState::Approved, request.grant.is_some(), "round {round}");
                named.extend(request.grant);
            }
        })
        .expect("it can be read");
    let kept: BTreeSet<String> = active.union(&ended).cloned().collect();
    assert_eq!(kept, named, "round {round}: a request is approved exactly when its grant is there");
    let lost: Vec<_> = heard.approved.difference(&kept).collect();
    assert!(lost.is_empty(), "round {round}: acknowledged and lost: {lost:?}");
    let unkept: Vec<_> = heard.opened.difference(&kept).collect();
    assert!(unkept.is_empty(), "round {round}: opened and not on disk: {unkept:?}");
    let revived: Vec<_> = heard.ended.intersection(&active).collect();
    assert!(revived.is_empty(), "round {round}: ended and active again: {revived:?}");
    let (broker, shared) = house(store);
    let open: BTreeSet<String> = shared.snapshot.load().grants.iter().map(|grant| grant.id.to_string()).collect();
    assert_eq!(open, active, "round {round}: what is open is what is kept as active");
    drop(broker);
}

#[test]
fn a_second_process_gets_a_clear_error() {
    if child::is_child() {
        return child::run();
    }
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("store");
    let mut child = Child::start("durability::a_second_process_gets_a_clear_error", &path);
    assert_eq!(child.next(), Some(Said::Ready));
    let error = SledStore::open(&path).expect_err("it is in use");
    assert_eq!(error, StoreError::InUse { path: path.clone(), pid: Some(child.id()) });
    assert_eq!(
        error.to_string(),
        format!("the store {} is in use by another process ({})", path.display(), child.id())
    );
    child.kill();
    while child.next().is_some() {}
    SledStore::open(&path).expect("a killed process holds nothing");
}

/// Small random numbers, from the system.
fn random_numbers() -> impl FnMut() -> u16 {
    || {
        let mut octets = [0; 2];
        getrandom::fill(&mut octets).expect("randomness");
        u16::from_le_bytes(octets)
    }
}
