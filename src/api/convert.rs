//! Views of what the engine holds: what each caller is shown, rendered from the records and never
//! from text that a requester supplied in its place.

use super::{DurationText, GrantView, HistoryView, LockView, RequestView, ReviewView, RoleView, ScopeView, StageView};
use crate::engine::grant::history::{Actor, Entry};
use crate::engine::grant::lifecycle::{Grant, GrantState};
use crate::engine::grant::scope::{Scope, reach_word};
use crate::engine::ldap::Dn;
use crate::engine::policy::Policy;
use crate::engine::policy::deciding::Stage;
use crate::engine::policy::role::Role;
use crate::engine::policy::selector::Selector;
use crate::engine::workflow::request::Review;
use crate::engine::workflow::{Context, Lock, Request, RequestState, review, stages};
use chrono::{DateTime, Utc};
use std::time::Duration;

impl RequestView {
    /// The request as `actor` sees it at this moment.
    pub fn new(request: &Request, actor: &Actor, context: &Context<'_>) -> RequestView {
        let now = context.now.wall;
        let state = request.state_at(now);
        let role = context.policy.role(&request.role);
        let position = request.position_at(now).unwrap_or(request.position);
        let pending = state == RequestState::Pending;
        let deciding = role.filter(|_| pending).and_then(|role| stages::deciding(request, &position, role).ok());
        let ends = request.stage_ends(&position).filter(|_| pending);
        let is_last = position.stage + 1 >= request.stages.len();
        RequestView {
            id: (!request.id.is_empty()).then(|| request.id.clone()),
            state,
            revision: request.revision,
            scope_digest: request.digest(),
            requested_by: request.requested_by.to_string(),
            by_doing: request.by_doing,
            really_by: request.really.as_ref().map(ToString::to_string),
            subject: request.subject.text().to_owned(),
            role: request.role.clone(),
            reason: request.reason.clone(),
            ticket: request.ticket.clone(),
            scope: scope(&request.scope),
            duration: DurationText(request.duration),
            start: request.start,
            created: request.created,
            lapses: ends.filter(|_| is_last).map_or(request.lapses, |ends| ends.min(request.lapses)),
            goes_on: ends.filter(|ends| !is_last && *ends < request.lapses),
            stage: counted(position.stage),
            stages: u32::try_from(request.stages.len()).unwrap_or(u32::MAX).max(1),
            break_glass: request.basis.is_break_glass(),
            automatic: request.basis.rule(),
            extends: request.extends.clone(),
            approvals: role.map_or(request.approvals, |role| request.needed_in_all(&position, role)),
            reviews: request.reviews.iter().map(ReviewView::new).collect(),
            waiting_for: deciding.map(|stage| selectors(&stage.approvers)).unwrap_or_default(),
            may_review: review::may_review(request, actor, context).is_ok(),
            permanent: request.scope.is_permanent(),
            grant: request.grant.clone(),
            history: request.history.iter().map(HistoryView::new).collect(),
        }
    }
}

impl ReviewView {
    fn new(review: &Review) -> ReviewView {
        ReviewView {
            who: review.who.to_string(),
            really_by: review.really.as_ref().map(ToString::to_string),
            decision: review.verdict,
            reason: review.reason.clone(),
            at: review.at,
            stage: counted(review.stage),
        }
    }
}

impl HistoryView {
    fn new(entry: &Entry) -> HistoryView {
        HistoryView {
            event: entry.what.word().to_owned(),
            by: entry.by.clone(),
            acting_as: entry.acting_as.clone(),
            at: entry.at,
            from: entry.from.clone(),
            reason: entry.reason.clone(),
            revision_before: entry.before,
            revision_after: entry.after,
        }
    }
}

impl GrantView {
    /// The grant at `now`: what is over by the clock is shown as expired.
    pub fn new(grant: &Grant, now: DateTime<Utc>) -> GrantView {
        let state = grant.state_at(now);
        let ended = match state {
            GrantState::Scheduled | GrantState::Active => None,
            GrantState::Expired => Some(grant.ended.unwrap_or(grant.until)),
            GrantState::Released | GrantState::Revoked => grant.ended,
        };
        GrantView {
            id: grant.id.clone(),
            request: grant.request.clone(),
            subject: grant.subject.text().to_owned(),
            requested_by: grant.requested_by.to_string(),
            role: grant.role.clone(),
            state,
            revision: grant.revision,
            from: grant.from,
            until: grant.until,
            ended,
            scope: scope(&grant.scope),
            permanent: grant.scope.is_permanent(),
            break_glass: grant.basis.is_break_glass(),
            signed_off: grant.basis.is_break_glass().then_some(grant.signed_off),
            automatic: grant.basis.rule(),
            extends: grant.extends.clone(),
            note: None,
            history: grant.history.iter().map(HistoryView::new).collect(),
        }
    }
}

impl LockView {
    /// The lock.
    pub fn new(lock: &Lock) -> LockView {
        LockView {
            subject: lock.subject.text().to_owned(),
            locked: lock.locked,
            reason: lock.reason.clone(),
            revision: lock.revision,
            note: None,
            history: lock.history.iter().map(HistoryView::new).collect(),
        }
    }
}

impl RoleView {
    /// The role as configured in `policy`, for somebody who may or may not break the glass.
    pub fn new(role: &Role, policy: &Policy, break_glass: bool) -> RoleView {
        RoleView {
            name: role.name.to_string(),
            unknown_groups: Vec::new(),
            description: role.description.clone(),
            // A role that opens nothing is shown as just that.
            scope: Scope::of_role(role, policy).map(|whole| scope(&whole)).unwrap_or_default(),
            approvers: selectors(&role.approvers),
            approvals: role.approvals,
            stages: role.stages.iter().map(stage).collect(),
            break_glass,
            break_glass_only: false,
            beneficiaries: selectors(&role.beneficiaries),
            max_duration: DurationText(role.max_duration),
            default_duration: DurationText(role.default_duration),
            request_ttl: DurationText(role.request_ttl),
            max_lead: DurationText(role.max_lead),
            second_factor: role.second_factor.requester,
            reason_required: role.reason_required,
            ticket_pattern: role.ticket_pattern.as_ref().map(|pattern| pattern.as_str().to_owned()),
        }
    }

    /// The same for somebody of whom it is not known whether they may request it: only its name.
    pub fn unknown(role: &Role, groups: Vec<Dn>) -> RoleView {
        RoleView {
            name: role.name.to_string(),
            unknown_groups: groups.iter().map(|group| group.text().to_owned()).collect(),
            description: String::new(),
            scope: Vec::new(),
            approvers: Vec::new(),
            approvals: 0,
            stages: Vec::new(),
            break_glass: false,
            break_glass_only: false,
            beneficiaries: Vec::new(),
            max_duration: DurationText(Duration::ZERO),
            default_duration: DurationText(Duration::ZERO),
            request_ttl: DurationText(Duration::ZERO),
            max_lead: DurationText(Duration::ZERO),
            second_factor: false,
            reason_required: false,
            ticket_pattern: None,
        }
    }
}

fn stage(stage: &Stage) -> StageView {
    StageView {
        approvers: selectors(&stage.approvers),
        approvals: stage.approvals,
        after: stage.after.map(DurationText),
        escalation: stage.escalation,
    }
}

/// A position as people count.
fn counted(stage: usize) -> u32 {
    u32::try_from(stage).unwrap_or(u32::MAX).saturating_add(1)
}

impl ScopeView {
    /// A scope, one view for each of its entries.
    pub fn of(whole: &Scope) -> Vec<ScopeView> {
        scope(whole)
    }
}

pub(super) fn scope(scope: &Scope) -> Vec<ScopeView> {
    let view = |entry: &crate::engine::grant::scope::ScopeEntry| ScopeView {
        resource: entry.resource.clone(),
        base: entry.base.text().to_owned(),
        scope: reach_word(entry.reach).to_owned(),
        operations: entry.operations.iter().map(|kind| kind.name().to_owned()).collect(),
        attributes: entry.attributes.as_ref().map(|names| names.iter().map(str::to_owned).collect()),
        permanent: entry.permanent().into_iter().map(str::to_owned).collect(),
    };
    scope.0.iter().map(view).collect()
}

fn selectors(selectors: &[Selector]) -> Vec<String> {
    selectors.iter().map(ToString::to_string).collect()
}
