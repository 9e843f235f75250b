//! Why the broker did not do something.

use crate::daemon::store::StoreError;
use crate::engine::workflow::WorkflowError;

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BrokerError {
    /// There is none, or the caller may not see it.
    #[error("there is no {0:?}")]
    NotFound(String),
    /// The workflow does not allow it.
    #[error(transparent)]
    Workflow(#[from] WorkflowError),
    /// It cannot be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Operations cannot be recorded, so that a grant would open nothing.
    #[error("operations cannot be recorded at the moment: nothing is approved until they can")]
    NotRecording,
    /// The end, or the lock, is in force, but not on disk: not even in the room that is reserved for that.
    #[error(
        "it is in force for as long as this process runs, and written down as soon as that is possible, but not yet: {0}"
    )]
    EndNotKept(StoreError),
    /// The system gives no random numbers.
    #[error("no random numbers: {0}")]
    Random(String),
}

impl BrokerError {
    /// A fixed word or two for records and for programs.
    pub fn word(&self) -> &'static str {
        match self {
            BrokerError::NotFound(_) => "not-found",
            BrokerError::Workflow(error) => error.word(),
            BrokerError::Store(StoreError::Conflict(_)) => "conflict",
            BrokerError::Store(StoreError::TooLarge(_)) => "too-large",
            BrokerError::Store(_) | BrokerError::EndNotKept(_) => "store-failed",
            BrokerError::NotRecording => "not-recording",
            BrokerError::Random(_) => "no-randomness",
        }
    }
}
