//! Search result entries (RFC 4511 4.5.2), for those answers that are changed on their way.

use super::ber::{self, BerError, Reader, universal};
use super::message::{ClientMessageId, write_message_with};
use super::request::Attribute;
use super::tag;

/// A search result entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The DN as the directory wrote it.
    pub name: &'a [u8],
    /// Attributes in the order given; without values when only types were asked for.
    pub attributes: Vec<Attribute<'a>>,
}

impl<'a> Entry<'a> {
    /// Decodes the body of a search result entry.
    pub fn decode(body: &'a [u8]) -> Result<Entry<'a>, BerError> {
        let mut reader = Reader::new(body);
        let name = reader.octets()?;
        let list = reader.expect(universal::SEQUENCE)?;
        reader.finish()?;
        Ok(Entry { name, attributes: Entry::decode_attributes(list)? })
    }

    /// Decodes the content of a PartialAttributeList, which other answers hold too.
    pub fn decode_attributes(content: &'a [u8]) -> Result<Vec<Attribute<'a>>, BerError> {
        let mut list = Reader::new(content);
        let mut attributes = Vec::new();
        while !list.is_empty() {
            attributes.push(Attribute::decode(&mut list)?);
        }
        Ok(attributes)
    }

    /// Appends the content of a PartialAttributeList.
    pub fn write_attributes(attributes: &[Attribute<'_>], out: &mut Vec<u8>) {
        attributes.iter().for_each(|attribute| attribute.encode(out));
    }

    /// Appends the body of a search result entry.
    pub fn write_body(&self, out: &mut Vec<u8>) {
        ber::write_octets(out, self.name);
        ber::write_constructed(out, universal::SEQUENCE, |out| {
            Entry::write_attributes(&self.attributes, out);
        });
    }

    /// Appends the whole message.
    pub fn write(&self, out: &mut Vec<u8>, id: ClientMessageId) {
        write_message_with(out, id.0, tag::SEARCH_RESULT_ENTRY, |out| self.write_body(out), &[]);
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::Envelope;
    use super::super::response::entry_name;
    use super::*;

    #[test]
    fn an_entry_is_read_and_written_again() {
        let body = b"\x04\x04dc=x\x30\x1e\x30\x0f\x04\x02cn\x31\x09\x04\x01a\x04\x04\xff\x00\xfe\x01\x30\x0b\x04\x07jpegPho\x31\x00";
        let entry = Entry::decode(body).unwrap();
        assert_eq!(entry.name, b"dc=x");
        assert_eq!(entry_name(body), Ok(entry.name));
        assert_eq!(entry.attributes[0].values, [&b"a"[..], b"\xff\x00\xfe\x01"]);
        assert!(entry.attributes[1].values.is_empty());
        let mut out = Vec::new();
        entry.write(&mut out, ClientMessageId(4));
        let envelope = Envelope::parse_response(&out).unwrap();
        assert_eq!((envelope.id, envelope.tag, envelope.body), (4, tag::SEARCH_RESULT_ENTRY, &body[..]));
    }

    #[test]
    fn what_is_no_entry_is_refused() {
        for body in [
            &b""[..],
            b"\x04\x00",
            b"\x04\x00\x30\x00\x30\x00",
            b"\x04\x00\x30\x04\x30\x02\x04\x00",
            b"\x04\x00\x30\x08\x30\x06\x04\x00\x31\x00\x31\x00",
            b"\x04\x00\x30\x09\x30\x07\x04\x00\x31\x03\x02\x01\x01",
        ] {
            assert!(Entry::decode(body).is_err(), "{body:x?}");
        }
    }
}
