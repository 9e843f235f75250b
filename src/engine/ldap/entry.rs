//! Search result entries (RFC 4511 4.5.2), for those answers that are changed on their way.

use super::attribute::AttributeDescription;
use super::ber::{self, BerError, Reader, universal};
use super::message::{ClientMessageId, write_message_with};
use super::request::{Attribute, write_attribute};
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
        let mut list = reader.sequence()?;
        reader.finish()?;
        let mut attributes = Vec::new();
        while !list.is_empty() {
            let mut attribute = list.sequence()?;
            let description = AttributeDescription(attribute.octets()?);
            let mut set = attribute.constructed(universal::SET)?;
            attribute.finish()?;
            let mut values = Vec::new();
            while !set.is_empty() {
                values.push(set.octets()?);
            }
            attributes.push(Attribute { description, values });
        }
        Ok(Entry { name, attributes })
    }

    /// Appends the body of a search result entry.
    pub fn write_body(&self, out: &mut Vec<u8>) {
        ber::write_octets(out, self.name);
        ber::write_constructed(out, universal::SEQUENCE, |out| {
            self.attributes.iter().for_each(|attribute| write_attribute(out, attribute));
        });
    }

    /// Appends the whole message.
    pub fn write(&self, out: &mut Vec<u8>, id: ClientMessageId) {
        write_message_with(out, id.0, tag::SEARCH_RESULT_ENTRY, |out| self.write_body(out), &[]);
    }
}
