//! A store that fails, that comes back, or that is not what it was: what had ended stays ended.

use super::*;
use crate::engine::audit::chain::seq_of;
use crate::engine::audit::record;
use crate::engine::audit::transition::Transition;

/// A log in memory, of lines as they are written.
#[derive(Default)]
struct Log(Mutex<Vec<Vec<u8>>>);

impl EventSink for Log {
    fn event(&self, event: Value) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut line = format!("{{\"seq\":{},", lines.len() + 1).into_bytes();
        record::event(&mut line, Clock::new().now(), &event);
        line.pop();
        lines.push(line);
    }

    fn written(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len() as u64
    }

    fn transitions(&self, after: u64, visit: &mut dyn FnMut(Transition)) -> std::io::Result<Option<LastLine>> {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let after = if after > lines.len() as u64 { 0 } else { after };
        let new = lines.iter().filter(|line| seq_of(line).is_some_and(|seq| seq > after));
        new.filter_map(|line| Transition::parse(line)).for_each(visit);
        let seq = lines.len() as u64;
        Ok((seq > 0).then(|| LastLine { seq, time: Clock::new().now().wall }))
    }
}

impl Log {
    fn texts(&self, event: &str) -> Vec<String> {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let texts = lines.iter().map(|line| String::from_utf8_lossy(line).into_owned());
        texts.filter(|text| text.contains(&format!("\"event\":\"{event}\""))).collect()
    }
}

/// A house whose steps are logged.
fn logged(store: &Arc<MemoryStore>, log: &Arc<Log>) -> House {
    House::logging(Arc::clone(store) as Arc<dyn GrantStore>, Arc::clone(log) as Arc<dyn EventSink>)
}

fn fresh() -> (House, Arc<MemoryStore>, Arc<Log>) {
    let (store, log) = (Arc::new(MemoryStore::new()), Arc::new(Log::default()));
    (logged(&store, &log), store, log)
}

fn is_locked(house: &House, name: &str) -> bool {
    house.shared.locks.load().of(&uid(name), house.shared.snapshot.load().policy.naming()).is_some()
}

#[test]
fn an_end_that_the_store_does_not_take_is_in_force_and_written_first() {
    let (house, store, log) = fresh();
    let (revoked, released) = (house.granted(), house.granted());
    store.fail("no space");
    let one = house.broker.revoke(&revoked.id, "stolen", &person("lars")).expect("kept");
    let other = house.broker.release(&released.id, &person("anna")).expect("kept");
    assert_eq!((one.state, other.state), (GrantState::Revoked, GrantState::Released));
    assert!(house.open().is_empty());
    assert_eq!((house.state(&revoked), house.broker.is_unwritten(&revoked.id)), (GrantState::Revoked, true));
    assert_eq!((house.broker.unwritten_ends(), store.kept_ends().len()), (2, 2));
    let again = house.broker.revoke(&revoked.id, "again", &person("lars")).expect_err("it is over");
    assert_eq!(again.word(), "already-ended");
    assert!(log.texts("revoked")[0].contains("\"stored\":false"));
    // A new process while nothing can be read, and once it can: neither opens them.
    let again = logged(&store, &Arc::default());
    assert!(again.open().is_empty());
    store.has_room();
    again.broker.settle();
    assert!(again.open().is_empty());
    assert_eq!((again.state(&revoked), again.state(&released)), (GrantState::Revoked, GrantState::Released));
    assert_eq!((again.broker.unwritten_ends(), store.kept_ends().len()), (0, 0));
    let reason = |grant: &Grant| grant.history.last().and_then(|entry| entry.reason.clone());
    let kept = again.broker.grant(&revoked.id, &person("anna")).expect("a grant");
    assert_eq!((reason(&kept).as_deref(), kept.revision), (Some("stolen"), 2));
    let _new = again.granted();
    assert_eq!(again.open().len(), 1, "the store works as before");
}

#[test]
fn a_store_that_works_again_is_noticed_by_the_process_that_saw_it_fail() {
    let (house, store, log) = fresh();
    let (held, ended) = (house.granted(), house.granted());
    let waiting = house.ask();
    store.fail("no space");
    house.broker.release(&ended.id, &person("anna")).expect("kept");
    assert_eq!(house.approve(&waiting, "lars").expect_err("refused").word(), "store-failed");
    assert!(house.broker.failure().is_some());
    house.broker.settle();
    assert_eq!(house.open(), std::slice::from_ref(&held.id), "what is open stays so");
    store.has_room();
    house.broker.settle();
    assert_eq!((house.broker.failure(), house.broker.unwritten_ends()), (None, 0));
    assert_eq!(house.approve(&waiting, "lars").expect("approved").state, RequestState::Approved);
    assert_eq!((log.texts("store.failed").len(), log.texts("store.recovered").len()), (1, 1));
    assert_eq!(log.texts("released").len(), 1, "recorded once");
    assert_eq!(logged(&store, &Arc::default()).state(&ended), GrantState::Released);
}

#[test]
fn a_lock_that_the_store_does_not_take_holds() {
    let (house, store, _) = fresh();
    let (anna, root) = (uid("anna"), person("root"));
    // Over one that was lifted, which cannot be read then.
    house.broker.lock(&anna, "first", &root, &[]).expect("locked");
    house.broker.unlock(&anna, &root).expect("lifted");
    house.granted();
    store.fail("no space");
    house.broker.lock(&anna, "stolen", &root, &[]).expect("kept");
    assert!(is_locked(&house, "anna") && house.open().is_empty());
    assert_eq!(house.broker.lock(&anna, "again", &root, &[]).expect_err("it is").word(), "locked-already");
    assert_eq!(house.broker.unlock(&anna, &root).expect_err("not kept").word(), "store-failed");
    assert!(is_locked(&house, "anna"), "what cannot be lifted for good is not lifted");
    let again = logged(&store, &Arc::default());
    assert!(is_locked(&again, "anna"), "even before the store can be read");
    store.has_room();
    again.broker.settle();
    assert!(is_locked(&again, "anna") && again.open().is_empty());
    let third = logged(&store, &Arc::default());
    let lock = third.broker.locks(&root).expect("listed").remove(0);
    assert_eq!((lock.locked, lock.revision, lock.reason.as_str(), lock.history.len()), (true, 3, "stolen", 3));
    third.broker.unlock(&anna, &root).expect("lifted");
    assert!(!is_locked(&logged(&store, &Arc::default()), "anna"));
}

#[test]
fn what_not_even_the_reserved_room_took_is_in_force_and_found_in_the_log() {
    let (house, store, log) = fresh();
    let grant = house.granted();
    let before = Arc::new(store.copy());
    store.fail("no space");
    store.fail_ends(true);
    let error = house.broker.revoke(&grant.id, "stolen", &person("lars")).expect_err("not on disk");
    assert!(matches!(error, BrokerError::EndNotKept(_)), "{error}");
    let error = house.broker.lock(&uid("anna"), "stolen", &person("root"), &[]).expect_err("not on disk");
    assert!(matches!(error, BrokerError::EndNotKept(_)), "{error}");
    assert!(house.open().is_empty() && is_locked(&house, "anna"));
    // Another process finds it in the log; this one has it written once there is room.
    let again = logged(&before, &log);
    assert!(again.open().is_empty() && is_locked(&again, "anna"));
    assert_eq!(again.state(&grant), GrantState::Revoked);
    store.has_room();
    house.broker.settle();
    let third = logged(&store, &Arc::default());
    assert!(third.open().is_empty() && is_locked(&third, "anna"));
}

#[test]
fn what_the_log_says_has_ended_does_not_come_back_with_an_older_store() {
    let (house, store, log) = fresh();
    let (revoked, released, kept, waiting) = (house.granted(), house.granted(), house.granted(), house.ask());
    house.broker.lock(&uid("bert"), "first", &person("root"), &[]).expect("locked");
    let older = Arc::new(store.copy());
    house.broker.revoke(&revoked.id, "stolen", &person("lars")).expect("revoked");
    house.broker.release(&released.id, &person("anna")).expect("released");
    house.broker.cancel(&waiting.id, None, &person("anna")).expect("cancelled");
    house.broker.lock(&uid("lena"), "stolen", &person("root"), &[]).expect("locked");
    house.broker.unlock(&uid("bert"), &person("root")).expect("lifted");
    let _lost = house.granted();
    let again = logged(&older, &log);
    assert_eq!(again.open(), std::slice::from_ref(&kept.id));
    assert_eq!((again.state(&revoked), again.state(&released)), (GrantState::Revoked, GrantState::Released));
    let request = again.broker.request(&waiting.id, &person("anna")).expect("a request");
    assert_eq!(request.state, RequestState::Cancelled);
    assert!(is_locked(&again, "lena") && is_locked(&again, "bert"), "what was lifted stays locked");
    assert!(again.broker.behind_log() >= 6, "{}", again.broker.behind_log());
    let reported = log.texts("store.behind_log");
    assert_eq!(reported.len(), 1);
    for id in [&revoked.id, &released.id, &waiting.id] {
        assert!(reported[0].contains(id.as_str()), "{reported:?}");
    }
    // It is in the store now, too, and reported once.
    let third = logged(&older, &log);
    assert_eq!(third.open(), std::slice::from_ref(&kept.id));
    let alone = logged(&older, &Arc::default());
    assert_eq!((alone.state(&revoked), is_locked(&alone, "lena")), (GrantState::Revoked, true));
}

#[test]
fn a_store_that_is_as_the_log_says_is_left_alone() {
    let (house, store, log) = fresh();
    let (_open, ended) = (house.granted(), house.granted());
    house.broker.release(&ended.id, &person("anna")).expect("released");
    house.broker.lock(&uid("bert"), "why", &person("root"), &[]).expect("locked");
    house.broker.unlock(&uid("bert"), &person("root")).expect("lifted");
    let before = log.written();
    for _ in 0..2 {
        let again = logged(&store, &log);
        assert_eq!((again.broker.behind_log(), log.written(), is_locked(&again, "bert")), (0, before, false));
    }
    // Only what may not be in the store is read of the log.
    assert!(store.noted().expect("noted") + 3 >= before, "{:?} of {before}", store.noted());
    // Another log says nothing of this store.
    assert_eq!(logged(&store, &Arc::default()).open().len(), 1);
}

#[test]
fn what_time_ends_while_the_store_fails_has_ended() {
    let (house, store, log) = fresh();
    let grant = house.granted();
    store.fail("no space");
    house.pass(3_601);
    house.broker.settle();
    assert!(house.open().is_empty());
    assert_eq!((house.state(&grant), log.texts("expired").len()), (GrantState::Expired, 1));
    assert!(store.kept_ends().is_empty(), "time ends it again");
    // Set back meanwhile: the log says that it is over.
    let older = Arc::new(store.copy());
    older.has_room();
    older.recover().expect("works");
    assert!(logged(&older, &log).open().is_empty());
    store.has_room();
    house.broker.settle();
    assert_eq!(logged(&store, &Arc::default()).state(&grant), GrantState::Expired);
}
