//! A role: what can be requested, by whom, decided by whom, for how long.

use super::asking::OnMissing;
use super::attributes::AttributeNames;
use super::deciding::{Automatic, Stage};
use super::selector::{self, Selector};
use super::{OperationSet, resource::ResourceIndex};
use crate::engine::ldap::Dn;
use crate::engine::ldap::dn::Naming;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// One line of a role's `allow`.
#[derive(Debug, Clone)]
pub struct Allow {
    /// Which resource is opened.
    pub resource: ResourceIndex,
    /// For which operations.
    pub operations: OperationSet,
    /// Only for entries at or below this.
    pub base: Option<Dn>,
    /// Only these attributes.
    pub attributes: Option<AttributeNames>,
}

/// Who must show a second factor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SecondFactor {
    /// Whoever asks.
    pub requester: bool,
    /// Whoever approves.
    pub approver: bool,
}

/// What can be requested.
#[derive(Debug, Clone)]
pub struct Role {
    /// What people and logs call it.
    pub name: Arc<str>,
    /// For people.
    pub description: String,
    /// What it opens.
    pub allow: Vec<Allow>,
    /// Who may ask.
    pub eligible: Vec<Selector>,
    /// Who decides; with stages, everybody who does in one of them.
    pub approvers: Vec<Selector>,
    /// For whom, other than themselves, the eligible may ask.
    pub beneficiaries: Vec<Selector>,
    /// How many different approvers it takes; with stages, in all of them together.
    pub approvals: u32,
    /// Who decides one after another; empty: the approvers, in one stage.
    pub stages: Vec<Stage>,
    /// Rules by which a request is approved without asking anybody; the first that fits does it.
    pub automatic: Vec<Automatic>,
    /// Who may activate it at once, without review, to be signed off later.
    pub break_glass: Vec<Selector>,
    /// The longest grant.
    pub max_duration: Duration,
    /// When the request does not say.
    pub default_duration: Duration,
    /// How long a request may wait for its reviews.
    pub request_ttl: Duration,
    /// How far ahead a grant may begin, from the moment of the request.
    pub max_lead: Duration,
    /// Whether a request must give a reason.
    pub reason_required: bool,
    /// What a ticket must look like; `None`: no ticket is asked for.
    pub ticket_pattern: Option<regex_lite::Regex>,
    /// Who must show a second factor.
    pub second_factor: SecondFactor,
    /// Whether what it opens may be replicated: sync, persistent search, DirSync.
    pub replicate: bool,
    /// What becomes of an operation for which it is missing; `None`: what the resources say.
    pub on_missing: Option<OnMissing>,
}

impl Role {
    /// Everybody who has to do with it: every list of selectors.
    pub fn selectors(&self) -> impl Iterator<Item = &Vec<Selector>> {
        let lists = [&self.eligible, &self.approvers, &self.beneficiaries, &self.break_glass];
        lists.into_iter().chain(self.automatic.iter().filter_map(|rule| rule.who.as_ref()))
    }

    /// The same, its names as the directory reads them.
    #[must_use]
    pub fn resolved(&self, naming: &Naming) -> Role {
        let mut role = self.clone();
        role.allow.iter_mut().filter_map(|allow| allow.base.as_mut()).for_each(|base| base.resolve(naming));
        let lists = [&mut role.eligible, &mut role.approvers, &mut role.beneficiaries, &mut role.break_glass];
        let stages = role.stages.iter_mut().map(|stage| &mut stage.approvers);
        let rules = role.automatic.iter_mut().filter_map(|rule| rule.who.as_mut());
        lists.into_iter().chain(stages).chain(rules).for_each(|list| selector::resolve(list, naming));
        role
    }

    /// Whether a group decides who may hold a grant of this role.
    pub fn is_held_by_group(&self) -> bool {
        let lists = [&self.eligible, &self.beneficiaries, &self.break_glass];
        lists.into_iter().flatten().any(|selector| matches!(selector, Selector::Group(_)))
    }

    /// Who decides, one after another; never empty.
    pub fn plan(&self) -> Cow<'_, [Stage]> {
        if self.stages.is_empty() {
            let approvers = self.approvers.clone();
            return Cow::Owned(vec![Stage { approvers, approvals: self.approvals, after: None, escalation: false }]);
        }
        Cow::Borrowed(&self.stages)
    }
}
