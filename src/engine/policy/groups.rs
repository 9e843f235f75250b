//! What is known of who is in which group. The directory is asked about one person at a time; nothing here asks it.
//!
//! An answer is for a name as it was asked, in this spelling. It is believed for a bounded time; older answers are
//! unknown, and unknown opens nothing.

use crate::engine::ldap::Dn;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// An answer of the directory is believed for this long, unless a decision demands a newer one.
pub const GROUP_MAX_AGE: Duration = Duration::from_secs(30);

/// Decisions wait for another answer when the last one is older than this. It is less than [`GROUP_MAX_AGE`], so that
/// there is time to ask again before what was decided by it is no longer believed.
pub const GROUP_FRESH: Duration = Duration::from_secs(10);

/// The number of shards: a change copies one of them.
const SHARDS: usize = 256;
/// At most this many people are kept in a shard; beyond it, the one that was asked about first is forgotten.
const MAX_SHARD: usize = 128;

/// Whether a person is a member of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Belongs {
    /// The directory said so.
    Member,
    /// The directory said that they are not.
    NotMember,
    /// The directory has not said it, or not recently enough.
    Unknown,
}

/// The members of one whole group at one moment, where a group was listed (for notifications).
#[derive(Debug, Clone)]
pub struct Membership {
    /// The members' DNs.
    pub members: HashSet<Dn>,
    /// When the directory said so, on the monotonic clock.
    pub read_at: Duration,
}

/// The groups that the directory is asked about, in a fixed order.
#[derive(Debug, Default)]
pub struct GroupList {
    names: Vec<Dn>,
    places: HashMap<Box<str>, u32>,
    /// For other spellings.
    otherwise: HashMap<Dn, u32>,
}

impl GroupList {
    /// These groups.
    pub fn new(names: impl IntoIterator<Item = Dn>) -> GroupList {
        let names: Vec<Dn> = names.into_iter().collect();
        let places = (0..).zip(&names).map(|(place, name)| (name.text().into(), place)).collect();
        let otherwise = (0..).zip(&names).map(|(place, name)| (name.clone(), place)).collect();
        GroupList { names, places, otherwise }
    }

    /// Their names.
    pub fn names(&self) -> &[Dn] {
        &self.names
    }

    fn place(&self, group: &Dn) -> Option<u32> {
        if let Some(place) = self.places.get(group.text()) {
            return Some(*place);
        }
        let (name, place) = self.otherwise.get_key_value(group)?;
        name.is_surely(group).then_some(*place)
    }
}

/// One answer of the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said {
    /// Whether the person is a member.
    pub member: bool,
    /// When the directory was asked, on the monotonic clock.
    pub at: Duration,
}

/// What the directory said of one person.
#[derive(Debug, Clone)]
pub struct PersonGroups {
    person: Dn,
    asked: Arc<GroupList>,
    /// The groups that the person is a member of: positions in `asked`, ascending.
    member_of: Vec<u32>,
    /// Groups of which the directory did not say it this time, with what it said before.
    unknown: Vec<(u32, Option<Said>)>,
    /// When the directory was asked, on the monotonic clock.
    at: Duration,
    /// Nobody waits for another answer before this moment of the monotonic clock.
    ask_again: Duration,
}

impl PersonGroups {
    /// What the directory said of `person` when it was asked at `at`: `found` has an answer for each group of
    /// `asked`. What it did not say stays as it was `before`.
    pub fn new(
        person: Dn,
        asked: Arc<GroupList>,
        found: &[Belongs],
        at: Duration,
        before: Option<&PersonGroups>,
    ) -> PersonGroups {
        let (mut member_of, mut unknown) = (Vec::new(), Vec::new());
        for (place, name) in (0..).zip(asked.names()) {
            match found.get(place as usize) {
                Some(Belongs::Member) => member_of.push(place),
                Some(Belongs::NotMember) => {}
                Some(Belongs::Unknown) | None => {
                    unknown.push((place, before.and_then(|before| before.said(name))));
                }
            }
        }
        PersonGroups { person, asked, member_of, unknown, at, ask_again: at.saturating_add(GROUP_FRESH) }
    }

    /// The directory could not be asked at all: what it said `before` grows old.
    pub fn unanswered(person: Dn, ask_again: Duration, before: Option<&PersonGroups>) -> PersonGroups {
        match before {
            Some(before) => PersonGroups { ask_again, ..before.clone() },
            None => PersonGroups {
                person,
                asked: Arc::default(),
                member_of: Vec::new(),
                unknown: Vec::new(),
                at: Duration::ZERO,
                ask_again,
            },
        }
    }

    /// Who this is about.
    pub fn person(&self) -> &Dn {
        &self.person
    }

    /// When the directory last answered, on the monotonic clock; zero when it never did.
    pub fn at(&self) -> Duration {
        self.at
    }

    /// Whether the directory was asked about all of `groups` (or could not be asked) so lately that nobody waits for
    /// another answer.
    pub fn is_settled(&self, groups: &Arc<GroupList>, now: Duration) -> bool {
        now < self.ask_again && (self.at == Duration::ZERO || Arc::ptr_eq(&self.asked, groups))
    }

    /// Whether the directory was asked after `since` (monotonic clock).
    pub fn is_wanted(&self, since: Duration) -> bool {
        self.at.max(self.ask_again.saturating_sub(GROUP_FRESH)) > since
    }

    /// What the directory said last of this group.
    pub fn said(&self, group: &Dn) -> Option<Said> {
        let place = self.asked.place(group)?;
        if let Ok(at) = self.unknown.binary_search_by_key(&place, |(place, _)| *place) {
            return self.unknown.get(at).and_then(|(_, said)| *said);
        }
        Some(Said { member: self.member_of.binary_search(&place).is_ok(), at: self.at })
    }

    /// Whether this says of any group something else than `before`.
    fn differs(&self, before: &PersonGroups) -> bool {
        let member = |known: &PersonGroups, group: &Dn| known.said(group).map(|said| said.member);
        if Arc::ptr_eq(&self.asked, &before.asked) && self.unknown.is_empty() && before.unknown.is_empty() {
            return self.member_of != before.member_of;
        }
        self.asked.names().iter().any(|group| member(self, group) != member(before, group))
    }
}

/// People by their names, as they were asked about.
type Shard = HashMap<Box<str>, Arc<PersonGroups>>;

/// What is known of group membership. Immutable: a change makes a new one, which shares almost everything.
#[derive(Debug, Clone, Default)]
pub struct Groups {
    /// Groups that were listed as a whole, by DN. Sessions never need these.
    pub members: HashMap<Dn, Membership>,
    /// The groups that the directory is asked about now.
    pub asked: Arc<GroupList>,
    shards: Vec<Arc<Shard>>,
    revision: u64,
}

impl Groups {
    /// Nothing but groups that were listed as a whole.
    pub fn of_listed(members: HashMap<Dn, Membership>) -> Groups {
        Groups { members, ..Groups::default() }
    }

    /// Nothing is known; the directory is asked about these groups.
    pub fn of_nobody(asked: Arc<GroupList>) -> Groups {
        Groups { asked, ..Groups::default() }
    }

    /// Whether `person` is a member of `group`. Answers from before `since` (monotonic clock) are not believed.
    pub fn belongs(&self, group: &Dn, person: &Dn, since: Duration) -> Belongs {
        if let Some(listed) = self.listed(group, since) {
            let found = listed.get(person).is_some_and(|member| member.is_surely(person));
            return if found { Belongs::Member } else { Belongs::NotMember };
        }
        match self.person(person).and_then(|known| known.said(group)) {
            Some(Said { member: true, at }) if at >= since => Belongs::Member,
            Some(Said { member: false, at }) if at >= since => Belongs::NotMember,
            Some(_) | None => Belongs::Unknown,
        }
    }

    /// The members of a group that was listed as a whole, at `since` (monotonic clock) or later.
    pub fn listed(&self, group: &Dn, since: Duration) -> Option<&HashSet<Dn>> {
        if self.members.is_empty() {
            return None;
        }
        let (name, listed) = self.members.get_key_value(group)?;
        (name.is_surely(group) && listed.read_at >= since).then_some(&listed.members)
    }

    /// What is known of a person.
    pub fn person(&self, person: &Dn) -> Option<&Arc<PersonGroups>> {
        self.shards.get(shard_of(person))?.get(person.text())
    }

    /// Whether nobody need wait for what the directory says of `person`: it has been asked lately.
    pub fn is_settled(&self, person: &Dn, now: Duration) -> bool {
        self.person(person).is_some_and(|known| known.is_settled(&self.asked, now))
    }

    /// Everybody of whom something is known.
    pub fn people(&self) -> impl Iterator<Item = &Arc<PersonGroups>> {
        self.shards.iter().flat_map(|shard| shard.values())
    }

    /// The same with what the directory said of one more person, in the place of what was known of them.
    #[must_use]
    pub fn with(&self, known: PersonGroups) -> Groups {
        let mut next = self.clone();
        if self.person(&known.person).is_some_and(|before| known.differs(before)) {
            next.revision += 1;
        }
        if next.shards.is_empty() {
            next.shards = vec![Arc::default(); SHARDS];
        }
        let Some(shard) = next.shards.get_mut(shard_of(&known.person)).map(Arc::make_mut) else { return next };
        shard.insert(known.person.text().into(), Arc::new(known));
        if shard.len() > MAX_SHARD {
            let first = shard.iter().min_by_key(|(_, known)| known.ask_again);
            if let Some(name) = first.map(|(name, _)| name.clone()) {
                shard.remove(&name);
            }
        }
        next
    }

    /// The same without the people whom `keep` does not take.
    #[must_use]
    pub fn retaining(&self, keep: impl Fn(&PersonGroups) -> bool) -> Groups {
        let mut next = self.clone();
        for shard in &mut next.shards {
            if shard.values().any(|known| !keep(known)) {
                Arc::make_mut(shard).retain(|_, known| keep(known));
            }
        }
        next
    }

    /// The same, with a new revision: whoever remembers a decision makes it again.
    #[must_use]
    pub fn revised(&self) -> Groups {
        Groups { revision: self.revision + 1, ..self.clone() }
    }

    /// Whether no answer has changed between the two. People of whom nothing was known before do not count.
    pub fn says_the_same(&self, other: &Groups) -> bool {
        self.revision == other.revision && self.members.is_empty() && other.members.is_empty()
    }
}

/// FNV-1a over the name.
fn shard_of(person: &Dn) -> usize {
    let hash = person
        .text()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, octet| (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3));
    (hash ^ hash >> 32) as usize % SHARDS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dn(text: &str) -> Dn {
        text.parse().unwrap()
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn list(names: &[&str]) -> Arc<GroupList> {
        Arc::new(GroupList::new(names.iter().map(|name| dn(name))))
    }

    use Belongs::{Member, NotMember, Unknown};

    #[test]
    fn an_answer_holds_for_one_person_one_group_and_a_bounded_time() {
        let asked = list(&["cn=hr,dc=x", "cn=it,dc=x", "cn=broken,dc=x"]);
        let known =
            |name| PersonGroups::new(dn(name), asked.clone(), &[Member, NotMember, Unknown], seconds(100), None);
        let groups = Groups::default().with(known("uid=jörg,dc=x")).with(known("uid=anna,dc=x"));
        let rows: &[(&str, &str, u64, Belongs)] = &[
            ("cn=hr,dc=x", "uid=anna,dc=x", 100, Member),
            ("CN=HR, DC=X", "uid=anna, dc=x", 100, Member),
            ("cn=hr,dc=x", "uid=ANNA,dc=x", 0, Unknown),
            ("cn=it,dc=x", "uid=anna,dc=x", 100, NotMember),
            ("cn=broken,dc=x", "uid=anna,dc=x", 100, Unknown),
            ("cn=hr,dc=x", "uid=anna,dc=x", 101, Unknown),
            ("cn=it,dc=x", "uid=anna,dc=x", 101, Unknown),
            ("cn=other,dc=x", "uid=anna,dc=x", 0, Unknown),
            ("cn=hr,dc=x", "uid=bert,dc=x", 0, Unknown),
            ("cn=hr,dc=x", "uid=jörg,dc=x", 100, Member),
            ("cn=hr,dc=x", "uid=jorg,dc=x", 0, Unknown),
            ("cn=hr,dc=x", "cn=a,uid=anna,dc=x", 0, Unknown),
        ];
        for (group, person, since, expected) in rows {
            assert_eq!(groups.belongs(&dn(group), &dn(person), seconds(*since)), *expected, "{group} {person} {since}");
        }
    }

    #[test]
    fn a_listed_group_answers_for_everybody() {
        let members = HashSet::from([dn("uid=anna,dc=x"), dn("uid=jörg,dc=x")]);
        let listed = Membership { members, read_at: seconds(100) };
        let groups = Groups { members: HashMap::from([(dn("cn=hr,dc=x"), listed)]), ..Groups::default() };
        for (person, since, expected) in [
            ("uid=anna,dc=x", 100, Member),
            ("uid=bert,dc=x", 100, NotMember),
            ("uid=jorg,dc=x", 100, NotMember),
            ("uid=anna,dc=x", 101, Unknown),
        ] {
            assert_eq!(groups.belongs(&dn("cn=hr,dc=x"), &dn(person), seconds(since)), expected, "{person} {since}");
        }
    }

    #[test]
    fn what_was_not_said_stays_as_it_was_said_before() {
        let asked = list(&["cn=hr,dc=x", "cn=it,dc=x"]);
        let anna = dn("uid=anna,dc=x");
        let first = PersonGroups::new(anna.clone(), asked.clone(), &[Member, NotMember], seconds(100), None);
        let second = PersonGroups::new(anna.clone(), asked, &[Unknown, Member], seconds(110), Some(&first));
        assert_eq!(second.said(&dn("cn=hr,dc=x")), Some(Said { member: true, at: seconds(100) }));
        assert_eq!(second.said(&dn("cn=it,dc=x")), Some(Said { member: true, at: seconds(110) }));
        // Another list of groups after a reload.
        let third = PersonGroups::new(
            anna.clone(),
            list(&["cn=new,dc=x", "cn=hr,dc=x"]),
            &[Member],
            seconds(120),
            Some(&second),
        );
        assert_eq!(third.said(&dn("cn=hr,dc=x")), Some(Said { member: true, at: seconds(100) }));
        assert_eq!(third.said(&dn("cn=it,dc=x")), None);
        let none = PersonGroups::unanswered(anna.clone(), seconds(130), Some(&third));
        assert_eq!(none.said(&dn("cn=new,dc=x")), Some(Said { member: true, at: seconds(120) }));
        let asked = Arc::clone(&none.asked);
        assert!(none.is_settled(&asked, seconds(129)) && !none.is_settled(&asked, seconds(130)));
        assert!(!none.is_settled(&list(&["cn=hr,dc=x"]), seconds(129)), "other groups are asked about now");
        assert_eq!(PersonGroups::unanswered(anna, seconds(130), None).said(&dn("cn=hr,dc=x")), None);
    }

    #[test]
    fn only_a_changed_answer_is_a_change() {
        let asked = list(&["cn=hr,dc=x", "cn=it,dc=x"]);
        let anna = dn("uid=anna,dc=x");
        let said = |found: [Belongs; 2], before: &Groups, at| {
            let known = before.person(&anna).map(|known| &**known);
            before.with(PersonGroups::new(anna.clone(), asked.clone(), &found, seconds(at), known))
        };
        let first = said([Member, NotMember], &Groups::default(), 1);
        assert!(first.says_the_same(&Groups::default()), "somebody new");
        for (found, same) in [
            ([Member, NotMember], true),
            ([Unknown, NotMember], true),
            ([NotMember, NotMember], false),
            ([Member, Member], false),
        ] {
            assert_eq!(said(found, &first, 2).says_the_same(&first), same, "{found:?}");
        }
        assert!(!first.revised().says_the_same(&first));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let asked = list(&["cn=hr,dc=x"]);
        let mut groups = Groups::default();
        for n in 0..60_000_u64 {
            let person = dn(&format!("uid=u{n},dc=x"));
            groups = groups.with(PersonGroups::new(person, asked.clone(), &[Member], seconds(n), None));
        }
        assert!(groups.people().count() <= SHARDS * MAX_SHARD);
        assert!(groups.person(&dn("uid=u59999,dc=x")).is_some() && groups.person(&dn("uid=u0,dc=x")).is_none());
        let few = groups.retaining(|known| known.at() >= seconds(59_990));
        assert_eq!(few.people().count(), 10);
    }
}
