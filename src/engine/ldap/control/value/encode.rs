//! The values of controls, written canonically from what was read.

use super::{BY_OFFSET, BY_VALUE, ListTarget, ORDERING_RULE, REVERSE_ORDER, Value};
use crate::engine::ldap::attribute::AttributeDescription;
use crate::engine::ldap::ber::{self, universal};

impl Value<'_> {
    /// The octets to send; `None`: a control without value.
    pub fn encode(&self) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        match self {
            Value::Absent | Value::OptionalNumber(None) => return None,
            Value::AuthorizationId(id) => out.extend_from_slice(id),
            Value::Boolean(value) => ber::write_boolean(&mut out, universal::BOOLEAN, *value),
            Value::Filter(filter) => filter.encode(&mut out),
            _ => ber::write_constructed(&mut out, universal::SEQUENCE, |out| self.write_content(out)),
        }
        Some(out)
    }

    /// What stands in the sequence that most values are.
    fn write_content(&self, out: &mut Vec<u8>) {
        match self {
            Value::Pages { size, cookie } => {
                integer(out, *size);
                ber::write_octets(out, cookie);
            }
            Value::SortKeys(keys) => keys.iter().for_each(|key| {
                ber::write_constructed(out, universal::SEQUENCE, |out| {
                    ber::write_octets(out, key.attribute.0);
                    if let Some(rule) = key.rule {
                        ber::write_element(out, ORDERING_RULE, rule);
                    }
                    if key.reverse {
                        ber::write_boolean(out, REVERSE_ORDER, true);
                    }
                });
            }),
            Value::VirtualList { before, after, target, context } => {
                [*before, *after].into_iter().for_each(|number| integer(out, number));
                match target {
                    ListTarget::Offset { offset, content_count } => ber::write_constructed(out, BY_OFFSET, |out| {
                        [*offset, *content_count].into_iter().for_each(|number| integer(out, number));
                    }),
                    ListTarget::Value(value) => ber::write_element(out, BY_VALUE, value),
                }
                context.iter().for_each(|context| ber::write_octets(out, context));
            }
            Value::Attributes(attributes) => list(out, attributes),
            Value::ValueFilters(filters) => filters.iter().for_each(|filter| filter.encode(out)),
            Value::Dereferences(all) => all.iter().for_each(|one| {
                ber::write_constructed(out, universal::SEQUENCE, |out| {
                    ber::write_octets(out, one.source.0);
                    ber::write_constructed(out, universal::SEQUENCE, |out| list(out, &one.attributes));
                });
            }),
            Value::AuthorizationDn(name) => ber::write_octets(out, name.text().as_bytes()),
            Value::Sync { mode, cookie, reload_hint } => {
                ber::write_integer(out, universal::ENUMERATED, *mode as i32);
                cookie.iter().for_each(|cookie| ber::write_octets(out, cookie));
                if *reload_hint {
                    ber::write_boolean(out, universal::BOOLEAN, true);
                }
            }
            Value::Changes { types, changes_only, notify } => {
                integer(out, *types);
                ber::write_boolean(out, universal::BOOLEAN, *changes_only);
                ber::write_boolean(out, universal::BOOLEAN, *notify);
            }
            Value::DirSync { flags, size, cookie } => {
                [*flags, *size].into_iter().for_each(|number| integer(out, number));
                ber::write_octets(out, cookie);
            }
            Value::Number(number) | Value::OptionalNumber(Some(number)) => integer(out, *number),
            Value::SourceAttribute(attribute) => ber::write_octets(out, attribute.0),
            Value::Tracking(parts) => parts.iter().for_each(|part| ber::write_octets(out, part)),
            // Those that are no sequence.
            Value::Absent
            | Value::OptionalNumber(None)
            | Value::AuthorizationId(_)
            | Value::Boolean(_)
            | Value::Filter(_) => {}
        }
    }
}

fn integer(out: &mut Vec<u8>, number: i32) {
    ber::write_integer(out, universal::INTEGER, number);
}

fn list(out: &mut Vec<u8>, attributes: &[AttributeDescription<'_>]) {
    attributes.iter().for_each(|attribute| ber::write_octets(out, attribute.0));
}
