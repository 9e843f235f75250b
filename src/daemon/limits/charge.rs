//! What one session keeps in memory, charged to its address, its subject and all. Costs nothing while a session keeps no
//! more than it may keep freely.

use super::accounts::{Account, Handle, Ledger, SubjectKey, subject_key};
use super::admission::Counted;
use crate::engine::policy::Subject;

/// Octets that each session may keep, charged to nobody.
pub const FREE: usize = 32 * 1024;

/// What one session is charged.
#[derive(Debug, Default)]
pub struct Charge {
    octets: usize,
    /// Whom it is charged to besides the address; `None`: nothing is charged.
    subject: Option<Handle<SubjectKey>>,
}

impl Charge {
    /// Whether anything is charged.
    pub fn is_some(&self) -> bool {
        self.subject.is_some()
    }

    /// How many octets are charged.
    pub fn octets(&self) -> usize {
        self.octets
    }

    /// The account of the subject to whom they are charged.
    pub fn account(&self) -> Option<&Account> {
        self.subject.as_deref()
    }

    /// Charges `kept` octets less what is free. `false`: a share is used up; what was charged before stays.
    pub fn set(&mut self, kept: usize, ledger: &Ledger, address: &Counted, subject: &Subject) -> bool {
        let wanted = kept.saturating_sub(FREE);
        if wanted == 0 {
            self.give_back(self.octets, ledger, address);
            self.subject = None;
            return true;
        }
        let account = match self.subject.take() {
            Some(account) if account.key().as_deref() == subject_key(subject) => account,
            former => {
                let account = ledger.subject(subject);
                // Who the session is has changed: what it keeps is the new one's, room or not.
                account.octets.take_over(self.octets);
                if let Some(former) = former {
                    former.octets.remove(self.octets);
                }
                account
            }
        };
        let account = &*self.subject.insert(account);
        let Some(more) = wanted.checked_sub(self.octets).filter(|more| *more > 0) else {
            self.give_back(self.octets - wanted, ledger, address);
            return true;
        };
        let (own, shares) = (self.octets, ledger.shares(subject));
        let by_address = if address.account().is_shared { usize::MAX } else { shares.address };
        if !ledger.all.octets.add(more, own, shares.all) {
            return false;
        }
        if !address.account().octets.add(more, own, by_address) {
            ledger.all.octets.remove(more);
            return false;
        }
        if !account.octets.add(more, own, shares.subject) {
            ledger.all.octets.remove(more);
            address.account().octets.remove(more);
            return false;
        }
        self.octets = wanted;
        true
    }

    fn give_back(&mut self, less: usize, ledger: &Ledger, address: &Counted) {
        if less == 0 {
            return;
        }
        ledger.all.octets.remove(less);
        address.account().octets.remove(less);
        if let Some(account) = &self.subject {
            account.octets.remove(less);
        }
        self.octets -= less;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ldap::Dn;

    const MIB: usize = 1024 * 1024;

    fn named(name: &str) -> Subject {
        Subject::Dn(Dn::parse(name.as_bytes()).expect(name))
    }

    fn from(ledger: &Ledger, address: &str) -> Counted {
        Counted::of(ledger.address(address.parse().expect(address)))
    }

    #[test]
    fn what_is_free_is_charged_to_nobody() {
        let ledger = Ledger::new(0, Vec::new());
        let (mut charge, address) = (Charge::default(), from(&ledger, "192.0.2.1"));
        assert!(charge.set(FREE, &ledger, &address, &Subject::Anonymous) && !charge.is_some());
        assert_eq!(ledger.all.octets.get(), 0);
    }

    #[test]
    fn shares_bound_an_address_a_subject_and_all() {
        let ledger = Ledger::new(256 * MIB, Vec::new());
        // So many sessions of 4 MiB each have room.
        let fit = |who: fn(usize) -> (String, Subject)| {
            let mut held = Vec::new();
            for number in 0..200 {
                let (address, subject) = who(number);
                let (mut charge, address) = (Charge::default(), from(&ledger, &address));
                let fits = charge.set(FREE + 4 * MIB, &ledger, &address, &subject);
                held.push((charge, address, fits));
            }
            let count = held.iter().filter(|(_, _, fits)| *fits).count();
            for (mut charge, address, _) in held {
                assert!(charge.set(0, &ledger, &address, &Subject::Anonymous));
            }
            assert_eq!(ledger.all.octets.get(), 0, "all is given back");
            count
        };
        assert_eq!(fit(|_| ("192.0.2.1".to_owned(), named("uid=a"))), 8, "one subject at one address");
        assert_eq!(fit(|n| (format!("192.0.2.{n}"), named("uid=a"))), 8, "one subject everywhere");
        assert_eq!(fit(|n| ("192.0.2.1".to_owned(), named(&format!("uid=n{n}")))), 8, "one address, many subjects");
        assert_eq!(fit(|n| (format!("2001:db8::{n:x}"), named(&format!("uid=n{n}")))), 8, "one IPv6 network");
        assert_eq!(fit(|n| (format!("192.0.2.{n}"), named(&format!("uid=n{n}")))), 64, "all");
        assert_eq!(fit(|_| ("192.0.2.1".to_owned(), Subject::Anonymous)), 2, "strangers at one address");
        assert_eq!(fit(|n| (format!("192.0.2.{n}"), Subject::Anonymous)), 8, "all strangers");
    }

    #[test]
    fn what_is_kept_follows_who_the_session_is() {
        let ledger = Ledger::new(256 * MIB, Vec::new());
        let (mut charge, address) = (Charge::default(), from(&ledger, "192.0.2.1"));
        assert!(charge.set(FREE + MIB, &ledger, &address, &Subject::Anonymous));
        assert!(charge.set(FREE + 2 * MIB, &ledger, &address, &named("uid=a")));
        assert_eq!(ledger.subject(&Subject::Anonymous).octets.get(), 0);
        assert_eq!(ledger.subject(&named("UID=a")).octets.get(), 2 * MIB);
        assert!(charge.set(FREE + MIB, &ledger, &address, &named("uid=a")));
        assert_eq!((ledger.all.octets.get(), address.account().octets.get()), (MIB, MIB));
        assert!(charge.set(0, &ledger, &address, &named("uid=a")) && !charge.is_some());
        assert_eq!((ledger.all.octets.get(), address.account().octets.get()), (0, 0));
    }
}
