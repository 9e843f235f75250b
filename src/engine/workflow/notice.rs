//! What people are to be told of: who is told, and how, is not known here.

/// Something that somebody waits to hear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A request waits for the approvers of a stage.
    Waits {
        /// The request.
        request: String,
        /// The stage, counted from 0.
        stage: usize,
    },
    /// Somebody broke the glass.
    BreakGlass {
        /// Their request.
        request: String,
        /// Their grant.
        grant: String,
    },
}
