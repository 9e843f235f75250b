//! The contract, and what is sled's alone: what is on disk, and what is not ours.

use super::super::contract::{self, all, commit, record};
use super::*;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

fn place() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("data").join("store");
    (directory, path)
}

#[test]
fn keeps_the_contract() {
    let directory = tempfile::tempdir().expect("a directory");
    let number = std::cell::Cell::new(0);
    contract::suite(&|| {
        number.set(number.get() + 1);
        Box::new(SledStore::open(&directory.path().join(number.get().to_string())).expect("open"))
    });
    contract::races(&SledStore::open(&directory.path().join("races")).expect("open"), 200);
}

#[test]
fn comes_back_as_it_was() {
    let (_directory, path) = place();
    let store = SledStore::open(&path).expect("create");
    commit(&store, vec![record("a", 1, "one"), record("b", 1, "two")]).expect("commit");
    drop(store);
    let store = SledStore::open(&path).expect("open again");
    assert_eq!(all(&store), vec![record("a", 1, "one"), record("b", 1, "two")]);
    commit(&store, vec![record("a", 2, "three")]).expect("go on");
}

#[test]
fn what_was_removed_does_not_come_back() {
    let (_directory, path) = place();
    let store = SledStore::open(&path).expect("create");
    commit(&store, vec![record("a", 1, "one"), record("b", 1, "two")]).expect("commit");
    let changes = vec![Change::Remove { id: "a".to_owned(), revision: 1 }];
    store.apply(changes, Box::new(|| {})).expect("removed");
    drop(store);
    assert_eq!(all(&SledStore::open(&path).expect("open again")), vec![record("b", 1, "two")]);
}

#[test]
fn nobody_else_reads_it_even_where_others_may_look() {
    let (_directory, path) = place();
    std::fs::create_dir_all(&path).expect("made by somebody before");
    std::fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("for all to enter");
    let store = SledStore::open(&path).expect("create");
    commit(&store, vec![record("a", 1, "one")]).expect("commit");
    let mode = std::fs::metadata(path.join("db")).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_second_opening_gets_a_clear_error() {
    let (_directory, path) = place();
    let store = SledStore::open(&path).expect("create");
    let error = SledStore::open(&path).expect_err("in use");
    assert_eq!(error, StoreError::InUse { path: path.clone(), pid: Some(std::process::id()) });
    drop(store);
    SledStore::open(&path).expect("free again");
}

#[test]
fn a_store_that_became_empty_is_refused() {
    let (_directory, path) = place();
    drop(SledStore::open(&path).expect("create"));
    std::fs::remove_dir_all(&path).expect("remove");
    assert!(matches!(SledStore::open(&path), Err(StoreError::Emptied { .. })));
    std::fs::remove_dir_all(&path).expect("remove");
    std::fs::create_dir(&path).expect("empty directory");
    let error = SledStore::open(&path).expect_err("emptied");
    assert!(error.to_string().contains("store.format says that it was not"), "{error}");
    // Another store in its place is noticed as well.
    let (_other, elsewhere) = place();
    drop(SledStore::open(&elsewhere).expect("create"));
    std::fs::remove_dir_all(&path).expect("remove");
    std::fs::rename(&elsewhere, &path).expect("move");
    let error = SledStore::open(&path).expect_err("another");
    assert!(error.to_string().contains("belongs to another store"), "{error}");
}

#[test]
fn a_lost_marker_comes_back_from_the_store() {
    let (_directory, path) = place();
    let store = SledStore::open(&path).expect("create");
    commit(&store, vec![record("a", 1, "one")]).expect("commit");
    drop(store);
    std::fs::remove_file(beside(&path, "format")).expect("remove");
    assert_eq!(all(&SledStore::open(&path).expect("open")), vec![record("a", 1, "one")]);
    std::fs::remove_dir_all(&path).expect("remove");
    assert!(matches!(SledStore::open(&path), Err(StoreError::Emptied { .. })));
}

/// Opens it past the store's own checks. sled lets go of its lock a moment after what was open is dropped.
fn free(config: &sled::Config) -> sled::Db {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        match config.open() {
            Ok(db) => return db,
            Err(error) if error.to_string().contains("could not acquire lock") => {
                assert!(Instant::now() < until, "still locked");
                std::thread::yield_now();
            }
            Err(error) => panic!("as it is: {error}"),
        }
    }
}

#[test]
fn what_is_not_a_store_is_refused() {
    let (_directory, path) = place();
    std::fs::create_dir_all(&path).expect("create");
    std::fs::write(path.join("metadata"), "of another version").expect("write");
    assert!(matches!(SledStore::open(&path), Err(StoreError::Foreign { .. })));

    let (_directory, path) = place();
    std::fs::create_dir_all(path.parent().expect("parent")).expect("create");
    let db = sled::Config::new().path(&path).open().expect("somebody's");
    db.insert("key", "value").expect("insert");
    db.flush().expect("flush");
    drop(db);
    let error = SledStore::open(&path).expect_err("somebody else's");
    assert!(error.to_string().contains("no format record"), "{error}");
}

#[test]
fn a_newer_format_is_refused() {
    let (_directory, path) = place();
    drop(SledStore::open(&path).expect("create"));
    let db = free(&sled::Config::new().path(&path));
    let newer = r#"{"tidegate_store":2,"sled":"0.34","id":""}"#;
    db.open_tree("format").expect("tree").insert("format", newer).expect("insert");
    db.flush().expect("flush");
    drop(db);
    assert_eq!(SledStore::open(&path).expect_err("newer"), StoreError::Format { path, found: 2 });
}

#[test]
fn many_commits_at_once_share_flushes_and_are_all_there() {
    let (_directory, path) = place();
    let store = SledStore::open(&path).expect("create");
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let store = &store;
            scope.spawn(move || {
                for number in 0..25 {
                    commit(store, vec![record(&format!("{thread}-{number}"), 1, "")]).expect("commit");
                }
            });
        }
    });
    drop(store);
    assert_eq!(all(&SledStore::open(&path).expect("open")).len(), 200);
}

#[test]
fn without_fsync_nothing_is_acknowledged_published_or_tried_again() {
    let (_directory, path) = place();
    drop(SledStore::open(&path).expect("create"));
    let lock = lock(&path).expect("free");
    let db = free(&sled::Config::new().path(&path).flush_every_ms(None));
    // Its fsync always fails.
    let file = File::open("/dev/null").expect("it is everywhere");
    let opened = Opened::of(db, file).expect("its trees");
    let store = SledStore::start(&path, State::Open(opened), None, lock).expect("start");
    let never = || -> Publish { Box::new(|| panic!("published")) };
    let result = store.commit(vec![record("a", 1, "one")], never());
    assert!(matches!(&result, Err(StoreError::Failed(_))), "{result:?}");
    assert!(store.failure().is_some());
    let result = store.commit(vec![record("b", 1, "one")], never());
    assert!(matches!(&result, Err(StoreError::Failed(_))), "{result:?}");
    assert!(matches!(store.get("b"), Err(StoreError::Failed(_))));
    // Opened again, it holds nothing of what failed, and works.
    recovered(&store);
    assert_eq!((store.get("a"), store.get("b")), (Ok(None), Ok(None)));
    commit(&store, vec![record("a", 1, "two")]).expect("it works again");
    drop(store);
    assert_eq!(all(&SledStore::open(&path).expect("open")), vec![record("a", 1, "two")]);
}

/// Waits until a store that can work again does.
fn recovered(store: &SledStore) {
    let until = Instant::now() + Duration::from_secs(30);
    while let Err(error) = store.recover() {
        assert!(Instant::now() < until, "{error}");
        std::thread::yield_now();
    }
    assert_eq!(store.failure(), None);
}

#[test]
fn a_snapshot_that_was_not_finished_does_not_keep_the_store_from_opening() {
    let (_directory, path) = place();
    let store = SledStore::open(&path).expect("create");
    commit(&store, vec![record("a", 1, "one")]).expect("commit");
    drop(store);
    for (name, octets) in
        [("snap.00000000000F0000.generating", &b"half of"[..]), ("snap.FFFFFFFFFFFFFFFF.generating", b"")]
    {
        std::fs::write(path.join(name), octets).expect("planted");
        let store = SledStore::open(&path).expect("open again");
        assert_eq!(all(&store), vec![record("a", 1, "one")], "{name}");
        assert!(!path.join(name).exists(), "{name}");
    }
}

#[test]
fn ends_have_room_of_their_own_and_outlive_the_process() {
    let (_directory, path) = place();
    let store = SledStore::open(&path).expect("create");
    assert_eq!(store.kept_ends(), Vec::<Vec<u8>>::new());
    store.keep_end(b"one").expect("kept");
    drop(store);
    let store = SledStore::open(&path).expect("open");
    assert_eq!(store.kept_ends(), [b"one"]);
    store.forget_ends().expect("forgotten");
    drop(store);
    assert_eq!(SledStore::open(&path).expect("open").kept_ends(), Vec::<Vec<u8>>::new());
}
