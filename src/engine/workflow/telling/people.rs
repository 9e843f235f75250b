//! Who is told: those who can decide, those who have to know, those whom it is about.

use super::Facts;
use crate::engine::grant::history::{Actor, Identity, TIDEGATE};
use crate::engine::ldap::Dn;
use crate::engine::policy::selector::Selector;
use crate::engine::workflow::request::Request;
use crate::engine::workflow::stages::deciding;
use crate::engine::workflow::{Context, Match, Notice, WorkflowError, review};
use std::collections::BTreeSet;

/// Some people, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct People {
    /// Who, each once, in the order of their names.
    pub names: Vec<Dn>,
    /// Whether there may be more: of some group the directory has not lately said who is in it.
    pub unknown: bool,
}

impl People {
    fn one(identity: &Identity) -> People {
        People { names: identity.dn.iter().cloned().collect(), unknown: false }
    }

    /// Those whom selectors name one by one. `subtree:`, `certificate:` and `anyone` name nobody in particular.
    fn named<'s>(selectors: impl IntoIterator<Item = &'s Selector>, context: &Context<'_>) -> People {
        let mut people = People::default();
        for selector in selectors {
            match selector {
                Selector::Dn(dn) => people.add(dn.clone()),
                Selector::Group(group) => {
                    let listed = context.groups.listed(group, context.since);
                    people.unknown |= listed.is_none();
                    listed.into_iter().flatten().for_each(|dn| people.add(dn.clone()));
                }
                Selector::Local(user) => {
                    if let Some(dn) = context.authority.subject_of(user) {
                        people.add(dn);
                    }
                }
                Selector::Subtree(_) | Selector::Certificate(_) | Selector::Anyone => {}
            }
        }
        people.names.sort_by(|one, other| one.text().cmp(other.text()));
        people
    }

    fn add(&mut self, name: Dn) {
        if !self.names.iter().any(|known| known.is_surely(&name)) {
            self.names.push(name);
        }
    }
}

/// Whether people of these selectors can be told: whether any of them names somebody in particular.
pub fn can_be_told(selector: &Selector, has_local_subject: bool) -> bool {
    match selector {
        Selector::Dn(_) | Selector::Group(_) => true,
        Selector::Local(_) => has_local_subject,
        Selector::Subtree(_) | Selector::Certificate(_) | Selector::Anyone => false,
    }
}

impl Notice {
    /// Who is told of it in person.
    pub fn people(&self, facts: &Facts, context: &Context<'_>) -> People {
        match (self, facts) {
            (Notice::Waits { .. }, Facts::Request(request, _)) => deciders(request, context),
            (Notice::BreakGlass { .. }, Facts::Request(request, _)) => {
                let approvers = context.policy.role(&request.role).map(|role| &role.approvers);
                let authority = context.authority;
                let lists = approvers.into_iter().chain([&authority.auditors, &authority.administrators]);
                let mut people = People::named(lists.flatten(), context);
                // Whoever holds a stolen password has broken it in somebody's name.
                request.requested_by.dn.iter().for_each(|dn| people.add(dn.clone()));
                people
            }
            // What a rule approves, its requester is told on the spot.
            (Notice::Approved { .. }, Facts::Request(request, _)) if !request.basis.is_reviews() => People::default(),
            (Notice::Approved { .. } | Notice::Denied { .. } | Notice::Lapsed { .. }, Facts::Request(request, _)) => {
                People::one(&request.requested_by)
            }
            // A beneficiary has no mailbox: whoever asked for it can extend and release it.
            (Notice::Ending { .. } | Notice::Revoked { .. }, Facts::Grant(grant, _)) => {
                People::one(&grant.requested_by)
            }
            (Notice::Locked { .. }, Facts::Lock(lock)) => People { names: vec![lock.subject.clone()], unknown: false },
            (Notice::Waits { .. } | Notice::BreakGlass { .. }, Facts::Grant(..) | Facts::Lock(_))
            | (Notice::Approved { .. } | Notice::Denied { .. } | Notice::Lapsed { .. }, Facts::Grant(..))
            | (Notice::Approved { .. } | Notice::Denied { .. } | Notice::Lapsed { .. }, Facts::Lock(_))
            | (Notice::Ending { .. } | Notice::Revoked { .. }, Facts::Request(..) | Facts::Lock(_))
            | (Notice::Locked { .. }, Facts::Request(..) | Facts::Grant(..)) => People::default(),
        }
    }

    /// The groups whose members are told: their members have to be listed before [`Notice::people`] is asked.
    pub fn groups(&self, facts: &Facts, context: &Context<'_>) -> BTreeSet<Dn> {
        let authority = context.authority;
        let (role, office): (_, &[&Vec<Selector>]) = match (self, facts) {
            (Notice::Waits { .. }, Facts::Request(request, _)) => (context.policy.role(&request.role), &[]),
            (Notice::BreakGlass { .. }, Facts::Request(request, _)) => {
                (context.policy.role(&request.role), &[&authority.auditors, &authority.administrators])
            }
            (
                Notice::Waits { .. }
                | Notice::BreakGlass { .. }
                | Notice::Approved { .. }
                | Notice::Denied { .. }
                | Notice::Lapsed { .. }
                | Notice::Ending { .. }
                | Notice::Revoked { .. }
                | Notice::Locked { .. },
                _,
            ) => (None, &[]),
        };
        // With stages, these are the approvers of all of them.
        let lists = role.into_iter().map(|role| &role.approvers).chain(office.iter().copied()).flatten();
        lists.filter_map(Selector::group).cloned().collect()
    }

    /// Whether this person is still one of those who are told.
    pub fn is_for(&self, dn: &Dn, facts: &Facts, context: &Context<'_>) -> Match {
        let people = self.people(facts, context);
        match people.names.iter().any(|name| name.is_surely(dn)) {
            true => Match::Yes,
            false if people.unknown => Match::Unknown,
            false => Match::No,
        }
    }
}

/// Those who can decide on a request now: never who asked, nor who has approved it already.
fn deciders(request: &Request, context: &Context<'_>) -> People {
    let position = request.position_at(context.now.wall);
    let role = context.policy.role(&request.role);
    let stage = position.zip(role).and_then(|(position, role)| deciding(request, &position, role).ok());
    let Some(stage) = stage else { return People::default() };
    let named = People::named(&stage.approvers, context);
    let mut people = People { names: Vec::new(), unknown: named.unknown };
    for name in named.names {
        match review::may_review(request, &Actor::own(Identity::of_dn(name.clone()), TIDEGATE), context) {
            Ok(_) => people.names.push(name),
            Err(WorkflowError::MembershipUnknown(_)) => people.unknown = true,
            Err(_) => {}
        }
    }
    people
}
