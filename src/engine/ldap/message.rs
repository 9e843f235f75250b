//! The envelope of a message (RFC 4511 4.1.1): id, operation, controls.

/// A message id that a client chose. Never the same thing as an [`UpstreamMessageId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientMessageId(pub i32);

/// A message id that the session chose towards the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UpstreamMessageId(pub i32);

/// A message cut open, nothing but its outermost layer looked at. Serves both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// 0 only in an unsolicited notification.
    pub id: i32,
    /// The identifier octet of the operation, e.g. `0x63` for a search request.
    pub tag: u8,
    /// The operation's content octets (without tag and length).
    pub body: &'a [u8],
    /// The content octets of the controls element, when there is one.
    pub controls: Option<&'a [u8]>,
}
