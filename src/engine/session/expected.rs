//! Response controls that clients take for granted in the final answer of a search: clients stop, or go on for ever, where
//! they are missing. Made here where the directory's own would tell of what is hidden, or where it was not asked.

use super::client::Message;
use crate::engine::access::Permit;
use crate::engine::ldap::ResultCode;
use crate::engine::ldap::ber::{self, universal};
use crate::engine::ldap::control::{self, Control, oid};
use crate::engine::ldap::paged::PagedResults;

/// Which of them a client expects, by what it asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Expected {
    /// It asked for a page (RFC 2696 3).
    paged: bool,
    /// It asked for an order (RFC 2891 1.2): what became of that here. Success: the directory was asked to sort.
    sorted: Option<ResultCode>,
}

impl Expected {
    /// `several`: the directory is asked in stages, of which none is sorted.
    pub(super) fn of(sent: Message<'_>, permit: &Permit, several: bool) -> Expected {
        let has = |oid: &str| sent.controls.iter().any(|control| control.oid == oid);
        let forwards = |oid: &str| permit.controls(sent.controls).any(|control| control.oid == oid);
        let sorted = match (has(oid::SORT_REQUEST), forwards(oid::SORT_REQUEST)) {
            (false, _) => None,
            // RFC 2891 1.2: the sort key is not for this requester to read.
            (true, false) => Some(ResultCode::INSUFFICIENT_ACCESS_RIGHTS),
            (true, true) if several => Some(ResultCode::UNWILLING_TO_PERFORM),
            (true, true) => Some(ResultCode::SUCCESS),
        };
        Expected { paged: forwards(oid::PAGED_RESULTS), sorted }
    }

    /// Whether the client expects any.
    pub(super) fn any(self) -> bool {
        self.paged || self.sorted.is_some()
    }

    /// Appends all of them, as the answer to a search that found nothing has them.
    pub(super) fn write_empty(self, out: &mut Vec<u8>) {
        self.write_sorted(out);
        if self.paged {
            PagedResults { size: 0, cookie: b"" }.write_control(out, false);
        }
    }

    /// Appends what became of the order.
    pub(super) fn write_sorted(self, out: &mut Vec<u8>) {
        let Some(code) = self.sorted else { return };
        let mut value = Vec::new();
        ber::write_constructed(&mut value, universal::SEQUENCE, |out| {
            ber::write_integer(out, universal::ENUMERATED, i32::try_from(code.0).unwrap_or(0));
        });
        control::write_controls(out, &[Control { oid: oid::SORT_RESPONSE, critical: false, value: Some(&value) }]);
    }

    /// The directory's controls with what became of the order, where the directory was not asked for one; `None`: as they
    /// came.
    pub(super) fn complete(self, controls: Option<&[u8]>) -> Option<Vec<u8>> {
        let not_asked = self.sorted.is_some_and(|code| code != ResultCode::SUCCESS);
        if !not_asked || controls.is_some_and(|controls| control::decode_controls(controls).is_err()) {
            return None;
        }
        let mut all = controls.unwrap_or_default().to_vec();
        self.write_sorted(&mut all);
        Some(all)
    }
}
