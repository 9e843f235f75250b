//! The identifier octets of the operations (RFC 4511 4.2 to 4.14), and which answers which.

#![expect(missing_docs, reason = "the names are those of RFC 4511")]

pub const BIND_REQUEST: u8 = 0x60;
pub const BIND_RESPONSE: u8 = 0x61;
pub const UNBIND_REQUEST: u8 = 0x42;
pub const SEARCH_REQUEST: u8 = 0x63;
pub const SEARCH_RESULT_ENTRY: u8 = 0x64;
pub const SEARCH_RESULT_DONE: u8 = 0x65;
pub const SEARCH_RESULT_REFERENCE: u8 = 0x73;
pub const MODIFY_REQUEST: u8 = 0x66;
pub const MODIFY_RESPONSE: u8 = 0x67;
pub const ADD_REQUEST: u8 = 0x68;
pub const ADD_RESPONSE: u8 = 0x69;
pub const DELETE_REQUEST: u8 = 0x4a;
pub const DELETE_RESPONSE: u8 = 0x6b;
pub const RENAME_REQUEST: u8 = 0x6c;
pub const RENAME_RESPONSE: u8 = 0x6d;
pub const COMPARE_REQUEST: u8 = 0x6e;
pub const COMPARE_RESPONSE: u8 = 0x6f;
pub const ABANDON_REQUEST: u8 = 0x50;
pub const EXTENDED_REQUEST: u8 = 0x77;
pub const EXTENDED_RESPONSE: u8 = 0x78;
pub const INTERMEDIATE_RESPONSE: u8 = 0x79;

/// Whether this is the identifier octet of a request.
#[inline]
pub fn is_request(tag: u8) -> bool {
    matches!(tag, UNBIND_REQUEST | ABANDON_REQUEST) || response_to(tag).is_some()
}

/// Whether this is the identifier octet of something that a server sends.
#[inline]
pub fn is_response(tag: u8) -> bool {
    is_final_response(tag) || matches!(tag, SEARCH_RESULT_ENTRY | SEARCH_RESULT_REFERENCE | INTERMEDIATE_RESPONSE)
}

/// Whether this is the identifier octet of a response that ends its operation (and is an LDAPResult).
#[inline]
pub fn is_final_response(tag: u8) -> bool {
    matches!(
        tag,
        BIND_RESPONSE
            | SEARCH_RESULT_DONE
            | MODIFY_RESPONSE
            | ADD_RESPONSE
            | DELETE_RESPONSE
            | RENAME_RESPONSE
            | COMPARE_RESPONSE
            | EXTENDED_RESPONSE
    )
}

/// The identifier octet of the response that ends the operation which this one asks for. None for
/// unbind and abandon, which have no response, and for what is not a request.
#[inline]
pub fn response_to(request_tag: u8) -> Option<u8> {
    match request_tag {
        BIND_REQUEST => Some(BIND_RESPONSE),
        SEARCH_REQUEST => Some(SEARCH_RESULT_DONE),
        MODIFY_REQUEST => Some(MODIFY_RESPONSE),
        ADD_REQUEST => Some(ADD_RESPONSE),
        DELETE_REQUEST => Some(DELETE_RESPONSE),
        RENAME_REQUEST => Some(RENAME_RESPONSE),
        COMPARE_REQUEST => Some(COMPARE_RESPONSE),
        EXTENDED_REQUEST => Some(EXTENDED_RESPONSE),
        _ => None,
    }
}
