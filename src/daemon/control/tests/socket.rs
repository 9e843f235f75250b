//! The socket itself: who can reach it, what it takes the place of, and how it goes.

use super::*;
use std::os::unix::fs::PermissionsExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

fn mode(path: &Path) -> u32 {
    std::fs::symlink_metadata(path).expect("it exists").permissions().mode() & 0o777
}

#[test]
fn only_its_owner_can_connect() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("run").join("control.sock");
    let socket = ControlSocket::bind(&path).expect("a socket");
    assert_eq!((mode(&path), mode(path.parent().expect("a parent"))), (0o600, 0o700));
    let names: Vec<_> = std::fs::read_dir(path.parent().expect("a parent")).expect("read").collect();
    assert_eq!(names.len(), 1, "nothing is left over: {names:?}");
    drop(socket);
    assert!(!path.exists());
}

#[test]
fn it_takes_the_place_of_a_dead_one_only() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("control.sock");
    let living = ControlSocket::bind(&path).expect("a socket");
    assert!(matches!(ControlSocket::bind(&path), Err(ControlError::InUse(_))));
    drop(living);
    // What a process that was killed leaves behind.
    drop(std::os::unix::net::UnixListener::bind(&path).expect("bind"));
    assert!(path.exists());
    let socket = ControlSocket::bind(&path).expect("in its place");
    // Somebody else's by now: not ours to remove.
    std::fs::remove_file(&path).expect("remove");
    let other = std::os::unix::net::UnixListener::bind(&path).expect("bind");
    drop(socket);
    assert!(path.exists());
    drop(other);
    std::fs::remove_file(&path).expect("remove");
    std::fs::write(&path, "a file").expect("write");
    assert!(matches!(ControlSocket::bind(&path), Err(ControlError::NotASocket(_))));
    assert_eq!(std::fs::read(&path).expect("untouched"), b"a file");
    let long = directory.path().join("x".repeat(120));
    assert!(matches!(ControlSocket::bind(&long), Err(ControlError::Io { .. })));
}

#[tokio::test]
async fn what_does_not_speak_http_is_turned_away_and_the_next_is_served() {
    let door = Door::open();
    for nonsense in ["\x16\x03\x01 not http\r\n\r\n", "GET /healthz HTTP/9.9\r\n\r\n"] {
        let mut stream = UnixStream::connect(&door.path).await.expect("it is served");
        stream.write_all(nonsense.as_bytes()).await.expect("written");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("it closes");
        assert!(!answer.starts_with(b"HTTP/1.1 200"));
    }
    let half = UnixStream::connect(&door.path).await.expect("it is served");
    assert_eq!(door.get("", routes::HEALTHZ).await.0, 200);
    drop(half);
}

#[tokio::test]
async fn it_stops_when_told_and_is_gone() {
    let mut door = Door::open();
    assert_eq!(door.get("", routes::HEALTHZ).await.0, 200);
    drop(door.stop.take());
    (&mut door.served).await.expect("no panic").expect("served");
    assert!(!door.path.exists());
}
