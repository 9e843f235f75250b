//! How a decision is made: what is not understood first, then what is missing, then what is hidden.

mod computing;
mod dependence;
mod openness;
mod permit;
mod reach;
mod wanted;

use super::acting::{self, Acting};
use super::asking;
use super::controls::{self};
use super::holding::{Held, Holder};
use super::refusal::not_held;
use super::resolved::Resolved;
use super::{Asked, Decision, Refusal, Snapshot, understood};
use crate::engine::ldap::ResultCode;
use crate::engine::ldap::request::{Request, SearchScope};
use crate::engine::policy::Policy;
use crate::engine::policy::requirement::{Need, Requirement, Touches};
use crate::engine::policy::resource::ResourceIndex;
use crate::engine::policy::{Mode, OperationKind, OperationSet};
use crate::engine::redaction::Ways;
use reach::Reach;
use std::sync::Arc;

pub use dependence::{Dependence, standing_holds};
use permit::Monitored;
pub use permit::Permit;

/// Decides upon one operation.
pub fn decide(snapshot: &Snapshot, asked: &Asked<'_>) -> Decision {
    let resolved = Resolved::of(snapshot, asked);
    let asked = &resolved.asked(asked);
    match permit(snapshot, asked, snapshot.policy.mode) {
        Ok(mut permit) => {
            if snapshot.policy.mode == Mode::Monitor {
                compare_with_enforced(&mut permit, snapshot, asked);
            }
            Decision::Permitted(permit)
        }
        Err(refusal) => Decision::Refused(refusal),
    }
}

/// While monitoring: notes in the permit what the same policy would refuse or redact if it were enforced. The same
/// decision is made twice, so that the two cannot differ in what they look at.
fn compare_with_enforced(monitoring: &mut Permit, snapshot: &Snapshot, asked: &Asked<'_>) {
    match permit(snapshot, asked, Mode::Enforce) {
        // This is about the log and not about the policy.
        Err(refusal) if refusal.reason == NOT_RECORDED => {}
        Err(refusal) => {
            // One that is not about resources leaves it at what would be redacted.
            let before = monitoring.monitored.take().map(|before| before.refusal.missing).unwrap_or_default();
            let missing = if refusal.missing.is_empty() { before } else { refusal.missing };
            monitoring.monitored = Some(Monitored::new(Refusal { asks: None, missing, ..refusal }));
        }
        Ok(enforced) => {
            if let Some(monitored) = &mut monitoring.monitored
                && !enforced.redaction.is_empty()
            {
                monitored.would_redact = Some(enforced.redaction);
            }
        }
    }
}

fn permit(snapshot: &Snapshot, asked: &Asked<'_>, mode: Mode) -> Result<Permit, Refusal> {
    understood::check(asked.request, &snapshot.policy)?;
    let acting = acting::acting(snapshot, asked)?;
    let asked = &match &acting {
        Some(acting) => Asked { subject: &acting.subject, ..*asked },
        None => *asked,
    };
    let requirement = Requirement::of(asked.request, asked.controls, asked.subject)
        .filter(|_| !understood::is_subschema_read(snapshot, asked))
        .map(|requirement| requirement.resolved(snapshot.policy.naming()));
    let holder = Holder::of(snapshot, asked);
    let mut deciding = Deciding {
        snapshot,
        mode,
        asked,
        holder: &holder,
        requirement: requirement.as_ref(),
        permit: Permit::blank(),
        missing: Vec::new(),
        hides: false,
        cuts: false,
        counts: false,
        asks: Ways::default(),
        hidden: Vec::new(),
    };
    deciding.look(asked.request);
    let name = acting.as_ref().and(holder.name());
    // RFC 4511 4.1.11: what a critical control asks for comes before all that the operation itself would be told.
    let screened = controls::screen(asked, name, &mut deciding)?;
    if let Some(requirement) = &requirement {
        understood::check_targets(snapshot, requirement)?;
    }
    deciding.permit.forwarded = screened.forwarded;
    deciding.permit.replicates = screened.replicates;
    if matches!(asked.request, Request::Search(search) if search.base.is_root() && search.scope == SearchScope::Base) {
        deciding.permit.redaction.mark_root_dse();
    }
    // What is done in another's name asks for nothing: neither asked, the one nor the other.
    let own = |refusal: Refusal| Refusal { asks: refusal.asks.filter(|_| acting.is_none()), ..refusal };
    let mut permit = deciding.conclude().map_err(own)?;
    if let Some(Acting { subject, permit: bound }) = acting {
        permit.act_as(subject, bound);
    }
    Ok(permit)
}

/// A decision on its way.
struct Deciding<'a> {
    snapshot: &'a Snapshot,
    /// The policy's, or `Enforce` where it is only asked what enforcing would do.
    mode: Mode,
    asked: &'a Asked<'a>,
    holder: &'a Holder<'a>,
    requirement: Option<&'a Requirement<'a>>,
    permit: Permit,
    /// What is touched and not held.
    missing: Vec<Need<'a>>,
    /// Whether any entry is reached and, at least in part, not shown.
    hides: bool,
    /// Whether any attribute is.
    cuts: bool,
    /// Whether any count of what is below an entry is.
    counts: bool,
    /// How the filter is asked.
    asks: Ways,
    /// What that is, when monitoring, but for what only aliases could lead to.
    hidden: Vec<Need<'a>>,
}

impl<'a> Deciding<'a> {
    /// Finds out what is touched, held, missing and hidden.
    fn look(&mut self, request: &'a Request<'a>) {
        let Some(requirement) = self.requirement else { return };
        let (policy, kind) = (&*self.snapshot.policy, requirement.kind);
        requirement.needs(policy, |need| {
            push(&mut self.permit.resources, need.resource);
            match self.holder.hold(need, kind) {
                Some(held) => held.into_iter().for_each(|held| rest_on(&mut self.permit, policy, held, kind)),
                None => self.missing.push(need),
            }
        });
        if let (Touches::Reach { base, scope, aliases }, Request::Search(search)) = (&requirement.touches, request) {
            self.look_below(search, Reach { base, scope: *scope, aliases: *aliases });
        }
    }

    /// Weighs what was found.
    fn conclude(mut self) -> Result<Permit, Refusal> {
        let kind = self.requirement.map_or(OperationKind::Search, |requirement| requirement.kind);
        let not_held = |needs: &[Need<'_>], reason| not_held(self.snapshot, self.holder, kind, needs, reason);
        match self.mode {
            Mode::Enforce if !self.missing.is_empty() => {
                if let Some(refusal) = self.undefined() {
                    return Err(refusal);
                }
                let asks = asking::asks(self.snapshot, self.asked, self.holder, kind, &self.missing);
                return Err(Refusal { asks, ..not_held(&self.missing, "not held") });
            }
            Mode::Enforce => {
                if let Some(refusal) = self.check_written(self.asked.request) {
                    return Err(refusal);
                }
                let redaction = &mut self.permit.redaction;
                if self.hides {
                    redaction.hide();
                }
                if self.cuts {
                    redaction.cut();
                }
                if self.counts {
                    redaction.hide_counts();
                }
                redaction.ask_in(std::mem::take(&mut self.asks));
                self.judge_entries();
                if !self.snapshot.recording && self.permit.uses_access() {
                    return Err(unrecorded());
                }
            }
            Mode::Monitor if !self.hidden.is_empty() => {
                self.permit.monitored = Some(Monitored::new(not_held(&self.hidden, "redacted")));
            }
            // What would be refused is asked of the decision that enforces.
            Mode::Monitor => {}
        }
        if !self.permit.rests_on.is_empty() && self.mode == Mode::Enforce {
            self.permit.policy = Some(Arc::clone(&self.snapshot.policy));
        }
        Ok(self.permit)
    }
}

impl Deciding<'_> {
    /// Refuses as the directory does what nothing is known of but that its schema does not have it: where all that is
    /// missing is missing for the sake of such attributes. Nothing is forwarded: what entries hold cannot be felt.
    fn undefined(&self) -> Option<Refusal> {
        let (policy, kind) = (&*self.snapshot.policy, self.requirement?.kind);
        let mut undefined = None;
        for need in &self.missing {
            let types = policy.types(need.resource)?;
            let named = policy.resource(need.resource)?.attributes.as_ref()?;
            for touched in need.attributes?.touched(kind, policy, need.resource) {
                if !types.may_meet(touched, policy.schema()) {
                    continue;
                }
                let is_named = named.iter().any(|name| name.as_bytes().eq_ignore_ascii_case(touched.attribute_type()));
                if is_named || !policy.schema().is_undefined(touched) {
                    return None;
                }
                undefined = undefined.or(Some(touched));
            }
        }
        let name = String::from_utf8_lossy(undefined?.0).into_owned();
        Some(Refusal {
            code: ResultCode::UNDEFINED_ATTRIBUTE_TYPE,
            message: format!("{name}: attribute type undefined"),
            reason: "not understood",
            missing: Vec::new(),
            asks: None,
        })
    }

    /// Has the entries of the answer judged by their own names, and by where they lie: as soon as anything is protected
    /// anywhere, what comes is not taken for what was asked for.
    fn judge_entries(&mut self) {
        let (Request::Search(search), policy) = (self.asked.request, &*self.snapshot.policy) else { return };
        if !policy.protects(OperationKind::Search) {
            return;
        }
        let redaction = &mut self.permit.redaction;
        match self.requirement.map(|requirement| &requirement.touches) {
            Some(Touches::Reach { aliases: true, .. }) => redaction.judge(),
            Some(Touches::Reach { .. }) => {
                redaction.judge();
                redaction.keep_within(&search.base, search.scope);
                if policy.has_views() && search.scope != SearchScope::Base {
                    redaction.expect_strays();
                }
            }
            _ if search.base.is_root() => redaction.judge(),
            // The subschema, which everybody may read, whatever it lies in.
            _ => redaction.keep_within(&search.base, search.scope),
        }
    }
}

fn searching(operations: OperationSet) -> bool {
    operations.contains(OperationKind::Search)
}

/// `kind`: the operation that it is needed for.
fn rest_on(permit: &mut Permit, policy: &Policy, held: Held<'_>, kind: OperationKind) {
    match held {
        Held::Grant(grant, _) => {
            if !permit.rests_on.iter().any(|other| Arc::ptr_eq(other, grant)) {
                permit.rests_on.push(Arc::clone(grant));
            }
        }
        Held::Standing(standing) => {
            if let Some(resource) = policy.resource(standing.resource) {
                let name = (Arc::clone(&resource.name), Arc::clone(&standing.reason));
                permit.stand_on(&name, std::iter::once(kind).collect());
            }
        }
    }
}

fn push(resources: &mut Vec<ResourceIndex>, resource: ResourceIndex) {
    if !resources.contains(&resource) {
        resources.push(resource);
    }
}

const NOT_RECORDED: &str = "not recorded";

fn unrecorded() -> Refusal {
    Refusal {
        code: ResultCode::UNAVAILABLE,
        message: "operations cannot be recorded: what needs a grant or standing access is refused".to_owned(),
        reason: NOT_RECORDED,
        missing: Vec::new(),
        asks: None,
    }
}
