//! What one session takes of all that is shared: its connection, octets, operations that wait for a role. Dropping it
//! gives everything back.

use super::accounts::{Account, Handle, Ledger, SubjectKey, subject_key};
use super::admission::Counted;
use super::charge::Charge;
use crate::engine::policy::Subject;
use crate::engine::policy::asking::HeldBounds;
use std::sync::Arc;

/// What one session takes.
#[derive(Debug)]
pub struct SessionShare {
    ledger: Arc<Ledger>,
    address: Counted,
    charge: Charge,
    /// Operations that wait, and in whose name.
    held: Option<(Handle<SubjectKey>, usize)>,
}

impl SessionShare {
    /// A session that keeps nothing yet.
    pub fn new(ledger: Arc<Ledger>, address: Counted) -> SessionShare {
        SessionShare { ledger, address, charge: Charge::default(), held: None }
    }

    /// The address's account.
    pub fn address(&self) -> &Counted {
        &self.address
    }

    /// Whether octets are charged.
    pub fn is_charged(&self) -> bool {
        self.charge.is_some()
    }

    /// As [`Charge::set`].
    pub fn charge(&mut self, kept: usize, subject: &Subject) -> bool {
        self.charge.set(kept, &self.ledger, &self.address, subject)
    }

    /// Whether others need the octets that are charged: they have some too, and little of a share is left.
    pub fn is_wanted(&self, subject: &Subject) -> bool {
        let (own, shares) = (self.charge.octets(), self.ledger.shares(subject));
        let is_scarce = |account: &Account, most: usize| {
            let all = account.octets.get();
            all > own && all > most - most / 4
        };
        let address = self.address.account();
        is_scarce(&self.ledger.all, shares.all)
            || (!address.is_shared && is_scarce(address, shares.address))
            || self.charge.account().is_some_and(|account| is_scarce(account, shares.subject))
    }

    /// Counts one more operation that waits, unless those of the subject take an eighth, or those of the address a
    /// quarter, of all that may wait.
    pub fn hold(&mut self, subject: &Subject, bounds: HeldBounds) -> bool {
        let HeldBounds { per_session, in_all } = bounds;
        if self.held.as_ref().is_some_and(|(account, _)| account.key().as_deref() != subject_key(subject)) {
            // Those of a former subject ended with it.
            self.keep_held(0);
        }
        let (account, own) = self.held.get_or_insert_with(|| (self.ledger.subject(subject), 0));
        if !account.held.add(1, 0, (in_all / 8).max(per_session)) {
            return false;
        }
        let most = if self.address.account().is_shared { usize::MAX } else { (in_all / 4).max(per_session) };
        if !self.address.account().held.add(1, 0, most) {
            account.held.remove(1);
            return false;
        }
        *own += 1;
        true
    }

    /// Gives all operations that wait back but for so many.
    pub fn keep_held(&mut self, still: usize) {
        let Some((account, own)) = &mut self.held else { return };
        let gone = own.saturating_sub(still);
        if gone > 0 {
            account.held.remove(gone);
            self.address.account().held.remove(gone);
            *own -= gone;
        }
        if still == 0 {
            self.held = None;
        }
    }
}

impl Drop for SessionShare {
    fn drop(&mut self) {
        self.charge.set(0, &self.ledger, &self.address, &Subject::Anonymous);
        self.keep_held(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ldap::Dn;

    #[test]
    fn who_is_alone_or_leaves_enough_gives_nothing_way() {
        let ledger = Arc::new(Ledger::new(8 << 20, Vec::new()));
        let session = |address: &str| {
            let account = ledger.address(address.parse().expect(address));
            SessionShare::new(Arc::clone(&ledger), Counted::of(account))
        };
        let subject = Subject::Dn(Dn::parse(b"uid=a").expect("a name"));
        let share = 1 << 20;
        let (mut one, mut other) = (session("192.0.2.1"), session("192.0.2.2"));
        assert!(one.charge(4 * share, &subject) && !one.is_wanted(&subject), "it is alone");
        assert!(one.charge(share / 2, &subject) && other.charge(share / 4, &subject));
        assert!(!one.is_wanted(&subject) && !other.is_wanted(&subject), "a quarter is left");
        assert!(other.charge(share / 2, &subject));
        assert!(one.is_wanted(&subject) && other.is_wanted(&subject));
        drop(other);
        assert!(!one.is_wanted(&subject));
    }

    #[test]
    fn nobody_takes_all_that_may_wait() {
        let ledger = Arc::new(Ledger::new(0, Vec::new()));
        let session = |address: &str| {
            let account = ledger.address(address.parse().expect(address));
            SessionShare::new(Arc::clone(&ledger), Counted::of(account))
        };
        let named = |name: &str| Subject::Dn(Dn::parse(name.as_bytes()).expect(name));
        let bounds = HeldBounds { per_session: 8, in_all: 1024 };
        // Each session asks for as many as it may.
        let mut sessions: Vec<_> = (0..200).map(|n| session(&format!("192.0.2.{n}"))).collect();
        let take =
            |session: &mut SessionShare, subject: &Subject| (0..8).filter(|_| session.hold(subject, bounds)).count();
        let taken: usize = sessions.iter_mut().map(|session| take(session, &named("uid=a"))).sum();
        assert_eq!(taken, 128, "one subject, however many sessions and addresses");
        let mut one_address: Vec<_> = (0..200).map(|_| session("198.51.100.1")).collect();
        let taken: usize =
            (0..).zip(&mut one_address).map(|(n, session)| take(session, &named(&format!("uid=n{n}")))).sum();
        assert_eq!(taken, 256, "one address, however many subjects");
        sessions.iter_mut().for_each(|session| session.keep_held(0));
        assert_eq!(take(&mut sessions[0], &named("uid=a")), 8, "what ended makes room");
        drop((sessions, one_address));
        assert_eq!(take(&mut session("198.51.100.1"), &named("uid=a")), 8);
    }
}
