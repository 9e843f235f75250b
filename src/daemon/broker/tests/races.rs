//! Two at once: one wins, the other is told the truth, and what is open fits what is kept.

use super::*;
use crate::daemon::store::sled::SledStore;
use std::sync::Barrier;

/// Runs both at the same moment.
pub(super) fn both<A: Send, B: Send>(one: impl FnOnce() -> A + Send, other: impl FnOnce() -> B + Send) -> (A, B) {
    let barrier = Barrier::new(2);
    std::thread::scope(|scope| {
        let left = scope.spawn(|| {
            barrier.wait();
            one()
        });
        barrier.wait();
        let right = other();
        (left.join().expect("no panic"), right)
    })
}

fn two_approvals(house: &House) {
    let request = house.ask();
    let (lars, lena) = both(|| house.approve(&request, "lars"), || house.approve(&request, "lena"));
    let (won, lost) = match (lars, lena) {
        (Ok(won), Err(lost)) | (Err(lost), Ok(won)) => (won, lost),
        other => panic!("one wins: {other:?}"),
    };
    assert_eq!(lost, BrokerError::Workflow(WorkflowError::Decided(RequestState::Approved)));
    assert_eq!((won.reviews.len(), won.revision), (1, 2));
    let grant = won.grant.expect("a grant");
    assert_eq!(house.open(), std::slice::from_ref(&grant));
    house.broker.release(&grant, &person("anna")).expect("released");
    assert!(house.open().is_empty());
}

fn approval_against_cancel(house: &House) {
    let request = house.ask();
    let anna = person("anna");
    let (approved, cancelled) =
        both(|| house.approve(&request, "lars"), || house.broker.cancel(&request.id, None, &anna));
    let kept = house.broker.request(&request.id, &anna).expect("a request");
    match (approved, cancelled) {
        (Ok(won), Err(lost)) => {
            assert_eq!(lost, BrokerError::Workflow(WorkflowError::Decided(RequestState::Approved)));
            assert_eq!(kept, won);
            let grant = won.grant.expect("a grant");
            assert_eq!(house.open(), std::slice::from_ref(&grant));
            house.broker.release(&grant, &anna).expect("released");
        }
        (Err(lost), Ok(won)) => {
            assert_eq!(lost, BrokerError::Workflow(WorkflowError::Decided(RequestState::Cancelled)));
            assert_eq!((kept, house.open().len()), (won, 0));
        }
        other => panic!("one wins: {other:?}"),
    }
}

fn expiry_against_revoke(house: &House) {
    house.pass(0);
    let grant = house.granted();
    let lars = person("lars");
    let ((), revoked) = both(
        || {
            house.pass(3_601);
            house.broker.settle();
        },
        || house.broker.revoke(&grant.id, "now", &lars),
    );
    house.broker.settle();
    match revoked {
        Ok(_) => assert_eq!(house.state(&grant), GrantState::Revoked),
        Err(error) => {
            let ended = crate::engine::grant::lifecycle::LifecycleError::Ended(GrantState::Expired);
            assert_eq!(error, BrokerError::Workflow(WorkflowError::Lifecycle(ended)));
            assert_eq!(house.state(&grant), GrantState::Expired);
        }
    }
    assert!(house.open().is_empty());
}

/// A request of two approvals, a person each: both count, whoever comes first.
fn two_of_two(house: &House) {
    let request = house.broker.ask(&Wish { role: "vault".to_owned(), ..wish() }, &person("anna"), false);
    let request = request.expect("a request");
    let insist = |who: &str| loop {
        let seen = house.broker.request(&request.id, &person(who)).expect("a request");
        match house.approve(&seen, who) {
            Err(BrokerError::Workflow(WorkflowError::Stale)) => {}
            done => break done,
        }
    };
    let (lars, lena) = both(|| insist("lars"), || insist("lena"));
    let approved = [lars.expect("counts"), lena.expect("counts")];
    let grants: Vec<_> = approved.iter().filter_map(|request| request.grant.clone()).collect();
    assert_eq!(grants.len(), 1, "the second made the grant");
    assert_eq!(house.open(), grants);
    house.broker.release(&grants[0], &person("anna")).expect("released");
}

fn rounds(house: &House, rounds: usize) {
    for _ in 0..rounds {
        two_approvals(house);
        approval_against_cancel(house);
        expiry_against_revoke(house);
        two_of_two(house);
        house.pass(0);
    }
    assert_eq!(house.broker.live_grants(), 0);
    // Every transition was recorded once, and the numbers of each record have no gap.
    let mut last = std::collections::HashMap::new();
    for event in house.sink.take().iter().filter(|event| event["event"] != "refused") {
        let id = if event["event"] == "requested" || event["event"] == "approved" || event["event"] == "cancelled" {
            &event["request"]
        } else {
            &event["grant"]
        };
        let number = |name: &str| event[name].as_u64().expect("a revision");
        let before = last.insert(id.to_string(), number("revision_after")).unwrap_or(0);
        let same_commit = event["event"] == "activated" && number("revision_before") == 0;
        assert!(same_commit || number("revision_before") == before, "{event}");
    }
}

#[test]
fn in_memory() {
    rounds(&House::new().0, 600);
}

#[test]
fn on_disk() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = Arc::new(SledStore::open(&directory.path().join("store")).expect("a store"));
    let house = House::on(Arc::clone(&store) as Arc<dyn GrantStore>);
    rounds(&house, 100);
    // A restart finds every transition, and nothing that is open.
    let kept = house.broker.requests(&person("root"), |_| true).expect("read").len();
    drop(house);
    drop(store);
    let store = Arc::new(SledStore::open(&directory.path().join("store")).expect("a store"));
    let again = House::on(store);
    assert_eq!(again.broker.requests(&person("root"), |_| true).expect("read").len(), kept);
    assert!(again.open().is_empty());
}
