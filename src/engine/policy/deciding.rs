//! How a role's requests are decided: stages of approvers, and rules by which nobody need be asked.

use super::OperationSet;
use super::hours::Hours;
use super::selector::Selector;
use chrono_tz::Tz;
// An address is a number here: nothing is connected to.
use core::net::IpAddr;
use std::time::Duration;

/// One group of approvers of several that decide one after another.
#[derive(Debug, Clone)]
pub struct Stage {
    /// Who decides in it.
    pub approvers: Vec<Selector>,
    /// How many different approvers it takes.
    pub approvals: u32,
    /// How long it has; then the request goes on to the next stage, or, from the last, lapses.
    /// `None`: as long as the request may wait.
    pub after: Option<Duration>,
    /// Whether it decides only when the stage before did not in its time.
    pub escalation: bool,
}

/// A rule by which a request is approved without asking anybody. What is `None` is no condition; all
/// others must hold.
#[derive(Debug, Clone)]
pub struct Automatic {
    /// Who asks.
    pub who: Option<Vec<Selector>>,
    /// From where.
    pub addresses: Option<Vec<AddressRange>>,
    /// When, both at the moment of asking and at the start.
    pub hours: Option<(Vec<Hours>, Tz)>,
    /// With a ticket that matches.
    pub ticket: Option<regex_lite::Regex>,
    /// For so long at most.
    pub max_duration: Option<Duration>,
    /// For no other operations.
    pub operations: Option<OperationSet>,
}

/// From where somebody asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The control socket of this machine.
    Local,
    /// Over the network.
    Address(IpAddr),
    /// Not known.
    Unknown,
}

/// Some places that somebody can ask from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressRange {
    /// The control socket of this machine: `local`. No address means it, 127.0.0.1 neither.
    Local,
    /// Addresses whose first bits are these.
    Network {
        /// The first of them.
        first: IpAddr,
        /// How many bits.
        bits: u8,
    },
}

/// Why text is not a range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// No address.
    #[error("not a range of addresses")]
    Form,
    /// Bits set behind the first ones.
    #[error("an address with bits set behind the prefix")]
    Bits,
}

impl Origin {
    /// Reads what records say: `local`, an address, or an address with a port.
    pub fn of(from: &str) -> Origin {
        let address = || from.parse().ok().or_else(|| from.parse::<core::net::SocketAddr>().ok().map(|at| at.ip()));
        match from {
            "local" => Origin::Local,
            _ => address().map_or(Origin::Unknown, |address: IpAddr| Origin::Address(address.to_canonical())),
        }
    }
}

impl AddressRange {
    /// Reads `local`, `10.0.0.0/8`, `2001:db8::/32` or one address.
    ///
    /// # Errors
    /// It is none of these.
    pub fn parse(text: &str) -> Result<AddressRange, AddressError> {
        if text == "local" {
            return Ok(AddressRange::Local);
        }
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let first: IpAddr = address.parse().map_err(|_| AddressError::Form)?;
        let width = if first.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => width,
            Some(digits) if digits.bytes().all(|digit| digit.is_ascii_digit()) => {
                digits.parse().ok().filter(|bits| *bits <= width).ok_or(AddressError::Form)?
            }
            Some(_) => return Err(AddressError::Form),
        };
        if leading(first, bits) != leading(first, width) {
            return Err(AddressError::Bits);
        }
        Ok(AddressRange::Network { first, bits })
    }

    /// Whether all of this is in another range.
    pub fn is_within(&self, other: &AddressRange) -> bool {
        match (self, other) {
            (AddressRange::Local, AddressRange::Local) => true,
            (AddressRange::Network { first, bits }, AddressRange::Network { bits: fewer, .. }) => {
                fewer <= bits && other.contains(Origin::Address(*first))
            }
            (AddressRange::Local, AddressRange::Network { .. })
            | (AddressRange::Network { .. }, AddressRange::Local) => false,
        }
    }

    /// Whether somebody who asks from there is in it.
    pub fn contains(&self, origin: Origin) -> bool {
        match (self, origin) {
            (AddressRange::Local, Origin::Local) => true,
            (AddressRange::Network { first, bits }, Origin::Address(address)) => {
                first.is_ipv4() == address.is_ipv4() && leading(address, *bits) == leading(*first, *bits)
            }
            (AddressRange::Local, Origin::Address(_) | Origin::Unknown)
            | (AddressRange::Network { .. }, Origin::Local | Origin::Unknown) => false,
        }
    }
}

impl std::fmt::Display for AddressRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            AddressRange::Local => f.write_str("local"),
            AddressRange::Network { first, bits } => write!(f, "{first}/{bits}"),
        }
    }
}

/// The first `bits` of an address, the others zero.
fn leading(address: IpAddr, bits: u8) -> u128 {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits.min(32))).unwrap_or(0);
            u128::from(u32::from(address) & mask)
        }
        IpAddr::V6(address) => u128::from(address) & u128::MAX.checked_shl(128 - u32::from(bits.min(128))).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_what_begins_alike() {
        for (range, from, expected) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.0.0.0/8", "10.1.2.3:4711", true),
            ("10.0.0.0/8", "[::ffff:10.1.2.3]:4711", true),
            ("10.0.0.0/8", "::10.1.2.3", false),
            ("10.0.0.0/8", "local", false),
            ("10.0.0.0/8", "tidegate", false),
            ("0.0.0.0/0", "255.1.2.3", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("0.0.0.0/0", "local", false),
            ("127.0.0.1", "local", false),
            ("local", "local", true),
            ("local", "127.0.0.1:1", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.6", false),
            ("2001:db8::/32", "[2001:db8:ffff::1]:1", true),
            ("2001:db8::/32", "2001:db9::", false),
            ("::/0", "::1", true),
        ] {
            let parsed = AddressRange::parse(range).unwrap();
            assert_eq!(parsed.contains(Origin::of(from)), expected, "{range} {from}");
        }
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for (text, error) in [
            ("", AddressError::Form),
            ("10.0.0.0/33", AddressError::Form),
            ("10.0.0.0/", AddressError::Form),
            ("10.0.0.0/+8", AddressError::Form),
            ("10.0.0/8", AddressError::Form),
            ("Local", AddressError::Form),
            ("10.0.0.1/8", AddressError::Bits),
        ] {
            assert_eq!(AddressRange::parse(text), Err(error), "{text}");
        }
    }
}
