//! The grants that may be active, by subject: an immutable snapshot for the hot path.
//!
//! Whether one *is* active is compared with the clocks at each decision; nothing here expires.

use crate::engine::Now;
use crate::engine::ldap::Dn;
use crate::engine::ldap::dn::Naming;
use crate::engine::policy::attributes::AttributeNames;
use crate::engine::policy::{OperationSet, resource::ResourceIndex};
use chrono::{DateTime, Utc};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// One opening of a grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// Which resource (of the policy the index was built for).
    pub resource: ResourceIndex,
    /// For which operations.
    pub operations: OperationSet,
    /// Only at or below this.
    pub base: Option<Dn>,
    /// Only these attributes, with their subtypes.
    pub attributes: Option<AttributeNames>,
}

impl Opening {
    /// Whether every directory takes what the two open for the same.
    pub fn is_surely(&self, other: &Opening) -> bool {
        let same_base = match (&self.base, &other.base) {
            (None, None) => true,
            (Some(one), Some(other)) => one.is_surely(other),
            (None, Some(_)) | (Some(_), None) => false,
        };
        self.resource == other.resource
            && self.operations == other.operations
            && self.attributes == other.attributes
            && same_base
    }
}

/// One grant, as decisions need it.
#[derive(Debug, Clone)]
pub struct ActiveGrant {
    /// The grant's id.
    pub id: Arc<str>,
    /// The request it came from.
    pub request: Arc<str>,
    /// The role's name.
    pub role: Arc<str>,
    /// Whose it is.
    pub subject: Dn,
    /// First instant, wall clock.
    pub from: DateTime<Utc>,
    /// First instant after it, wall clock.
    pub until: DateTime<Utc>,
    /// First instant after it on the monotonic clock, fixed when it was put in here.
    pub until_monotonic: Duration,
    /// Whether nobody decided on it: its holder broke the glass.
    pub break_glass: bool,
    /// What it opens.
    pub opens: Vec<Opening>,
}

impl ActiveGrant {
    /// Whether it opens anything at this moment: both clocks must say so, so that setting the wall
    /// clock back lengthens nothing.
    pub fn is_active(&self, now: Now) -> bool {
        self.from <= now.wall && now.wall < self.until && now.monotonic < self.until_monotonic
    }
}

/// Number of shards: a change copies one shard, so its cost does not grow with all grants.
const SHARDS: usize = 256;

/// Grants by the key of their subject.
type Shard = HashMap<Arc<[u8]>, Arc<[Arc<ActiveGrant>]>>;

/// All grants that have not ended, by subject.
#[derive(Debug, Clone)]
pub struct ActiveGrants {
    shards: Vec<Arc<Shard>>,
    count: usize,
    /// How the directory reads the names of subjects: names are found however they are given.
    naming: Arc<Naming>,
}

impl ActiveGrants {
    /// None.
    pub fn new() -> ActiveGrants {
        ActiveGrants { shards: vec![Arc::default(); SHARDS], count: 0, naming: Arc::default() }
    }

    /// How many there are, active at this moment or not.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The grants of `subject`, active at this moment or not; never those of a name that some
    /// directory tells apart from it.
    pub fn get(&self, subject: &Dn) -> impl Iterator<Item = &Arc<ActiveGrant>> {
        let subject = subject.resolved(&self.naming);
        // Most have none, and are not worth a hash.
        let shard = self.shards.get(shard_of(&subject)).filter(|shard| !shard.is_empty());
        let list = shard.and_then(|shard| shard.get(subject.key())).map_or(&[][..], |list| list);
        list.iter().filter(move |grant| grant.subject.is_surely(&subject))
    }

    /// These, with names as the directory reads them.
    #[must_use]
    pub fn resolved(&self, naming: &Arc<Naming>) -> ActiveGrants {
        let grants: ActiveGrants = self.iter().map(|grant| read_by(naming, grant)).collect();
        ActiveGrants { naming: Arc::clone(naming), ..grants }
    }

    /// Every grant.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<ActiveGrant>> {
        self.shards.iter().flat_map(|shard| shard.values()).flat_map(|list| list.iter())
    }

    /// These and `grant`, which takes the place of one with the same subject and id.
    #[must_use]
    pub fn with(&self, grant: Arc<ActiveGrant>) -> ActiveGrants {
        let grant = read_by(&self.naming, &grant);
        let subject = grant.subject.clone();
        self.changed(&subject, |list| {
            list.retain(|other| other.id != grant.id);
            list.push(grant);
        })
    }

    /// These without the grant `id` of `subject`.
    #[must_use]
    pub fn without(&self, subject: &Dn, id: &str) -> ActiveGrants {
        self.changed(&subject.resolved(&self.naming), |list| list.retain(|grant| &*grant.id != id))
    }

    fn changed(&self, subject: &Dn, change: impl FnOnce(&mut Vec<Arc<ActiveGrant>>)) -> ActiveGrants {
        let mut next = self.clone();
        let Some(shard) = next.shards.get_mut(shard_of(subject)).map(Arc::make_mut) else { return next };
        let mut list = shard.get(subject.key()).map(|list| list.to_vec()).unwrap_or_default();
        next.count -= list.len();
        change(&mut list);
        next.count += list.len();
        if list.is_empty() {
            shard.remove(subject.key());
        } else {
            shard.insert(subject.key().into(), list.into());
        }
        next
    }
}

/// The grant with its names as the directory reads them.
fn read_by(naming: &Naming, grant: &Arc<ActiveGrant>) -> Arc<ActiveGrant> {
    let names =
        || std::iter::once(&grant.subject).chain(grant.opens.iter().filter_map(|opening| opening.base.as_ref()));
    if names().all(|name| matches!(name.resolved(naming), Cow::Borrowed(_))) {
        return Arc::clone(grant);
    }
    let mut grant = ActiveGrant::clone(grant);
    grant.subject.resolve(naming);
    grant.opens.iter_mut().filter_map(|opening| opening.base.as_mut()).for_each(|base| base.resolve(naming));
    Arc::new(grant)
}

impl Default for ActiveGrants {
    fn default() -> ActiveGrants {
        ActiveGrants::new()
    }
}

/// A shard that is still being filled.
type Filling = HashMap<Arc<[u8]>, Vec<Arc<ActiveGrant>>>;

impl FromIterator<Arc<ActiveGrant>> for ActiveGrants {
    fn from_iter<I: IntoIterator<Item = Arc<ActiveGrant>>>(grants: I) -> ActiveGrants {
        let mut shards: Vec<Filling> = vec![HashMap::new(); SHARDS];
        for grant in grants {
            if let Some(shard) = shards.get_mut(shard_of(&grant.subject)) {
                let list = shard.entry(grant.subject.key().into()).or_default();
                list.retain(|other| other.id != grant.id);
                list.push(grant);
            }
        }
        let count = shards.iter().flat_map(HashMap::values).map(Vec::len).sum();
        let freeze =
            |shard: HashMap<_, Vec<_>>| Arc::new(shard.into_iter().map(|(key, list)| (key, list.into())).collect());
        ActiveGrants { shards: shards.into_iter().map(freeze).collect(), count, naming: Arc::default() }
    }
}

/// FNV-1a over the key: where a subject's grants lie is no secret.
fn shard_of(subject: &Dn) -> usize {
    let hash = subject
        .key()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, octet| (hash ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01b3));
    (hash ^ hash >> 32) as usize % SHARDS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dn(text: &str) -> Dn {
        text.parse().unwrap()
    }

    fn grant(id: &str, subject: &str) -> Arc<ActiveGrant> {
        Arc::new(ActiveGrant {
            id: id.into(),
            request: "r".into(),
            role: "role".into(),
            subject: dn(subject),
            from: DateTime::from_timestamp(100, 0).unwrap(),
            until: DateTime::from_timestamp(200, 0).unwrap(),
            until_monotonic: Duration::from_secs(50),
            break_glass: false,
            opens: vec![],
        })
    }

    fn ids(grants: &ActiveGrants, subject: &str) -> Vec<String> {
        grants.get(&dn(subject)).map(|grant| grant.id.to_string()).collect()
    }

    #[test]
    fn both_clocks_must_agree() {
        for (wall, monotonic, active) in [
            (100, 0, true),
            (199, 49, true),
            (99, 0, false),
            (200, 0, false),
            // The wall clock was set back; the monotonic one knows better.
            (100, 50, false),
            (150, 1_000, false),
        ] {
            let now =
                Now { wall: DateTime::from_timestamp(wall, 0).unwrap(), monotonic: Duration::from_secs(monotonic) };
            assert_eq!(grant("g", "uid=a").is_active(now), active, "{wall} {monotonic}");
        }
    }

    #[test]
    fn grants_are_found_by_their_subject_alone() {
        let all: ActiveGrants =
            (0..1_000).map(|n| grant(&format!("g{n}"), &format!("uid=u{},dc=x", n % 500))).collect();
        assert_eq!((all.len(), all.iter().count()), (1_000, 1_000));
        assert_eq!(ids(&all, "UID=U7, DC=X"), ["g7", "g507"]);
        assert!(
            ids(&all, "uid=u500,dc=x").is_empty() && ids(&all, "uid=ü7,dc=x").is_empty() && ids(&all, "").is_empty()
        );
    }

    #[test]
    fn a_change_leaves_the_others_and_the_one_before() {
        let empty = ActiveGrants::new();
        let one = empty.with(grant("a", "uid=a"));
        let two = one.with(grant("b", "uid=a")).with(grant("c", "uid=ä"));
        assert_eq!((empty.len(), one.len(), two.len()), (0, 1, 3));
        assert_eq!(two.with(grant("b", "uid=a")).len(), 3, "the same grant again");
        assert_eq!((ids(&two, "uid=a"), ids(&two, "uid=ä")), (vec!["a".into(), "b".into()], vec!["c".into()]));
        let less = two.without(&dn("uid=a"), "a").without(&dn("uid=a"), "nobody's").without(&dn("uid=z"), "b");
        assert_eq!((ids(&less, "uid=a"), less.len(), two.len()), (vec!["b".into()], 2, 3));
        assert!(less.without(&dn("uid=a"), "b").without(&dn("uid=ä"), "c").is_empty());
        assert!(empty.is_empty() && !one.is_empty());
    }
}
