//! Two at once with the order forced: the rival's whole transition comes between one's decision and its
//! commit. One wins, the other decides again on what is then true.

use super::*;
use crate::daemon::store::sled::SledStore;
use crate::daemon::store::{Change, List, Listed, Publish, Record};

type Rival = Box<dyn FnOnce() + Send>;

/// A store that lets somebody else go first, once.
struct Yielding {
    store: Arc<dyn GrantStore>,
    rival: Mutex<Option<Rival>>,
}

impl GrantStore for Yielding {
    fn get(&self, id: &str) -> Result<Option<Record>, StoreError> {
        self.store.get(id)
    }

    fn scan(&self, visit: &mut dyn FnMut(Record)) -> Result<(), StoreError> {
        self.store.scan(visit)
    }

    fn apply(&self, changes: Vec<Change>, publish: Publish) -> Result<(), StoreError> {
        let rival = self.rival.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(rival) = rival {
            rival();
        }
        self.store.apply(changes, publish)
    }

    fn failure(&self) -> Option<String> {
        self.store.failure()
    }

    fn list(&self, list: &List, after: &[u8], limit: usize) -> Result<Vec<Listed>, StoreError> {
        self.store.list(list, after, limit)
    }

    fn recover(&self) -> Result<(), StoreError> {
        self.store.recover()
    }

    fn keep_end(&self, end: &[u8]) -> Result<(), StoreError> {
        self.store.keep_end(end)
    }

    fn kept_ends(&self) -> Vec<Vec<u8>> {
        self.store.kept_ends()
    }

    fn forget_ends(&self) -> Result<(), StoreError> {
        self.store.forget_ends()
    }

    fn note(&self, seq: u64) {
        self.store.note(seq);
    }

    fn noted(&self) -> Result<u64, StoreError> {
        self.store.noted()
    }
}

pub(super) struct Ring {
    pub(super) house: House,
    store: Arc<Yielding>,
}

impl Ring {
    pub(super) fn on(store: Arc<dyn GrantStore>) -> Ring {
        let store = Arc::new(Yielding { store, rival: Mutex::default() });
        Ring { house: House::on(Arc::clone(&store) as Arc<dyn GrantStore>), store }
    }

    /// Runs `late` so that `early` comes between its decision and its commit.
    pub(super) fn overtaken<T>(
        &self,
        early: impl FnOnce(&Broker) + Send + 'static,
        late: impl FnOnce(&Broker) -> T,
    ) -> T {
        let broker = Arc::clone(&self.house.broker);
        *self.store.rival.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(move || early(&broker)));
        let result = late(&self.house.broker);
        assert!(self.store.rival.lock().unwrap_or_else(PoisonError::into_inner).is_none(), "nothing was committed");
        result
    }
}

/// A review of what was asked, by somebody.
fn approve(broker: &Broker, request: &Request, who: &str) -> Result<Request, BrokerError> {
    let digest = request.digest();
    let word = Word { verdict: Verdict::Approve, reason: None, digest: &digest, revision: request.revision };
    broker.review(&request.id, word, &person(who))
}

fn word<T>(result: Result<T, BrokerError>) -> &'static str {
    result.map_or_else(|error| error.word(), |_| "done")
}

fn rounds(ring: &Ring, rounds: usize) {
    let (house, anna) = (&ring.house, person("anna"));
    for _ in 0..rounds {
        // An approval overtaken by a cancel, and the other way round.
        let request = house.ask();
        let (seen, id) = (request.clone(), request.id.clone());
        let late = ring.overtaken(move |b| drop(b.cancel(&id, None, &person("anna"))), |b| approve(b, &seen, "lars"));
        assert_eq!((word(late), house.open().len()), ("already-ended", 0));
        let request = house.ask();
        let seen = request.clone();
        let late = ring.overtaken(move |b| drop(approve(b, &seen, "lars")), |b| b.cancel(&request.id, None, &anna));
        assert_eq!(word(late), "already-ended");
        // A revoke overtaken by a release, and the other way round.
        let grant = house.open().remove(0);
        let id = grant.clone();
        let late = ring
            .overtaken(move |b| drop(b.release(&id, &person("anna"))), |b| b.revoke(&grant, "now", &person("lars")));
        assert_eq!((word(late), house.open().len()), ("already-ended", 0));
        let (grant, id) = (house.granted(), house.open().remove(0));
        let late =
            ring.overtaken(move |b| drop(b.revoke(&id, "now", &person("lars"))), |b| b.release(&grant.id, &anna));
        assert_eq!((word(late), house.state(&grant)), ("already-ended", GrantState::Revoked));
        // Two approvals.
        let request = house.ask();
        let (seen, other) = (request.clone(), request.clone());
        let late = ring.overtaken(move |b| drop(approve(b, &seen, "lena")), |b| approve(b, &other, "lars"));
        assert_eq!((word(late), house.open().len()), ("already-ended", 1));
        // A release overtaken by a lock, and an approval too.
        let grant = house.open().remove(0);
        let late = ring.overtaken(
            |b| drop(b.lock(&uid("anna"), "now", &person("root"), &[]).expect("locked")),
            |b| b.release(&grant, &anna),
        );
        assert_eq!((word(late), house.open().len()), ("already-ended", 0));
        house.broker.unlock(&uid("anna"), &person("root")).expect("lifted");
        let request = house.ask();
        let seen = request.clone();
        let late = ring.overtaken(
            |b| drop(b.lock(&uid("anna"), "now", &person("root"), &[]).expect("locked")),
            |b| approve(b, &seen, "lars"),
        );
        house.broker.settle();
        // It had been decided before the lock, on another record: it is kept, and opens nothing.
        assert_eq!((word(late), house.open().len()), ("done", 0));
        house.broker.unlock(&uid("anna"), &person("root")).expect("lifted");
        assert_eq!(house.broker.live_grants(), 0);
        house.sink.take();
    }
}

#[test]
fn in_memory() {
    rounds(&Ring::on(Arc::new(MemoryStore::new())), 400);
}

#[test]
fn on_disk() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = Arc::new(SledStore::open(&directory.path().join("store")).expect("a store"));
    rounds(&Ring::on(store), 150);
}
