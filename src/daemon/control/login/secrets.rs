//! Secrets of second factors: a file for each subject, mode 0600, in a folder that only the gate
//! can enter, beside the store. Never shown again once confirmed, never logged. Files are named finely: two names that
//! some directory tells apart share none.
//!
//! They are not encrypted: a key would lie beside them, for the gate must read both.

use super::throttle::{Allowance, Held, Throttle};
use super::tokens::Enrolment;
use super::totp::{SECRET, matching_step};
use crate::engine::Now;
use crate::engine::ldap::Dn;
use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use zeroize::{Zeroize as _, Zeroizing};

/// Wrong codes of one subject. Who gets here has given the password or stands at the socket, so
/// that this locks out nobody for strangers.
const WRONG_CODES: Allowance =
    Allowance { free: 5, longest: Duration::from_secs(15 * 60), forgotten: Duration::from_secs(60 * 60) };

/// Why a code was not taken.
#[derive(Debug, thiserror::Error)]
pub(in crate::daemon::control) enum CodeError {
    /// It is not the code of now, was used before, or nothing is enrolled.
    #[error("the code is wrong, or was used before")]
    Wrong,
    /// Too many wrong ones.
    #[error("too many wrong codes: wait")]
    Wait(Held),
    /// Another was enrolled, or this one was reset, since the enrolment began.
    #[error("there is another second factor by now")]
    Changed,
    /// The file.
    #[error("second factors cannot be read or written: {0}")]
    Io(#[from] io::Error),
}

/// What is kept of one subject.
#[derive(Serialize, Deserialize)]
struct Enrolled {
    subject: String,
    secret: [u8; SECRET],
    /// The step of the last code that was taken.
    last_step: i64,
}

impl Drop for Enrolled {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

/// What tells one secret from another, and nothing else of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fingerprint([u8; 32]);

/// Everybody's second factor.
#[derive(Debug)]
pub(in crate::daemon::control) struct Secrets {
    folder: PathBuf,
    /// Held while a code is looked at and taken down as used.
    one_at_a_time: Mutex<()>,
    wrong: Throttle<[u8; 32]>,
}

impl Secrets {
    /// Those in `folder`, which is made when it is first needed.
    pub(in crate::daemon::control) fn new(folder: PathBuf) -> Secrets {
        Secrets { folder, one_at_a_time: Mutex::default(), wrong: Throttle::new(WRONG_CODES) }
    }

    /// The subject's second factor, if there is one. Reads a file.
    pub(super) fn enrolled(&self, subject: &Dn) -> io::Result<Option<Fingerprint>> {
        Ok(self.read(subject)?.map(|found| fingerprint(&found.secret)))
    }

    /// Takes a code of the subject's, so that it is not taken again. Writes a file.
    pub(in crate::daemon::control) fn take(&self, subject: &Dn, code: &str, now: Now) -> Result<(), CodeError> {
        let _one = self.one_at_a_time.lock().unwrap_or_else(PoisonError::into_inner);
        self.wrong.admit(key(subject), now.monotonic).map_err(CodeError::Wait)?;
        let mut enrolled = self.read(subject)?.ok_or(CodeError::Wrong)?;
        let step = matching_step(&enrolled.secret, code, now.wall.timestamp(), enrolled.last_step);
        enrolled.last_step = step.ok_or(CodeError::Wrong)?;
        // On disk before it counts: a restart must not make it good again.
        self.write(subject, &enrolled)?;
        self.wrong.forgive(&key(subject));
        Ok(())
    }

    /// Keeps a secret whose owner shows a code of it, if what it replaces is still there. Writes a file.
    pub(super) fn enrol(&self, subject: &Dn, begun: &Enrolment, code: &str, now: Now) -> Result<(), CodeError> {
        let _one = self.one_at_a_time.lock().unwrap_or_else(PoisonError::into_inner);
        if self.enrolled(subject)? != begun.replaces {
            return Err(CodeError::Changed);
        }
        self.wrong.admit(key(subject), now.monotonic).map_err(CodeError::Wait)?;
        let secret = begun.secret;
        let last_step = matching_step(&secret, code, now.wall.timestamp(), 0).ok_or(CodeError::Wrong)?;
        self.write(subject, &Enrolled { subject: subject.text().to_owned(), secret, last_step })?;
        self.wrong.forgive(&key(subject));
        Ok(())
    }

    /// Forgets a subject's second factor; whose it was, if there was one.
    pub(in crate::daemon::control) fn reset(&self, subject: &Dn) -> io::Result<Option<String>> {
        let _one = self.one_at_a_time.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(found) = self.read(subject)? else { return Ok(None) };
        std::fs::remove_file(self.path(subject))?;
        self.wrong.forgive(&key(subject));
        sync(&self.folder).map(|()| Some(found.subject.clone()))
    }

    fn path(&self, subject: &Dn) -> PathBuf {
        self.folder.join(hexadecimal(&key(subject)))
    }

    /// The subject's, and nobody else's.
    fn read(&self, subject: &Dn) -> io::Result<Option<Enrolled>> {
        let path = self.path(subject);
        if let Some((found, owner)) = read_file(&path)? {
            // The name of the file says whose it is; a copy of another's proves nothing.
            let own = owner.is_surely(subject);
            return if own { Ok(Some(found)) } else { Err(io::Error::other("a file of them is somebody else's")) };
        }
        // As files were named before: one for all names that look alike.
        let before = self.folder.join(hexadecimal(&hash(subject.key())));
        match read_file(&before)? {
            Some((found, owner)) if owner.is_surely(subject) => {
                std::fs::rename(&before, &path)?;
                sync(&self.folder)?;
                Ok(Some(found))
            }
            Some(_) | None => Ok(None),
        }
    }

    fn write(&self, subject: &Dn, enrolled: &Enrolled) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let path = self.path(subject);
        let new = path.with_extension("new");
        // One that a crash left behind.
        match std::fs::remove_file(&new) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        let text = serde_json::to_vec(enrolled).map_err(|_| io::Error::other("it has no JSON form"))?;
        file.write_all(&Zeroizing::new(text))?;
        file.sync_all()?;
        std::fs::rename(&new, &path)?;
        sync(&self.folder)
    }
}

/// What a file says, and whose it is.
fn read_file(path: &Path) -> io::Result<Option<(Enrolled, Dn)>> {
    let text = match std::fs::read(path) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    // What serde says of it could quote it.
    let found: Enrolled = serde_json::from_slice(&text).map_err(|_| io::Error::other("a file of them is damaged"))?;
    let owner = Dn::parse(found.subject.as_bytes()).map_err(io::Error::other)?;
    Ok(Some((found, owner)))
}

fn hexadecimal(key: &[u8; 32]) -> String {
    key.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn key(subject: &Dn) -> [u8; 32] {
    // Never what a file was called before.
    hash(&[b"fine ", subject.fine_key()].concat())
}

fn fingerprint(secret: &[u8; SECRET]) -> Fingerprint {
    Fingerprint(hash(secret))
}

fn hash(octets: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, octets).as_ref());
    hash
}

/// What was renamed or removed is so after a crash, too.
fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::super::totp::code_at;
    use super::*;
    use chrono::{DateTime, Utc};
    use std::os::unix::fs::PermissionsExt as _;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn at(seconds: u64) -> Now {
        let wall = DateTime::<Utc>::from_timestamp(2_000_000_000 + seconds as i64, 0).expect("a time");
        Now { wall, monotonic: Duration::from_secs(seconds) }
    }

    fn code(secret: &[u8; SECRET], seconds: i64) -> String {
        code_at(secret, (2_000_000_000 + seconds) / 30)
    }

    fn new(secret: [u8; SECRET]) -> Enrolment {
        Enrolment { secret, replaces: None }
    }

    fn dn(text: &str) -> Dn {
        Dn::parse(text.as_bytes()).expect("a name")
    }

    #[test]
    fn a_code_is_taken_once_even_after_a_restart() {
        let place = tempfile::tempdir().expect("a folder");
        let folder = place.path().join("second-factors");
        let (anna, secret) = (dn("uid=anna,dc=x"), [9; SECRET]);
        let secrets = Secrets::new(folder.clone());
        assert!(matches!(secrets.take(&anna, &code(&secret, 0), at(0)), Err(CodeError::Wrong)));
        assert!(matches!(secrets.enrol(&anna, &new(secret), "000000", at(0)), Err(CodeError::Wrong)));
        assert!(secrets.enrolled(&anna).expect("read").is_none());
        secrets.enrol(&anna, &new(secret), &code(&secret, 0), at(0)).expect("the right code");
        assert!(matches!(secrets.take(&anna, &code(&secret, 0), at(1)), Err(CodeError::Wrong)), "it was used");
        secrets.take(&anna, &code(&secret, 30), at(30)).expect("the next one");
        let again = Secrets::new(folder.clone());
        assert!(matches!(again.take(&anna, &code(&secret, 30), at(31)), Err(CodeError::Wrong)));
        again.take(&anna, &code(&secret, 60), at(60)).expect("the one after");
        assert_eq!(again.reset(&anna).expect("removed").as_deref(), Some("uid=anna,dc=x"));
        assert_eq!(again.reset(&anna).expect("nothing there"), None);
        assert!(again.enrolled(&anna).expect("read").is_none());
    }

    #[test]
    fn of_many_who_show_one_code_at_once_one_has_shown_it() {
        let place = tempfile::tempdir().expect("a folder");
        let secrets = Secrets::new(place.path().join("second-factors"));
        let (anna, secret) = (dn("uid=anna,dc=x"), [9; SECRET]);
        secrets.enrol(&anna, &new(secret), &code(&secret, 0), at(0)).expect("the right code");
        for round in 1..200_u64 {
            let (now, code) = (at(round * 30), code(&secret, round as i64 * 30));
            let here = AtomicUsize::new(0);
            let show = || {
                // Closer together than a barrier lets them go.
                here.fetch_add(1, Ordering::SeqCst);
                while here.load(Ordering::SeqCst) < 2 {
                    std::thread::yield_now();
                }
                secrets.take(&anna, &code, now).is_ok()
            };
            let taken = std::thread::scope(|scope| {
                let tries: Vec<_> = (0..2).map(|_| scope.spawn(show)).collect();
                tries.into_iter().filter_map(|one| one.join().ok()).filter(|taken| *taken).count()
            });
            assert_eq!(taken, 1);
            secrets.wrong.forgive(&key(&anna));
        }
    }

    #[test]
    fn what_was_begun_before_another_was_enrolled_replaces_it_not() {
        let place = tempfile::tempdir().expect("a folder");
        let secrets = Secrets::new(place.path().join("second-factors"));
        let (anna, own, thief) = (dn("uid=anna,dc=x"), [9; SECRET], [6; SECRET]);
        secrets.enrol(&anna, &new(own), &code(&own, 0), at(0)).expect("the right code");
        let late = secrets.enrol(&anna, &new(thief), &code(&thief, 0), at(0));
        assert!(matches!(late, Err(CodeError::Changed)), "begun when there was none");
        let stale = Enrolment { secret: thief, replaces: Some(fingerprint(&[1; SECRET])) };
        assert!(matches!(secrets.enrol(&anna, &stale, &code(&thief, 0), at(0)), Err(CodeError::Changed)));
        let next = Enrolment { secret: [7; SECRET], replaces: secrets.enrolled(&anna).expect("read") };
        secrets.enrol(&anna, &next, &code(&[7; SECRET], 0), at(0)).expect("it was there when this was begun");
    }

    #[test]
    fn files_are_their_owners_alone() {
        let place = tempfile::tempdir().expect("a folder");
        let folder = place.path().join("second-factors");
        let secrets = Secrets::new(folder.clone());
        let (anna, secret) = (dn("uid=anna,dc=x"), [9; SECRET]);
        secrets.enrol(&anna, &new(secret), &code(&secret, 0), at(0)).expect("the right code");
        let mode = |path: &Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&secrets.path(&anna))), (0o700, 0o600));
        assert!(secrets.enrolled(&dn("uid=ANNA,dc=x")).expect("one name").is_some());
        assert!(secrets.enrolled(&dn("uid=änna,dc=x")).expect("another name").is_none(), "a look-alike");
        let stolen = secrets.path(&dn("uid=eve,dc=x"));
        std::fs::copy(secrets.path(&anna), &stolen).expect("copied");
        assert!(secrets.enrolled(&dn("uid=eve,dc=x")).is_err() && secrets.reset(&dn("uid=eve,dc=x")).is_err());
        assert!(stolen.exists());
    }

    #[test]
    fn names_that_look_alike_have_second_factors_of_their_own() {
        let place = tempfile::tempdir().expect("a folder");
        let secrets = Secrets::new(place.path().join("second-factors"));
        let names = [dn("uid=müller,dc=x"), dn("uid=muller,dc=x"), dn("uid=mul\u{ad}ler,dc=x")];
        for (name, secret) in names.iter().zip(1..) {
            let secret = [secret; SECRET];
            secrets.enrol(name, &new(secret), &code(&secret, 0), at(0)).expect("the right code");
        }
        assert_eq!(secrets.reset(&names[1]).expect("removed").as_deref(), Some("uid=muller,dc=x"));
        let enrolled = names.each_ref().map(|name| secrets.enrolled(name).expect("read").is_some());
        assert_eq!(enrolled, [true, false, true]);
        secrets.take(&names[0], &code(&[1; SECRET], 30), at(30)).expect("the owner's");
    }

    #[test]
    fn a_file_that_is_named_as_before_is_its_owners() {
        let place = tempfile::tempdir().expect("a folder");
        let folder = place.path().join("second-factors");
        let secrets = Secrets::new(folder.clone());
        let (owner, other, secret) = (dn("uid=müller,dc=x"), dn("uid=muller,dc=x"), [9; SECRET]);
        secrets.enrol(&owner, &new(secret), &code(&secret, 0), at(0)).expect("the right code");
        std::fs::rename(secrets.path(&owner), folder.join(hexadecimal(&hash(owner.key())))).expect("renamed");
        assert!(secrets.enrolled(&other).expect("not theirs").is_none());
        assert_eq!(secrets.reset(&other).expect("nothing there"), None);
        secrets.take(&owner, &code(&secret, 30), at(30)).expect("it was not lost");
        assert!(secrets.path(&owner).exists());
    }

    #[test]
    fn guessing_takes_longer_and_longer() {
        let place = tempfile::tempdir().expect("a folder");
        let secrets = Secrets::new(place.path().join("second-factors"));
        let (anna, secret) = (dn("uid=anna,dc=x"), [9; SECRET]);
        secrets.enrol(&anna, &new(secret), &code(&secret, 0), at(0)).expect("the right code");
        for _ in 0..WRONG_CODES.free {
            assert!(matches!(secrets.take(&anna, "000000", at(30)), Err(CodeError::Wrong)));
        }
        assert!(matches!(secrets.take(&anna, &code(&secret, 30), at(30)), Err(CodeError::Wait(_))), "even a right one");
        assert!(matches!(secrets.take(&anna, "000000", at(34)), Err(CodeError::Wrong)), "a while later");
        // Even a quarter of an hour without a try brings back no more than the next one.
        let late = 34 + 15 * 60;
        assert!(matches!(secrets.take(&anna, "000000", at(late)), Err(CodeError::Wrong)));
        assert!(matches!(secrets.take(&anna, "000000", at(late)), Err(CodeError::Wait(_))));
        secrets.take(&anna, &code(&secret, late as i64 + 30), at(late + 30)).expect("the right one");
    }
}
