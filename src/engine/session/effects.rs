//! What a session wants done. The driver performs it; nothing here does I/O.

/// Octets to write and things to do, filled by the session and emptied by its driver.
///
/// After each call into the session the driver looks at the flags in the order of the fields,
/// before it hands over the next message.
#[derive(Debug, Default)]
pub struct Effects {
    /// Octets for the client.
    pub to_client: Vec<u8>,
    /// Octets for the directory; kept until the connection is there.
    pub to_upstream: Vec<u8>,
    /// Finished lines for the operation log.
    pub records: Vec<u8>,
    /// Where each of them ends.
    pub record_ends: Vec<usize>,
    /// Close the connection to the directory; what is in `to_upstream` was written after it and stays.
    pub drop_upstream: bool,
    /// Open a connection to the directory.
    pub connect: bool,
    /// Once `to_client` is written, begin the TLS handshake with the client.
    pub start_tls: bool,
    /// Once `to_client` and `to_upstream` are written, close both connections.
    pub close: bool,
}
