//! Tokens of those who logged in: random, short-lived, of which only a hash is kept, in memory:
//! a restart ends them. Knows no names but the subject's, and no clock.

use super::secrets::Fingerprint;
use super::totp::SECRET;
use crate::engine::Now;
use crate::engine::ldap::Dn;
use aws_lc_rs::digest::{SHA256, digest};
use chrono::{DateTime, Utc};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Logins that are kept at once; the oldest makes room.
const MAX_LOGINS: usize = 10_000;
/// Logins of one subject that are kept at once; the oldest makes room.
const MAX_OF_ONE: usize = 16;
/// How long a second factor that was shown counts, and how long a login counts as fresh.
pub(in crate::daemon::control) const FRESH: Duration = Duration::from_secs(10 * 60);

/// What is kept of a token: nothing that could be sent in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::daemon::control) struct TokenHash([u8; 32]);

impl TokenHash {
    pub(in crate::daemon::control) fn of(token: &str) -> TokenHash {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        TokenHash(hash)
    }
}

/// One login.
#[derive(Debug, Clone)]
struct Login {
    subject: Dn,
    began: Duration,
    /// By either clock, whichever is there first.
    ends: (DateTime<Utc>, Duration),
    stepped_up: Option<Duration>,
    /// A second factor that is being enrolled, and since when, until it is confirmed.
    enrolling: Option<(Enrolment, Duration)>,
}

/// A second factor that is being enrolled.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Enrolment {
    /// The new secret.
    pub(super) secret: [u8; SECRET],
    /// The one that it takes the place of: another may have come to be there by the time that it is
    /// confirmed, and that one's owner was not asked.
    pub(super) replaces: Option<Fingerprint>,
}

impl std::fmt::Debug for Enrolment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Enrolment(..)")
    }
}

/// A login as a call finds it.
#[derive(Debug, Clone)]
pub(in crate::daemon::control) struct Found {
    pub(in crate::daemon::control) subject: Dn,
    /// The password was given a short while ago.
    pub(in crate::daemon::control) fresh: bool,
    /// The second factor was shown a short while ago.
    pub(in crate::daemon::control) second_factor: bool,
}

/// Everybody who is logged in.
#[derive(Debug, Default)]
pub(in crate::daemon::control) struct Tokens {
    logins: Mutex<HashMap<TokenHash, Login>>,
}

impl Tokens {
    fn lock(&self) -> MutexGuard<'_, HashMap<TokenHash, Login>> {
        // Nothing that holds the lock can leave the map half changed.
        self.logins.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes down a login; returns the token and when it ends.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub(in crate::daemon::control) fn issue(
        &self,
        subject: Dn,
        ttl: Duration,
        second_factor: bool,
        now: Now,
    ) -> Result<(String, DateTime<Utc>), getrandom::Error> {
        let mut octets = [0; 32];
        getrandom::fill(&mut octets)?;
        let digits: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
        let token = format!("tg_{digits}");
        let expires =
            now.wall.checked_add_signed(chrono::TimeDelta::from_std(ttl).unwrap_or_default()).unwrap_or(now.wall);
        let login = Login {
            began: now.monotonic,
            ends: (expires, now.monotonic.saturating_add(ttl)),
            stepped_up: second_factor.then_some(now.monotonic),
            enrolling: None,
            subject,
        };
        let mut logins = self.lock();
        logins.retain(|_, login| login.lasts(now));
        let own = logins.iter().filter(|(_, other)| other.subject == login.subject).count();
        let oldest = |of_subject: bool| {
            let candidates = logins.iter().filter(|(_, other)| !of_subject || other.subject == login.subject);
            candidates.min_by_key(|(_, other)| other.began).map(|(hash, _)| *hash)
        };
        let displaced = if own >= MAX_OF_ONE {
            oldest(true)
        } else if logins.len() >= MAX_LOGINS {
            oldest(false)
        } else {
            None
        };
        if let Some(hash) = displaced {
            logins.remove(&hash);
        }
        logins.insert(TokenHash::of(&token), login);
        Ok((token, expires))
    }

    /// The login that a token stands for, while it lasts.
    pub(in crate::daemon::control) fn find(&self, hash: TokenHash, now: Now) -> Option<Found> {
        let logins = self.lock();
        let login = logins.get(&hash).filter(|login| login.lasts(now))?;
        let lately = |at: Duration| now.monotonic.saturating_sub(at) < FRESH;
        Some(Found {
            subject: login.subject.clone(),
            fresh: lately(login.began),
            second_factor: login.stepped_up.is_some_and(lately),
        })
    }

    /// Takes down that the second factor was shown.
    pub(in crate::daemon::control) fn step_up(&self, hash: TokenHash, now: Now) {
        if let Some(login) = self.lock().get_mut(&hash) {
            login.stepped_up = Some(now.monotonic);
        }
    }

    /// Takes down a secret that is to be confirmed in the same login.
    pub(super) fn begin_enrolment(&self, hash: TokenHash, enrolment: Enrolment, now: Now) {
        if let Some(login) = self.lock().get_mut(&hash) {
            login.enrolling = Some((enrolment, now.monotonic));
        }
    }

    /// The secret that is to be confirmed, for a while.
    pub(super) fn enrolling(&self, hash: TokenHash, now: Now) -> Option<Enrolment> {
        let logins = self.lock();
        let (enrolment, since) = logins.get(&hash)?.enrolling?;
        (now.monotonic.saturating_sub(since) < FRESH).then_some(enrolment)
    }

    /// What any login of the subject has shown, or is enrolling, counts no more.
    pub(super) fn forget_second_factor(&self, subject: &Dn) {
        for login in self.lock().values_mut().filter(|login| login.subject.is_surely(subject)) {
            (login.stepped_up, login.enrolling) = (None, None);
        }
    }

    /// Ends one login.
    pub(in crate::daemon::control) fn end(&self, hash: TokenHash) {
        self.lock().remove(&hash);
    }

    /// Ends every login of a subject, under any name that some directory takes for it; says how many.
    pub(in crate::daemon::control) fn end_all_of(&self, subject: &Dn) -> usize {
        let mut logins = self.lock();
        let before = logins.len();
        logins.retain(|_, login| login.subject != *subject);
        before - logins.len()
    }
}

impl Login {
    fn lasts(&self, now: Now) -> bool {
        now.wall < self.ends.0 && now.monotonic < self.ends.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    const TTL: Duration = Duration::from_secs(3600);

    fn at(seconds: u64) -> Now {
        let wall = DateTime::<Utc>::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::seconds(seconds as i64);
        Now { wall, monotonic: Duration::from_secs(seconds) }
    }

    fn dn(name: &str) -> Dn {
        Dn::parse(format!("uid={name},dc=x").as_bytes()).expect("a name")
    }

    #[test]
    fn a_token_lasts_as_long_as_it_should_by_both_clocks() {
        let tokens = Tokens::default();
        let (token, expires) = tokens.issue(dn("anna"), TTL, false, at(0)).expect("random numbers");
        assert_eq!(expires, at(3600).wall);
        assert!(token.len() > 64 && token.starts_with("tg_"));
        let hash = TokenHash::of(&token);
        assert!(tokens.find(hash, at(3599)).is_some());
        assert!(tokens.find(hash, at(3600)).is_none());
        let set_back = Now { wall: at(0).wall, ..at(3600) };
        assert!(tokens.find(hash, set_back).is_none(), "a clock that is set back lengthens nothing");
        let set_forward = Now { wall: at(3600).wall, ..at(1) };
        assert!(tokens.find(hash, set_forward).is_none());
        assert!(tokens.find(TokenHash::of("tg_"), at(0)).is_none());
    }

    #[test]
    fn what_was_shown_lately_counts_for_a_while() {
        let tokens = Tokens::default();
        let (token, _) = tokens.issue(dn("anna"), TTL, false, at(0)).expect("random numbers");
        let hash = TokenHash::of(&token);
        let state = |seconds| tokens.find(hash, at(seconds)).map(|found| (found.fresh, found.second_factor));
        assert_eq!(state(599), Some((true, false)));
        assert_eq!(state(600), Some((false, false)));
        tokens.step_up(hash, at(700));
        assert_eq!(state(1299), Some((false, true)));
        assert_eq!(state(1300), Some((false, false)));
    }

    #[test]
    fn what_was_shown_or_begun_with_an_old_secret_counts_no_more() {
        let tokens = Tokens::default();
        let issue = |name: &str| TokenHash::of(&tokens.issue(dn(name), TTL, true, at(0)).expect("random numbers").0);
        let (one, other, bert) = (issue("anna"), issue("ANNA"), issue("bert"));
        let begun = Enrolment { secret: [1; SECRET], replaces: None };
        for token in [one, other, bert] {
            tokens.begin_enrolment(token, begun, at(1));
        }
        assert_eq!((tokens.enrolling(one, at(600)), tokens.enrolling(one, at(601))), (Some(begun), None));
        tokens.forget_second_factor(&dn("anna"));
        let shown = |token| tokens.find(token, at(2)).is_some_and(|found| found.second_factor);
        assert_eq!([one, other, bert].map(shown), [false, false, true]);
        assert_eq!([one, other, bert].map(|token| tokens.enrolling(token, at(2))), [None, None, Some(begun)]);
        assert!(!format!("{begun:?}").contains('1'));
    }

    #[test]
    fn logins_end_one_by_one_and_all_at_once_and_are_bounded() {
        let tokens = Tokens::default();
        let issue = |name: &str, seconds| tokens.issue(dn(name), TTL, false, at(seconds)).expect("random numbers").0;
        let (first, second, other) = (issue("anna", 0), issue("ANNA", 1), issue("bert", 2));
        let lasts = |token: &str| tokens.find(TokenHash::of(token), at(100)).is_some();
        tokens.end(TokenHash::of(&first));
        assert_eq!([lasts(&first), lasts(&second), lasts(&other)], [false, true, true]);
        assert_eq!(tokens.end_all_of(&dn("anna")), 1);
        assert_eq!([lasts(&second), lasts(&other)], [false, true]);
        let many: Vec<String> = (0..=MAX_OF_ONE as u64).map(|second| issue("anna", 10 + second)).collect();
        assert!(!lasts(&many[0]) && lasts(&many[1]) && lasts(&other), "the oldest of the same subject goes");
    }
}
