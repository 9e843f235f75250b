//! Types of which it is not known what they cover: to whoever asks they are as unknown as names that nobody
//! defines. Those with an ambiguous name, those below a type that could not be read, their subtypes, and
//! attributes that directories make out of the values of others.

use super::merge::Claim;
use std::collections::HashMap;

/// In lower case. What they show, or match, are values of other attributes, whichever these are.
const MADE_OF_OTHERS: &[&str] = &[
    // Active Directory: an assertion on it is one on names, addresses and more (MS-ADTS 3.1.1.3.1.3.4).
    "anr",
    // Active Directory: names in the values of links, as they were replicated (MS-ADTS 3.1.1.4.5).
    "msds-replvaluemetadata",
    "msds-replvaluemetadataext",
    // 389 Directory Server: the whole entry as text.
    "nscpentrywsi",
    // OpenDJ: values as they were written.
    "ds-sync-hist",
];

/// What there is to know of one type.
pub(super) struct Known<'r> {
    pub(super) oid: Option<&'r str>,
    pub(super) names: &'r [&'r str],
    /// What it names as its supertype.
    pub(super) superior: Option<&'r str>,
}

/// Whether a type of this name shows or matches values of others, in whichever directory.
pub(super) fn is_made_of_others(name: &[u8]) -> bool {
    MADE_OF_OTHERS.iter().any(|made| made.as_bytes().eq_ignore_ascii_case(name))
}

/// Has everything that leads to such a type lead nowhere. `order` has supertypes before their subtypes.
pub(super) fn blur<'r>(
    claims: &mut HashMap<String, Claim>,
    types: impl Iterator<Item = Known<'r>>,
    supertypes: &[Option<u32>],
    order: &[u32],
) {
    let is_uncertain = |known: Known<'_>| {
        let is_lost = |name: &str| matches!(claims.get(&name.to_ascii_lowercase()), Some(Claim::Several) | None);
        let is_made = |name: &str| MADE_OF_OTHERS.iter().any(|made| made.eq_ignore_ascii_case(name));
        let mut names = known.oid.into_iter().chain(known.names.iter().copied());
        known.superior.is_some_and(is_lost) || names.any(|name| is_made(name) || is_lost(name))
    };
    let mut uncertain: Vec<bool> = types.map(is_uncertain).collect();
    for id in order {
        let above = supertypes.get(*id as usize).copied().flatten();
        let inherits = above.and_then(|above| uncertain.get(above as usize)).is_some_and(|above| *above);
        if let Some(own) = uncertain.get_mut(*id as usize).filter(|_| inherits) {
            *own = true;
        }
    }
    for claim in claims.values_mut() {
        if matches!(claim, Claim::One(id) if uncertain.get(*id as usize).is_none_or(|uncertain| *uncertain)) {
            *claim = Claim::Several;
        }
    }
}
