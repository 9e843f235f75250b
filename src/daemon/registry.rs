//! Who is connected: a way to reach each session's task.

use crate::api::session::SessionView;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// What can be asked of a running session.
pub enum SessionCommand {
    /// Tell who you are and what you wait for.
    Inspect(oneshot::Sender<SessionView>),
    /// Take leave of the client for this reason, and end.
    End(String),
}

/// All running sessions.
#[derive(Default)]
pub struct Registry {
    sessions: Mutex<Sessions>,
}

#[derive(Default)]
struct Sessions {
    last: u64,
    running: HashMap<u64, mpsc::Sender<SessionCommand>>,
}

/// A session's place in the registry; dropping it gives the place up.
pub struct Place {
    registry: std::sync::Arc<Registry>,
    number: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.registry.lock().running.remove(&self.number);
    }
}

impl Place {
    /// Unique in this process.
    pub fn number(&self) -> u64 {
        self.number
    }
}

impl Registry {
    fn lock(&self) -> MutexGuard<'_, Sessions> {
        // Nothing that holds the lock can leave the map half changed.
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many are running.
    pub fn len(&self) -> usize {
        self.lock().running.len()
    }

    /// Whether nobody is connected.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A place for a new session, unless `limit` are running already.
    pub fn enter(self: &std::sync::Arc<Registry>, limit: usize) -> Option<(Place, mpsc::Receiver<SessionCommand>)> {
        let mut sessions = self.lock();
        if sessions.running.len() >= limit {
            return None;
        }
        let (sender, receiver) = mpsc::channel(4);
        sessions.last += 1;
        let number = sessions.last;
        sessions.running.insert(number, sender);
        Some((Place { registry: self.clone(), number }, receiver))
    }

    /// What every session is doing. One that does not answer in time is left out.
    pub async fn inspect(&self) -> Vec<SessionView> {
        let senders: Vec<_> = self.lock().running.values().cloned().collect();
        let mut answers = Vec::with_capacity(senders.len());
        for sender in senders {
            let (answer, receiver) = oneshot::channel();
            if sender.try_send(SessionCommand::Inspect(answer)).is_ok() {
                answers.push(receiver);
            }
        }
        let mut views = Vec::with_capacity(answers.len());
        let deadline = tokio::time::Instant::now() + Duration::from_secs(2);
        for answer in answers {
            if let Ok(Ok(view)) = tokio::time::timeout_at(deadline, answer).await {
                views.push(view);
            }
        }
        views.sort_by(|a, b| a.since.cmp(&b.since).then_with(|| a.id.cmp(&b.id)));
        views
    }

    /// Ends one session; whether there is one of that number.
    pub fn end(&self, number: u64, reason: &str) -> bool {
        let sessions = self.lock();
        let Some(sender) = sessions.running.get(&number) else { return false };
        sender.try_send(SessionCommand::End(reason.to_owned())).is_ok()
    }

    /// Ends every session.
    pub fn end_all(&self, reason: &str) {
        for sender in self.lock().running.values() {
            // Full: it is told to end already, or will be gone with the process.
            let _ = sender.try_send(SessionCommand::End(reason.to_owned()));
        }
    }
}
