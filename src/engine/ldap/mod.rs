//! What LDAP says (RFC 4511 and friends): octets to typed values and back. Knows nothing of
//! grants, roles or resources.
//!
//! Decoding borrows from the frame; encoding is canonical (definite, shortest lengths).

pub mod attribute;
pub mod ber;
pub mod control;
pub mod dn;
pub mod entry;
pub mod filter;
pub mod frame;
pub mod message;
pub mod paged;
pub mod request;
pub mod response;
pub mod result;
pub mod sasl;
pub mod schema;
pub mod tag;
pub mod url;

pub use dn::Dn;
pub use result::ResultCode;
