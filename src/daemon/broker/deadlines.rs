//! What time does: it activates, expires, lapses, warns; has a store that failed tried again; fills the archive.

use super::{Broker, BrokerError, Context, Event, Grant};
use crate::engine::workflow::WorkflowError;
use crate::engine::workflow::ending;
use std::sync::Arc;
use std::time::Duration;

/// The longest that the clock is not looked at (it may be set).
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How soon more is done of what takes several turns.
const SHORTLY: Duration = Duration::from_millis(10);

impl Broker {
    /// Does what is due: activates, expires, lapses, ends what the configuration does not allow; has a store that
    /// failed tried again. Returns how long nothing more is due. The gate compares the time at each decision, so that
    /// being late here opens nothing.
    pub fn settle(&self) -> Duration {
        self.live.look_again(&self.shared, self.unknown.after(), self.clock.now());
        let (now, since) = (self.clock.now().wall, self.moment().since);
        let due = self.live.due(now);
        if let Err(error) = self.recover() {
            // Nothing can be written down. What is over is over all the same.
            tracing::debug!(%error, "the store does not work yet");
            due.grants.iter().filter(|id| self.live.is_over(id, now)).for_each(|id| self.settle_grant(id, since));
            due.doubtful.iter().for_each(|id| self.settle_doubtful(id));
            return LOOK_AGAIN;
        }
        for id in &due.requests {
            self.log_failure(id, self.step_unseen(id, since, |_, _| Event::Deadline).err());
        }
        self.settle_grants(&due.grants);
        due.doubtful.iter().for_each(|id| self.settle_doubtful(id));
        self.warn(now);
        self.note_now_and_then();
        if self.archive() {
            return SHORTLY;
        }
        let next = self.live.due(now).next.and_then(|next| (next - now).to_std().ok());
        next.map_or(LOOK_AGAIN, |next| next.min(LOOK_AGAIN))
    }

    /// The policy may not allow a grant any more, or it has not been known for too long whether it does.
    fn settle_doubtful(&self, id: &str) {
        let decide = |grant: &Grant, context: &Context<'_>| {
            let ended = ending::on_policy(grant, context).map_err(WorkflowError::from)?;
            Ok(match ended {
                None if self.live.is_lost(id) => Some(self.lost(grant, context)?),
                ended => ended,
            })
        };
        match self.end_unseen(id, self.moment().since, decide) {
            Ok(Some(_)) => {}
            Ok(None) => self.live.reconsider(id, &self.shared, self.clock.now()),
            Err(error) => self.log_failure(id, Some(error)),
        }
    }

    /// Calls [`Broker::settle`] whenever something is due. Runs until it is dropped.
    pub async fn run(self: Arc<Broker>) {
        loop {
            let broker = Arc::clone(&self);
            let wait = tokio::task::spawn_blocking(move || broker.settle()).await.unwrap_or(LOOK_AGAIN);
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.changed.notified() => {}
            }
        }
    }

    /// What could not be done when it was due is due again next time.
    pub(super) fn log_failure(&self, id: &str, error: Option<BrokerError>) {
        match error {
            // Somebody else was faster.
            None | Some(BrokerError::Workflow(_)) => {}
            Some(error) => tracing::warn!(%id, %error, "a transition that is due is put off"),
        }
    }
}
