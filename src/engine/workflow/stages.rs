//! Who decides on a request at a moment. Stages decide in order, and each needs its approvals. One that
//! has not decided when its time is over hands on to the next, which then has to give the approvals
//! that are still missing as well as its own: waiting never makes it fewer people. An escalation
//! stage decides in place of the one before it, with its own number, and is passed over when that
//! one decided in time. After the last stage's time the request lapses.

use super::WorkflowError;
use super::request::{Request, RequestState, Verdict};
use crate::engine::grant::lifecycle::after;
use crate::engine::policy::deciding::Stage;
use crate::engine::policy::role::Role;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A stage as the role had it when a request was made. Who its approvers are, the role says now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// How many approvals it takes.
    pub approvals: u32,
    /// How long it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Duration>,
    /// Whether it decides only in place of the one before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub escalation: bool,
}

/// Which stage decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Position {
    /// Counted from 0.
    pub stage: usize,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Approvals that stages before it did not give in their time.
    #[serde(default)]
    pub owed: u32,
}

impl Planned {
    fn of(stage: &Stage) -> Planned {
        Planned { approvals: stage.approvals.max(1), after: stage.after, escalation: stage.escalation }
    }
}

/// The stages of a role, to be kept with a request.
pub fn plan(role: &Role) -> Vec<Planned> {
    role.plan().iter().map(Planned::of).collect()
}

impl Request {
    /// Which stage decides at `now`, whether or not anybody has written that down yet; `None`
    /// when the last one's time is over.
    pub fn position_at(&self, now: DateTime<Utc>) -> Option<Position> {
        let mut position = self.position;
        while let Some(end) = self.stage_ends(&position).filter(|end| now >= *end) {
            let next = self.stages.get(position.stage + 1)?;
            let missing = self.needed(&position).saturating_sub(self.given(position.stage));
            let owed = if next.escalation { 0 } else { missing };
            position = Position { stage: position.stage + 1, since: end, owed };
        }
        Some(position)
    }

    /// When the stage's time is over, if it has one.
    pub fn stage_ends(&self, position: &Position) -> Option<DateTime<Utc>> {
        let allowed = self.stages.get(position.stage)?.after?;
        Some(after(position.since, allowed))
    }

    /// When the clock next does something to a request that waits.
    pub fn next_deadline(&self) -> Option<DateTime<Utc>> {
        match self.state {
            RequestState::Pending => {
                let end = self.stage_ends(&self.position);
                Some(end.map_or(self.lapses, |end| end.min(self.lapses)))
            }
            RequestState::Approved | RequestState::Denied | RequestState::Cancelled | RequestState::Lapsed => None,
        }
    }

    /// The stage that comes when this one has its approvals; `None`: nothing is missing any more.
    pub fn stage_after(&self, stage: usize) -> Option<usize> {
        (stage + 1..self.stages.len()).find(|next| self.stages.get(*next).is_some_and(|stage| !stage.escalation))
    }

    /// How many approvals the stage has.
    pub fn given(&self, stage: usize) -> u32 {
        let approvals = self.reviews.iter().filter(|one| one.stage == stage && one.verdict == Verdict::Approve);
        u32::try_from(approvals.count()).unwrap_or(u32::MAX)
    }

    /// How many the stage at `position` takes, as the role said when the request was made.
    pub fn needed(&self, position: &Position) -> u32 {
        let own = self.stages.get(position.stage).map_or(self.approvals, |stage| stage.approvals).max(1);
        own.saturating_add(position.owed)
    }

    /// How many the stage at `position` takes: as many as when the request was made, or as the
    /// role says now if that is more.
    pub fn needed_by(&self, position: &Position, role: &Role) -> u32 {
        let now = role.plan().get(position.stage).map_or(0, |stage| stage.approvals);
        self.needed(position).max(now.saturating_add(position.owed))
    }

    /// How many approvals it takes in all, those included that were given, unless a stage hands on.
    pub fn needed_in_all(&self, position: &Position, role: &Role) -> u32 {
        let before: u32 = (0..position.stage).map(|stage| self.given(stage)).sum();
        let mut later = 0_u32;
        let mut stage = self.stage_after(position.stage);
        while let Some(next) = stage {
            let coming = Position { stage: next, since: position.since, owed: 0 };
            later = later.saturating_add(self.needed_by(&coming, role));
            stage = self.stage_after(next);
        }
        before.saturating_add(self.needed_by(position, role)).saturating_add(later)
    }
}

/// The role's stage at `position`, if the role still decides as it did when the request was made:
/// in another order, an approval would stand for something else.
///
/// # Errors
/// Its stages were changed.
pub fn deciding(request: &Request, position: &Position, role: &Role) -> Result<Stage, WorkflowError> {
    let shape = |stages: &[Planned]| stages.iter().map(|stage| (stage.after, stage.escalation)).collect::<Vec<_>>();
    let now = plan(role);
    let changed = || WorkflowError::StagesChanged(request.role.clone());
    let same = if request.stages.is_empty() { now.len() == 1 } else { shape(&request.stages) == shape(&now) };
    if !same {
        return Err(changed());
    }
    role.plan().get(position.stage).cloned().ok_or_else(changed)
}
