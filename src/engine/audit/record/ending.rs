//! What the log says of an operation that did not come to its own end. Knows the words, not when which is said.

/// What became of an operation when a grant, or whatever else it depended on, ended before it was over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It was withdrawn before any of it was sent to the directory.
    NotSent,
    /// The directory was told to abandon it. It has no side effects.
    Abandoned,
    /// It was done, and its answer, or content of it, was withheld from the client.
    Withheld,
    /// It was with the directory when the connection to it was closed. A write may have been done.
    ConnectionClosed,
}

impl Ending {
    /// As the log says it.
    pub fn name(self) -> &'static str {
        match self {
            Ending::NotSent => "not_sent",
            Ending::Abandoned => "abandoned",
            Ending::Withheld => "withheld",
            Ending::ConnectionClosed => "connection_closed",
        }
    }
}
