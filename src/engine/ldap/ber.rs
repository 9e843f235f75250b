//! The Basic Encoding Rules (X.690) as far as LDAP uses them (RFC 4511 5.1): a strict reader over
//! a slice, and writers that append to a `Vec<u8>` with shortest definite lengths.
//!
//! Reading: definite lengths in any form; no indefinite length, no high tag numbers, no integer
//! beyond 32 bits or longer than it need be, nothing left over. Knows no LDAP type.

/// Universal tags that LDAP uses.
#[expect(missing_docs, reason = "the names are those of X.680")]
pub mod universal {
    pub const BOOLEAN: u8 = 0x01;
    pub const INTEGER: u8 = 0x02;
    pub const OCTET_STRING: u8 = 0x04;
    pub const ENUMERATED: u8 = 0x0a;
    pub const SEQUENCE: u8 = 0x30;
    pub const SET: u8 = 0x31;
}

/// Lengths written in more octets than this are refused, leading zeros included.
pub const MAX_LENGTH_OCTETS: usize = 8;

/// What is wrong with the octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BerError {
    /// An element ends outside of what holds it.
    Truncated,
    /// X.690 8.1.3.6; RFC 4511 5.1 (1) forbids it.
    IndefiniteLength,
    /// A length that no machine has memory for, one in more than [`MAX_LENGTH_OCTETS`], or the reserved first
    /// octet 0xff (X.690 8.1.3.5).
    Length,
    /// X.690 8.1.2.4: LDAP has no tag number above 30.
    HighTag,
    /// Another element was due here.
    UnexpectedTag,
    /// More elements than the type has.
    Trailing,
    /// Empty, with redundant leading octets (X.690 8.3.2), or beyond 32 bits.
    Integer,
    /// Not exactly one octet (X.690 8.2.1).
    Boolean,
    /// A NUL in the name of something, where readers written in C take it to end.
    Nul,
}

impl BerError {
    /// What is wrong, for a diagnostic message.
    pub fn describe(self) -> &'static str {
        match self {
            BerError::Truncated => "element missing or cut short",
            BerError::IndefiniteLength => "indefinite length",
            BerError::Length => "length out of range",
            BerError::HighTag => "high tag number",
            BerError::UnexpectedTag => "unexpected element",
            BerError::Trailing => "trailing element",
            BerError::Integer => "malformed integer",
            BerError::Boolean => "malformed boolean",
            BerError::Nul => "NUL in a name",
        }
    }
}

impl std::fmt::Display for BerError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.describe())
    }
}

impl std::error::Error for BerError {}

/// The identifier and length octets of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The identifier octet.
    pub tag: u8,
    /// How many octets identifier and length take.
    pub header: usize,
    /// How many octets the content takes.
    pub content: usize,
}

impl Header {
    /// Reads a header from the start of `bytes`. `Ok(None)`: it is not all there yet. The content
    /// is not looked at and need not be there.
    #[inline]
    pub fn read(bytes: &[u8]) -> Result<Option<Header>, BerError> {
        let Some(&tag) = bytes.first() else { return Ok(None) };
        if tag & 0x1f == 0x1f {
            return Err(BerError::HighTag);
        }
        match bytes.get(1) {
            None => Ok(None),
            Some(&short) if short < 0x80 => Ok(Some(Header { tag, header: 2, content: usize::from(short) })),
            Some(&long) => Header::read_long(tag, long, bytes),
        }
    }

    fn read_long(tag: u8, first: u8, bytes: &[u8]) -> Result<Option<Header>, BerError> {
        let octets = match first {
            0x80 => return Err(BerError::IndefiniteLength),
            0xff => return Err(BerError::Length),
            _ => usize::from(first & 0x7f),
        };
        // What liblber does not read either: it then takes a list of controls to end before the element.
        if octets > MAX_LENGTH_OCTETS {
            return Err(BerError::Length);
        }
        let mut content: usize = 0;
        let mut seen = 0;
        for &octet in bytes.iter().skip(2).take(octets) {
            // Leading zeros are legal in BER, so the number of octets alone says nothing.
            content = content.checked_mul(256).ok_or(BerError::Length)? | usize::from(octet);
            seen += 1;
        }
        let header = 2 + octets;
        if content.checked_add(header).is_none_or(|total| isize::try_from(total).is_err()) {
            return Err(BerError::Length);
        }
        Ok((seen == octets).then_some(Header { tag, header, content }))
    }
}

/// Reads elements one after the other from a slice. Whoever is done calls [`Reader::finish`].
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader of the elements in `content`.
    #[inline]
    pub fn new(content: &'a [u8]) -> Reader<'a> {
        Reader { rest: content }
    }

    /// Whether nothing is left.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The identifier octet of the next element.
    #[inline]
    pub fn peek_tag(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// The next element, whatever it is: identifier octet and content.
    #[inline]
    pub fn element(&mut self) -> Result<(u8, &'a [u8]), BerError> {
        let header = Header::read(self.rest)?.ok_or(BerError::Truncated)?;
        let (_, after) = self.rest.split_at_checked(header.header).ok_or(BerError::Truncated)?;
        let (content, rest) = after.split_at_checked(header.content).ok_or(BerError::Truncated)?;
        self.rest = rest;
        Ok((header.tag, content))
    }

    /// The content of the next element, which must have this tag.
    #[inline]
    pub fn expect(&mut self, tag: u8) -> Result<&'a [u8], BerError> {
        match self.peek_tag() {
            Some(found) if found == tag => Ok(self.element()?.1),
            Some(found) if found & 0x1f == 0x1f => Err(BerError::HighTag),
            Some(_) => Err(BerError::UnexpectedTag),
            None => Err(BerError::Truncated),
        }
    }

    /// The content of the next element if it has this tag.
    #[inline]
    pub fn optional(&mut self, tag: u8) -> Result<Option<&'a [u8]>, BerError> {
        if self.peek_tag() == Some(tag) { self.expect(tag).map(Some) } else { Ok(None) }
    }

    /// A reader of what the next element holds, which must have this tag.
    #[inline]
    pub fn constructed(&mut self, tag: u8) -> Result<Reader<'a>, BerError> {
        self.expect(tag).map(Reader::new)
    }

    /// A reader of what the next element, a SEQUENCE, holds.
    #[inline]
    pub fn sequence(&mut self) -> Result<Reader<'a>, BerError> {
        self.constructed(universal::SEQUENCE)
    }

    /// An OCTET STRING. Only primitive ones exist in LDAP (RFC 4511 5.1 (2)).
    #[inline]
    pub fn octets(&mut self) -> Result<&'a [u8], BerError> {
        self.expect(universal::OCTET_STRING)
    }

    /// An OCTET STRING that names something; see [`name_content`].
    #[inline]
    pub fn name(&mut self) -> Result<&'a [u8], BerError> {
        name_content(self.octets()?)
    }

    /// An INTEGER of at most 32 bits.
    #[inline]
    pub fn integer(&mut self) -> Result<i32, BerError> {
        integer_content(self.expect(universal::INTEGER)?)
    }

    /// An ENUMERATED of at most 32 bits.
    #[inline]
    pub fn enumerated(&mut self) -> Result<i32, BerError> {
        integer_content(self.expect(universal::ENUMERATED)?)
    }

    /// A BOOLEAN; see [`boolean_content`].
    #[inline]
    pub fn boolean(&mut self) -> Result<bool, BerError> {
        boolean_content(self.expect(universal::BOOLEAN)?)
    }

    /// That nothing is left.
    #[inline]
    pub fn finish(self) -> Result<(), BerError> {
        if self.rest.is_empty() { Ok(()) } else { Err(BerError::Trailing) }
    }
}

/// The name of an attribute, a matching rule or a mechanism: any octets but NUL, since `a` and `a\0b` are one
/// name to directories that keep names in C strings.
#[inline]
pub fn name_content(content: &[u8]) -> Result<&[u8], BerError> {
    if content.contains(&0) { Err(BerError::Nul) } else { Ok(content) }
}

/// The content of an INTEGER or ENUMERATED: two's complement, in as few octets as it takes
/// (X.690 8.3.2), at most 32 bits.
#[inline]
pub fn integer_content(content: &[u8]) -> Result<i32, BerError> {
    match *content {
        [a] => Ok(i32::from(a.cast_signed())),
        [0x00, b, ..] if b < 0x80 => Err(BerError::Integer),
        [0xff, b, ..] if b >= 0x80 => Err(BerError::Integer),
        [a, b] => Ok(i32::from(i16::from_be_bytes([a, b]))),
        [a, b, c] => Ok(i32::from_be_bytes([a, b, c, 0]) >> 8),
        [a, b, c, d] => Ok(i32::from_be_bytes([a, b, c, d])),
        _ => Err(BerError::Integer),
    }
}

/// The content of a BOOLEAN. RFC 4511 5.1 (3) wants TRUE as 0xff, but slapd takes any octet that is not
/// zero, as X.690 8.2.2 allows, and Go clients have sent 0x01: there is only one way to read it,
/// and what is forwarded says 0xff.
#[inline]
pub fn boolean_content(content: &[u8]) -> Result<bool, BerError> {
    match *content {
        [octet] => Ok(octet != 0),
        _ => Err(BerError::Boolean),
    }
}

/// How many octets [`write_length`] appends for this length.
#[inline]
pub fn length_octets(length: usize) -> usize {
    if length < 0x80 { 1 } else { 1 + significant(length) }
}

#[inline]
fn significant(value: usize) -> usize {
    (usize::BITS - value.leading_zeros()).div_ceil(8) as usize
}

/// Appends a definite length in its shortest form.
#[inline]
pub fn write_length(out: &mut Vec<u8>, length: usize) {
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            let count = significant(length);
            out.push(0x80 | u8::try_from(count).unwrap_or(0x7f));
            out.extend(length.to_be_bytes().iter().skip(size_of::<usize>() - count));
        }
    }
}

/// Appends an element with this content.
#[inline]
pub fn write_element(out: &mut Vec<u8>, tag: u8, content: &[u8]) {
    out.push(tag);
    write_length(out, content.len());
    out.extend_from_slice(content);
}

/// Appends an OCTET STRING.
#[inline]
pub fn write_octets(out: &mut Vec<u8>, content: &[u8]) {
    write_element(out, universal::OCTET_STRING, content);
}

/// Appends an INTEGER, ENUMERATED, or either with an implicit tag.
#[inline]
pub fn write_integer(out: &mut Vec<u8>, tag: u8, value: i32) {
    let bytes = value.to_be_bytes();
    write_element(out, tag, bytes.get(4 - integer_octets(value)..).unwrap_or(&bytes));
}

/// How many content octets an integer takes.
#[inline]
pub fn integer_octets(value: i32) -> usize {
    // One bit more than the magnitude: the sign.
    let magnitude = if value < 0 { !value } else { value };
    ((33 - magnitude.leading_zeros()) as usize).div_ceil(8)
}

/// Appends a BOOLEAN, or one with an implicit tag; TRUE is 0xff (RFC 4511 5.1 (3)).
#[inline]
pub fn write_boolean(out: &mut Vec<u8>, tag: u8, value: bool) {
    out.extend_from_slice(&[tag, 1, if value { 0xff } else { 0 }]);
}

/// Appends an element whose content `write` appends. The length is put in afterwards; only content
/// of 128 octets and more has to be moved for it.
#[inline]
pub fn write_constructed(out: &mut Vec<u8>, tag: u8, write: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(&[tag, 0]);
    let start = out.len();
    write(out);
    close(out, start);
}

/// Puts the length of what was appended since `start` into the octet before it, making room if it
/// takes more than one.
#[inline]
fn close(out: &mut Vec<u8>, start: usize) {
    let length = out.len() - start;
    match (u8::try_from(length), out.get_mut(start - 1)) {
        (Ok(short), Some(slot)) if short < 0x80 => *slot = short,
        _ => close_long(out, start, length),
    }
}

fn close_long(out: &mut Vec<u8>, start: usize, length: usize) {
    let count = significant(length);
    let first = 0x80 | u8::try_from(count).unwrap_or(0x7f);
    let octets = length.to_be_bytes().into_iter().skip(size_of::<usize>() - count);
    out.splice(start - 1..start, std::iter::once(first).chain(octets));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<(u8, &[u8]), BerError> {
        let mut reader = Reader::new(bytes);
        let element = reader.element()?;
        reader.finish().map(|()| element)
    }

    #[test]
    fn every_definite_form_of_a_length_is_read() {
        for bytes in [
            &b"\x04\x01x"[..],
            b"\x04\x81\x01x",
            b"\x04\x82\x00\x01x",
            b"\x04\x84\x00\x00\x00\x01x",
            b"\x04\x88\x00\x00\x00\x00\x00\x00\x00\x01x",
        ] {
            assert_eq!(read(bytes), Ok((4, &b"x"[..])), "{bytes:x?}");
        }
    }

    #[test]
    fn what_is_not_strict_ber_is_refused() {
        for (bytes, error) in [
            (&b""[..], BerError::Truncated),
            (b"\x04", BerError::Truncated),
            (b"\x04\x01", BerError::Truncated),
            (b"\x04\x82\x01", BerError::Truncated),
            (b"\x04\x05abcd", BerError::Truncated),
            (b"\x04\x84\xff\xff\xff\xff", BerError::Truncated),
            (b"\x04\x88\xff\xff\xff\xff\xff\xff\xff\xff", BerError::Length),
            (b"\x04\x88\x7f\xff\xff\xff\xff\xff\xff\xff", BerError::Length),
            (b"\x04\x89\x01\x00\x00\x00\x00\x00\x00\x00\x00", BerError::Length),
            (b"\x04\x89\x00\x00\x00\x00\x00\x00\x00\x00\x01x", BerError::Length),
            (b"\x04\xff\x00", BerError::Length),
            (b"\x24\x80\x04\x01x\x00\x00", BerError::IndefiniteLength),
            (b"\x1f\x01x", BerError::HighTag),
            (b"\xbf\x81\x01\x01x", BerError::HighTag),
            (b"\x04\x01xx", BerError::Trailing),
        ] {
            assert_eq!(read(bytes), Err(error), "{bytes:x?}");
        }
    }

    #[test]
    fn integers_have_exactly_one_form() {
        for value in [0, 1, -1, 127, 128, -128, -129, 255, 256, 32767, 32768, -32768, -32769, 8_388_607, 8_388_608]
            .into_iter()
            .chain([-8_388_608, -8_388_609, i32::MAX, i32::MIN])
        {
            let mut out = Vec::new();
            write_integer(&mut out, universal::INTEGER, value);
            assert_eq!(Reader::new(&out).integer(), Ok(value), "{out:x?}");
            assert_eq!(out.len(), 2 + integer_octets(value), "{out:x?}");
        }
        for content in [
            &b""[..],
            b"\x00\x01",
            b"\x00\x7f",
            b"\xff\x80",
            b"\xff\xff",
            b"\x00\x80\x00\x00\x00",
            b"\x01\x00\x00\x00\x00",
        ] {
            assert_eq!(integer_content(content), Err(BerError::Integer), "{content:x?}");
        }
        assert_eq!(integer_content(b"\x00\x80"), Ok(128));
        assert_eq!(integer_content(b"\xff\x7f"), Ok(-129));
        assert_eq!(integer_content(b"\xfe\x80\x01"), Ok(-98303));
    }

    #[test]
    fn a_boolean_is_one_octet() {
        for (content, expected) in [
            (&b"\x00"[..], Ok(false)),
            (b"\xff", Ok(true)),
            (b"\x01", Ok(true)),
            (b"", Err(BerError::Boolean)),
            (b"\x00\xff", Err(BerError::Boolean)),
        ] {
            assert_eq!(boolean_content(content), expected, "{content:x?}");
        }
    }

    #[test]
    fn another_element_than_the_one_due_is_not_read() {
        let mut reader = Reader::new(b"\x0a\x01\x05");
        assert_eq!(reader.integer(), Err(BerError::UnexpectedTag));
        assert_eq!(reader.optional(universal::INTEGER), Ok(None));
        assert_eq!(reader.enumerated(), Ok(5));
        assert_eq!(reader.optional(universal::INTEGER), Ok(None));
        assert_eq!(reader.octets(), Err(BerError::Truncated));
        // A constructed string is another element (RFC 4511 5.1 (2)).
        assert_eq!(Reader::new(b"\x24\x03\x04\x01x").octets(), Err(BerError::UnexpectedTag));
    }

    #[test]
    fn lengths_are_written_in_their_shortest_form() {
        for (length, expected) in [
            (0, &[0u8][..]),
            (0x7f, &[0x7f]),
            (0x80, &[0x81, 0x80]),
            (0xff, &[0x81, 0xff]),
            (0x100, &[0x82, 1, 0]),
            (0x0001_0000, &[0x83, 1, 0, 0]),
            (0x0100_0000, &[0x84, 1, 0, 0, 0]),
        ] {
            let mut out = Vec::new();
            write_length(&mut out, length);
            assert_eq!(out, expected);
            assert_eq!(length_octets(length), expected.len());
        }
    }

    #[test]
    fn constructed_values_of_any_size_get_their_length() {
        for size in [0, 1, 124, 125, 126, 127, 128, 252, 253, 254, 300, 65_530, 65_536, 70_000] {
            let mut out = b"before".to_vec();
            let content = vec![b'x'; size];
            write_constructed(&mut out, 0x30, |out| {
                write_constructed(out, 0x31, |out| write_octets(out, &content));
                write_boolean(out, universal::BOOLEAN, true);
            });
            let mut outer = Reader::new(&out[6..]).sequence().unwrap();
            let mut inner = outer.constructed(0x31).unwrap();
            assert_eq!(inner.octets(), Ok(&content[..]));
            assert_eq!(inner.finish(), Ok(()));
            assert_eq!(outer.boolean(), Ok(true));
            assert_eq!(outer.finish(), Ok(()));
            let octets = 1 + length_octets(size) + size;
            let set = 1 + length_octets(octets) + octets + 3;
            assert_eq!(out.len(), 6 + 1 + length_octets(set) + set);
        }
    }
}
