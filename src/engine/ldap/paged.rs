//! The value of the paged results control (RFC 2696). Cookies are octets and nothing more.

use super::ber::{self, BerError, Reader, universal};
use super::control::{Control, oid};

/// What a client asks for, or a server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PagedResults<'a> {
    /// How many entries the page is to have; in an answer how many there are in all, 0 for unknown.
    pub size: u32,
    /// Where to go on; empty at the beginning, and in an answer when there are no more.
    pub cookie: &'a [u8],
}

impl<'a> PagedResults<'a> {
    /// Reads the value of a control.
    pub fn decode(value: &'a [u8]) -> Result<PagedResults<'a>, BerError> {
        let mut outside = Reader::new(value);
        let mut inside = outside.sequence()?;
        outside.finish()?;
        let size = u32::try_from(inside.integer()?).map_err(|_| BerError::Integer)?;
        let cookie = inside.octets()?;
        inside.finish()?;
        Ok(PagedResults { size, cookie })
    }

    /// Appends a control with this as its value, as part of the content of a controls element.
    pub fn write_control(&self, out: &mut Vec<u8>, critical: bool) {
        let mut value = Vec::new();
        let size = i32::try_from(self.size).unwrap_or(i32::MAX);
        ber::write_constructed(&mut value, universal::SEQUENCE, |out| {
            ber::write_integer(out, universal::INTEGER, size);
            ber::write_octets(out, self.cookie);
        });
        let control = Control { oid: oid::PAGED_RESULTS, critical, value: Some(&value) };
        super::control::write_controls(out, &[control]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ldap::control::decode_controls;

    #[test]
    fn what_is_written_is_read() {
        for (size, cookie) in [(0, &b""[..]), (1000, b"\xff\x00cookie"), (i32::MAX as u32, b"")] {
            let mut out = Vec::new();
            PagedResults { size, cookie }.write_control(&mut out, true);
            let controls = decode_controls(&out).unwrap();
            assert_eq!((controls[0].oid, controls[0].critical), (oid::PAGED_RESULTS, true));
            assert_eq!(PagedResults::decode(controls[0].value.unwrap()), Ok(PagedResults { size, cookie }));
        }
    }

    #[test]
    fn what_is_no_page_is_refused() {
        for value in [
            &b""[..],
            b"\x30\x00",
            b"\x30\x03\x02\x01\x02",
            b"\x30\x05\x02\x01\xff\x04\x00",
            b"\x30\x05\x02\x01\x02\x04\x00x",
            b"\x30\x08\x02\x01\x02\x04\x00\x04\x01x",
        ] {
            assert!(PagedResults::decode(value).is_err(), "{value:x?}");
        }
    }
}
