//! Who takes how much: connections, octets and held operations, counted for each address (an IPv6 /64 is one), for each
//! subject and for all. Counters are atomic; a lock is taken only when somebody begins or ceases to be counted.

use crate::engine::policy::Subject;
use crate::engine::policy::deciding::{AddressRange, Origin};
use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What one address, one subject, or all together take at present.
#[derive(Debug, Default)]
pub struct Account {
    /// Sessions.
    pub connections: Counter,
    /// Octets that sessions keep beyond what each may keep freely.
    pub octets: Counter,
    /// Operations that wait for a role.
    pub held: Counter,
}

/// A number that is never more than a bound.
#[derive(Debug, Default)]
pub struct Counter(AtomicUsize);

impl Counter {
    /// How many there are.
    pub fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Adds `more`, unless that makes it more than `most`. `own` is how much of it the caller holds: who holds all of it
    /// alone is not bound by a share.
    pub fn add(&self, more: usize, own: usize, most: usize) -> bool {
        let fits = |all: usize| {
            let sum = all.checked_add(more)?;
            (sum <= most || all <= own).then_some(sum)
        };
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, fits).is_ok()
    }

    /// Adds what is there already, whatever the bound.
    pub fn take_over(&self, more: usize) {
        self.0.fetch_add(more, Ordering::AcqRel);
    }

    /// Takes back what was added.
    pub fn remove(&self, less: usize) {
        self.0.fetch_sub(less, Ordering::AcqRel);
    }
}

/// Accounts by key. One is there for as long as somebody holds it.
#[derive(Debug)]
pub struct Accounts<K>(Mutex<HashMap<K, Arc<Account>>>);

impl<K> Default for Accounts<K> {
    fn default() -> Accounts<K> {
        Accounts(Mutex::default())
    }
}

/// An account that is held. Dropping the last handle of a key forgets it.
#[derive(Debug)]
pub struct Handle<K: Clone + Eq + Hash> {
    accounts: Arc<Accounts<K>>,
    key: K,
    account: Arc<Account>,
}

impl<K: Clone + Eq + Hash> Accounts<K> {
    /// The account of a key.
    pub fn open(self: &Arc<Accounts<K>>, key: K) -> Handle<K> {
        let account = Arc::clone(self.lock().entry(key.clone()).or_default());
        Handle { accounts: Arc::clone(self), key, account }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Arc<Account>>> {
        // Nothing that holds the lock can leave the map half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.lock().len()
    }
}

impl<K: Clone + Eq + Hash> Handle<K> {
    /// Whose it is.
    pub fn key(&self) -> &K {
        &self.key
    }
}

impl<K: Clone + Eq + Hash> std::ops::Deref for Handle<K> {
    type Target = Account;

    fn deref(&self) -> &Account {
        &self.account
    }
}

impl<K: Clone + Eq + Hash> Drop for Handle<K> {
    fn drop(&mut self) {
        let mut accounts = self.accounts.lock();
        // The map's and this one: nobody can get another while the lock is held.
        if Arc::strong_count(&self.account) == 2 {
            accounts.remove(&self.key);
        }
    }
}

/// What is counted as one address: an IPv4 address, or the /64 that one IPv6 customer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AddressKey(IpAddr);

impl AddressKey {
    /// The key of an address.
    pub fn of(address: IpAddr) -> AddressKey {
        AddressKey(match address.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
            v4 @ IpAddr::V4(_) => v4,
        })
    }
}

/// The account of a subject: by the coarse form of its name, under which every spelling of it is one; `None`: all who
/// are anonymous.
pub type SubjectKey = Option<Box<[u8]>>;

/// The key of a subject.
pub fn subject_key(subject: &Subject) -> Option<&[u8]> {
    match subject {
        Subject::Anonymous => None,
        Subject::Dn(name) => Some(name.key()),
    }
}

/// What the clients of one address take.
#[derive(Debug)]
pub struct AddressAccount {
    handle: Handle<AddressKey>,
    /// Many clients are behind it: shares by address do not apply.
    pub is_shared: bool,
}

impl std::ops::Deref for AddressAccount {
    type Target = Account;

    fn deref(&self) -> &Account {
        &self.handle
    }
}

impl AddressAccount {
    /// Of whom it is.
    pub fn key(&self) -> AddressKey {
        *self.handle.key()
    }
}

/// All accounts of a gate.
#[derive(Debug)]
pub struct Ledger {
    /// Of all sessions together.
    pub all: Account,
    addresses: Arc<Accounts<AddressKey>>,
    subjects: Arc<Accounts<SubjectKey>>,
    shared: Vec<AddressRange>,
    /// The most octets that all sessions together may keep.
    budget: usize,
}

/// How many octets one may keep: the share of the whole budget that each account has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shares {
    /// All together.
    pub all: usize,
    /// One address.
    pub address: usize,
    /// One subject; all who are anonymous are one.
    pub subject: usize,
}

impl Ledger {
    /// Accounts with nothing in them. `shared`: addresses that stand for many clients.
    pub fn new(budget: usize, shared: Vec<AddressRange>) -> Ledger {
        Ledger { all: Account::default(), addresses: Arc::default(), subjects: Arc::default(), shared, budget }
    }

    /// The account of an address.
    pub fn address(&self, address: IpAddr) -> AddressAccount {
        let origin = Origin::Address(address.to_canonical());
        let is_shared = self.shared.iter().any(|range| range.contains(origin));
        AddressAccount { handle: self.addresses.open(AddressKey::of(address)), is_shared }
    }

    /// The account of a subject.
    pub fn subject(&self, subject: &Subject) -> Handle<SubjectKey> {
        self.subjects.open(subject_key(subject).map(Box::from))
    }

    /// The most octets that all sessions together may keep.
    pub fn budget(&self) -> usize {
        self.budget
    }

    /// How much may be kept: one address or subject an eighth of all, strangers less: they give way first.
    pub fn shares(&self, subject: &Subject) -> Shares {
        match subject {
            Subject::Anonymous => Shares { all: self.budget / 2, address: self.budget / 32, subject: self.budget / 8 },
            Subject::Dn(_) => Shares { all: self.budget, address: self.budget / 8, subject: self.budget / 8 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect(text)
    }

    #[test]
    fn one_network_is_one_address() {
        let key = |text: &str| AddressKey::of(address(text));
        assert_eq!(key("2001:db8::1"), key("2001:db8::ffff:2"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_eq!(key("::ffff:192.0.2.1"), key("192.0.2.1"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
    }

    #[test]
    fn counters_stop_at_their_bound_and_who_is_alone_does_not() {
        let counter = Counter::default();
        assert!(counter.add(60, 0, 100) && !counter.add(50, 0, 100) && counter.add(40, 0, 100));
        assert!(!counter.add(1, 60, 100), "others hold some of it");
        counter.remove(40);
        assert!(counter.add(1_000, 60, 100), "it holds all of it alone");
        assert!(!counter.add(usize::MAX, 1_060, 100), "nothing overflows");
        counter.remove(1_060);
        assert_eq!(counter.get(), 0);
    }

    #[test]
    fn accounts_are_shared_while_they_are_held_and_forgotten_then() {
        let accounts = Arc::new(Accounts::default());
        let (one, same, other) = (accounts.open(1), accounts.open(1), accounts.open(2));
        assert!(one.held.add(1, 0, 1) && !same.held.add(1, 0, 1) && other.held.add(1, 0, 1));
        drop(one);
        assert!(!same.held.add(1, 0, 1), "somebody still holds it");
        drop((same, other));
        assert_eq!(accounts.len(), 0);
        assert!(accounts.open(1).held.add(1, 0, 1));
    }

    #[test]
    fn shares_by_address_do_not_apply_behind_shared_ones() {
        let ledger = Ledger::new(256, vec![AddressRange::parse("10.0.0.0/8").expect("a range")]);
        assert!(ledger.address(address("10.1.2.3")).is_shared);
        assert!(ledger.address(address("::ffff:10.1.2.3")).is_shared);
        assert!(!ledger.address(address("192.0.2.1")).is_shared);
        let anonymous = ledger.shares(&Subject::Anonymous);
        assert_eq!(anonymous, Shares { all: 128, address: 8, subject: 32 });
    }
}
