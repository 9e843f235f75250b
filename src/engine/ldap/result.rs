//! Result codes (RFC 4511 4.1.9 and appendix A). A code that is not in the list is passed on as a number.

/// A result code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ResultCode(pub u32);

#[expect(missing_docs, reason = "the names are those of RFC 4511 4.1.9")]
impl ResultCode {
    pub const SUCCESS: ResultCode = ResultCode(0);
    pub const OPERATIONS_ERROR: ResultCode = ResultCode(1);
    pub const PROTOCOL_ERROR: ResultCode = ResultCode(2);
    pub const TIME_LIMIT_EXCEEDED: ResultCode = ResultCode(3);
    pub const SIZE_LIMIT_EXCEEDED: ResultCode = ResultCode(4);
    pub const COMPARE_FALSE: ResultCode = ResultCode(5);
    pub const COMPARE_TRUE: ResultCode = ResultCode(6);
    pub const AUTH_METHOD_NOT_SUPPORTED: ResultCode = ResultCode(7);
    pub const STRONGER_AUTH_REQUIRED: ResultCode = ResultCode(8);
    pub const REFERRAL: ResultCode = ResultCode(10);
    pub const ADMIN_LIMIT_EXCEEDED: ResultCode = ResultCode(11);
    pub const UNAVAILABLE_CRITICAL_EXTENSION: ResultCode = ResultCode(12);
    pub const CONFIDENTIALITY_REQUIRED: ResultCode = ResultCode(13);
    pub const SASL_BIND_IN_PROGRESS: ResultCode = ResultCode(14);
    pub const UNDEFINED_ATTRIBUTE_TYPE: ResultCode = ResultCode(17);
    pub const INVALID_ATTRIBUTE_SYNTAX: ResultCode = ResultCode(21);
    pub const NO_SUCH_OBJECT: ResultCode = ResultCode(32);
    pub const ALIAS_PROBLEM: ResultCode = ResultCode(33);
    pub const INVALID_DN_SYNTAX: ResultCode = ResultCode(34);
    pub const ALIAS_DEREFERENCING_PROBLEM: ResultCode = ResultCode(36);
    pub const INAPPROPRIATE_AUTHENTICATION: ResultCode = ResultCode(48);
    pub const INVALID_CREDENTIALS: ResultCode = ResultCode(49);
    pub const INSUFFICIENT_ACCESS_RIGHTS: ResultCode = ResultCode(50);
    pub const BUSY: ResultCode = ResultCode(51);
    pub const UNAVAILABLE: ResultCode = ResultCode(52);
    pub const UNWILLING_TO_PERFORM: ResultCode = ResultCode(53);
    pub const OTHER: ResultCode = ResultCode(80);
    /// RFC 3909.
    pub const CANCELED: ResultCode = ResultCode(118);
    /// RFC 3909.
    pub const NO_SUCH_OPERATION: ResultCode = ResultCode(119);
    /// RFC 3909.
    pub const CANNOT_CANCEL: ResultCode = ResultCode(121);
    /// RFC 4370.
    pub const AUTHORIZATION_DENIED: ResultCode = ResultCode(123);
}
