//! The crate ldap3_proto as a second reader: what both accept means the same to both. Where
//! they are known to differ, each difference is asserted, so that one that goes away is noticed too.

use crate::arbitrary::{Values, request, stretch};
use bytes::BytesMut;
use ldap3_proto::LdapCodec;
use ldap3_proto::control::LdapControl;
use ldap3_proto::proto::{
    LdapAddRequest, LdapBindCred, LdapBindRequest, LdapCompareRequest, LdapDerefAliases, LdapExtendedRequest,
    LdapFilter, LdapMatchingRuleAssertion, LdapModify, LdapModifyDNRequest, LdapModifyRequest, LdapModifyType, LdapMsg,
    LdapOp, LdapPartialAttribute, LdapSearchRequest, LdapSearchScope, LdapSubstringFilter, SaslCredentials,
};
use proptest::collection::vec;
use proptest::prelude::*;
use tidegate::engine::ldap::attribute::AttributeDescription;
use tidegate::engine::ldap::filter::Filter;
use tidegate::engine::ldap::message::{Envelope, UpstreamMessageId, write_message, write_request};
use tidegate::engine::ldap::request::{
    Attribute, Authentication, BindName, ChangeKind, DerefAliases, ExtendedRequest, Request, SearchScope, oid,
};
use tidegate::engine::ldap::{Dn, ber, tag};
use tokio_util::codec::{Decoder, Encoder};

fn theirs(frame: &[u8]) -> Option<LdapMsg> {
    let mut buffer = BytesMut::from(frame);
    let message = LdapCodec::new(Some(1 << 20), None).decode(&mut buffer).ok()??;
    buffer.is_empty().then_some(message)
}

fn ours(frame: &[u8]) -> Option<(Envelope<'_>, Request<'_>)> {
    let envelope = Envelope::parse_request(frame).ok()?;
    envelope.controls().ok()?;
    Some((envelope, Request::decode(&envelope).ok()?))
}

fn string(octets: &[u8]) -> Option<String> {
    String::from_utf8(octets.to_vec()).ok()
}

fn name(attribute: AttributeDescription<'_>) -> Option<String> {
    string(attribute.0)
}

/// Our reading in their types. None where theirs cannot hold it: text that is not UTF-8.
fn translate(request: &Request<'_>) -> Option<LdapOp> {
    Some(match request {
        Request::Bind(bind) => {
            let dn = match &bind.name {
                BindName::Dn(dn) => dn.text().to_owned(),
                BindName::Other(other) => string(other)?,
            };
            let cred = match bind.authentication {
                Authentication::Simple(password) => LdapBindCred::Simple(string(password)?),
                // They do not tell missing credentials from empty ones.
                Authentication::Sasl { mechanism, credentials } => LdapBindCred::SASL(SaslCredentials {
                    mechanism: string(mechanism)?,
                    credentials: credentials.unwrap_or_default().to_vec(),
                }),
                Authentication::Other(_) => LdapBindCred::Unsupported,
            };
            LdapOp::BindRequest(LdapBindRequest { version: bind.version.into(), dn, cred })
        }
        Request::Unbind => LdapOp::UnbindRequest,
        Request::Search(search) => LdapOp::SearchRequest(LdapSearchRequest {
            base: search.base.text().to_owned(),
            scope: match search.scope {
                SearchScope::Base => LdapSearchScope::Base,
                SearchScope::One => LdapSearchScope::OneLevel,
                SearchScope::Subtree => LdapSearchScope::Subtree,
                SearchScope::Subordinate => LdapSearchScope::Children,
            },
            aliases: match search.deref {
                DerefAliases::Never => LdapDerefAliases::Never,
                DerefAliases::InSearching => LdapDerefAliases::InSearching,
                DerefAliases::FindingBase => LdapDerefAliases::FindingBaseObj,
                DerefAliases::Always => LdapDerefAliases::Always,
            },
            sizelimit: search.size_limit,
            timelimit: search.time_limit,
            typesonly: search.types_only,
            filter: filter(&search.filter)?,
            attrs: search.attributes.iter().map(|attribute| name(*attribute)).collect::<Option<_>>()?,
        }),
        Request::Modify(modify) => {
            let change = |change: &tidegate::engine::ldap::request::Change<'_>| {
                let operation = match change.kind {
                    ChangeKind::Add => LdapModifyType::Add,
                    ChangeKind::Delete => LdapModifyType::Delete,
                    ChangeKind::Replace => LdapModifyType::Replace,
                    ChangeKind::Increment => LdapModifyType::Increment,
                };
                Some(LdapModify { operation, modification: attribute(&change.attribute)? })
            };
            LdapOp::ModifyRequest(LdapModifyRequest {
                dn: modify.entry.text().to_owned(),
                changes: modify.changes.iter().map(change).collect::<Option<_>>()?,
            })
        }
        Request::Add(add) => LdapOp::AddRequest(LdapAddRequest {
            dn: add.entry.text().to_owned(),
            attributes: add.attributes.iter().map(attribute).collect::<Option<_>>()?,
        }),
        Request::Delete(entry) => LdapOp::DelRequest(entry.text().to_owned()),
        Request::Rename(rename) => LdapOp::ModifyDNRequest(LdapModifyDNRequest {
            dn: rename.entry.text().to_owned(),
            newrdn: rename.new_rdn.text().to_owned(),
            deleteoldrdn: rename.delete_old_rdn,
            new_superior: rename.new_superior.as_ref().map(|dn| dn.text().to_owned()),
        }),
        Request::Compare(compare) => LdapOp::CompareRequest(LdapCompareRequest {
            dn: compare.entry.text().to_owned(),
            atype: name(compare.attribute)?,
            val: compare.value.to_vec(),
        }),
        Request::Abandon(id) => LdapOp::AbandonRequest(id.0),
        Request::Extended(extended) => LdapOp::ExtendedRequest(translate_extended(extended)),
    })
}

/// They keep the value of an extended request as octets, so ours are compared as encoded.
fn translate_extended(request: &ExtendedRequest<'_>) -> LdapExtendedRequest {
    let field = |tag: u8, content: Option<&[u8]>| {
        let mut out = Vec::new();
        content.into_iter().for_each(|content| ber::write_element(&mut out, tag, content));
        out
    };
    let sequence = |content: &[u8]| Some(field(0x30, Some(content)));
    let (oid, value) = match request {
        ExtendedRequest::StartTls => (oid::START_TLS, None),
        ExtendedRequest::WhoAmI => (oid::WHO_AM_I, None),
        ExtendedRequest::Password { identity: None, old: None, new: None } => (oid::PASSWORD_MODIFY, None),
        ExtendedRequest::Password { identity, old, new } => {
            let fields = [field(0x80, *identity), field(0x81, *old), field(0x82, *new)].concat();
            (oid::PASSWORD_MODIFY, sequence(&fields))
        }
        ExtendedRequest::Cancel(id) => {
            let mut content = Vec::new();
            ber::write_integer(&mut content, 0x02, id.0);
            (oid::CANCEL, sequence(&content))
        }
        ExtendedRequest::Other { oid, value } => (*oid, value.map(<[u8]>::to_vec)),
    };
    LdapExtendedRequest { name: oid.to_owned(), value }
}

fn attribute(attribute: &Attribute<'_>) -> Option<LdapPartialAttribute> {
    let vals = attribute.values.iter().map(|value| value.to_vec()).collect();
    Some(LdapPartialAttribute { atype: name(attribute.description)?, vals })
}

fn filter(ours: &Filter<'_>) -> Option<LdapFilter> {
    let list = |parts: &[Filter<'_>]| parts.iter().map(filter).collect::<Option<Vec<_>>>();
    let optional = |octets: &Option<&[u8]>| octets.map_or(Some(None), |octets| string(octets).map(Some));
    Some(match ours {
        Filter::And(parts) => LdapFilter::And(list(parts)?),
        Filter::Or(parts) => LdapFilter::Or(list(parts)?),
        Filter::Not(part) => LdapFilter::Not(Box::new(filter(part)?)),
        Filter::Equality { attribute, value } => LdapFilter::Equality(name(*attribute)?, string(value)?),
        Filter::GreaterOrEqual { attribute, value } => LdapFilter::GreaterOrEqual(name(*attribute)?, string(value)?),
        Filter::LessOrEqual { attribute, value } => LdapFilter::LessOrEqual(name(*attribute)?, string(value)?),
        Filter::Approximate { attribute, value } => LdapFilter::Approx(name(*attribute)?, string(value)?),
        Filter::Present(attribute) => LdapFilter::Present(name(*attribute)?),
        Filter::Substrings { attribute, initial, any, last } => {
            let any = any.iter().map(|part| string(part)).collect::<Option<_>>()?;
            let parts = LdapSubstringFilter { initial: optional(initial)?, any, final_: optional(last)? };
            LdapFilter::Substring(name(*attribute)?, parts)
        }
        Filter::Extensible { rule, attribute, value, dn_attributes } => {
            LdapFilter::Extensible(LdapMatchingRuleAssertion {
                matching_rule: optional(rule)?,
                type_: optional(&attribute.map(|attribute| attribute.0))?,
                match_value: string(value)?,
                dn_attributes: *dn_attributes,
            })
        }
    })
}

/// Names in the one spelling that ours are forwarded in; a name that is not a DN stays.
fn canonical_names(mut op: LdapOp) -> LdapOp {
    let canonical = |dn: &mut String| {
        if let Ok(parsed) = Dn::parse(dn.as_bytes()) {
            *dn = parsed.text().to_owned();
        }
    };
    match &mut op {
        LdapOp::BindRequest(bind) => canonical(&mut bind.dn),
        LdapOp::SearchRequest(search) => canonical(&mut search.base),
        LdapOp::ModifyRequest(modify) => canonical(&mut modify.dn),
        LdapOp::AddRequest(add) => canonical(&mut add.dn),
        LdapOp::DelRequest(dn) => canonical(dn),
        LdapOp::ModifyDNRequest(rename) => {
            canonical(&mut rename.dn);
            canonical(&mut rename.newrdn);
            rename.new_superior.iter_mut().for_each(canonical);
        }
        LdapOp::CompareRequest(compare) => canonical(&mut compare.dn),
        _ => {}
    }
    op
}

/// The values of those extended requests that ours understands, in their one encoding.
fn canonical_value(op: LdapOp, request: &Request<'_>) -> LdapOp {
    match (op, request) {
        (
            LdapOp::ExtendedRequest(theirs),
            Request::Extended(ExtendedRequest::Password { .. } | ExtendedRequest::Cancel(_)),
        ) => {
            let mut frame = Vec::new();
            let mut body = Vec::new();
            ber::write_element(&mut body, 0x80, theirs.name.as_bytes());
            theirs.value.iter().for_each(|value| ber::write_element(&mut body, 0x81, value));
            write_message(&mut frame, 1, tag::EXTENDED_REQUEST, &body, None);
            match ours(&frame) {
                Some((_, Request::Extended(again))) => LdapOp::ExtendedRequest(translate_extended(&again)),
                _ => LdapOp::ExtendedRequest(theirs),
            }
        }
        (op, _) => op,
    }
}

/// If both accept, both read the same. Says whether both did. `exact`: extended values octet for octet too.
pub(crate) fn agree(frame: &[u8], exact: bool) -> Result<bool, TestCaseError> {
    let (Some((envelope, request)), Some(message)) = (ours(frame), theirs(frame)) else { return Ok(false) };
    prop_assert_eq!(envelope.id, message.msgid);
    if let Request::Bind(bind) = &request
        && bind.version < 0
    {
        // Known: they read integers without a sign.
        return Ok(false);
    }
    let read = canonical_names(message.op);
    let read = if exact { read } else { canonical_value(read, &request) };
    prop_assert_eq!(translate(&request), Some(read));
    for (our, their) in envelope.controls().expect("read before").iter().zip(&message.ctrl) {
        if let LdapControl::Unknown { oid, criticality, value } = their {
            prop_assert_eq!((our.oid, our.critical), (oid.as_str(), *criticality));
            prop_assert_eq!(our.value, value.as_deref());
        }
    }
    prop_assert_eq!(envelope.controls().map(|controls| controls.len()), Ok(message.ctrl.len()));
    Ok(true)
}

fn encode(request: &Request<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    write_request(&mut out, UpstreamMessageId(7), request, &[]);
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn they_read_our_encoding_as_we_meant_it(request in request(Values::Text), extra in vec(0..3_usize, 1..9)) {
        let frame = encode(&request);
        prop_assert!(agree(&frame, true)?, "they refuse {:?}", request);
        // Their lengths are eight octets at most.
        let stretched = stretch(&frame, &mut extra.iter().copied().cycle());
        prop_assert!(agree(&stretched, false)?);
    }

    #[test]
    fn we_read_their_encoding_as_they_meant_it(request in request(Values::Text)) {
        let op = translate(&request).expect("text");
        let mut frame = BytesMut::new();
        LdapCodec::default().encode(LdapMsg::new(7, op.clone()), &mut frame).expect("encodes");
        let (envelope, read) = ours(&frame).expect("we accept what they write");
        prop_assert_eq!(envelope.id, 7);
        prop_assert_eq!(translate(&read), Some(op));
    }

    #[test]
    fn on_damaged_octets_that_both_accept_both_agree(
        request in request(Values::Text),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut frame = encode(&request);
        for (at, octet) in damage {
            let at = at.index(frame.len());
            frame[at] = octet;
        }
        agree(&frame, false)?;
    }

    #[test]
    fn text_that_is_not_utf8_is_lost_on_them(request in request(Values::Octets)) {
        let frame = encode(&request);
        prop_assert!(ours(&frame).is_some());
        prop_assert_eq!(theirs(&frame).is_some(), translate(&request).is_some());
    }
}

/// What architecture.md says about ldap3_proto, as far as requests go: each is read differently by us.
mod known_differences {
    use super::*;

    fn message(tag: u8, body: &[u8], controls: Option<&[u8]>) -> Vec<u8> {
        let mut out = Vec::new();
        write_message(&mut out, 7, tag, body, controls);
        out
    }

    fn search(filter: &[u8]) -> Vec<u8> {
        let head = b"\x04\x00\x0a\x01\x02\x0a\x01\x00\x02\x01\x00\x02\x01\x00\x01\x01\x00";
        message(tag::SEARCH_REQUEST, &[head, filter, b"\x30\x00"].concat(), None)
    }

    #[test]
    fn a_not_with_two_children_is_its_last_to_them_and_refused_by_us() {
        let frame = search(b"\xa2\x06\x87\x01a\x87\x01b");
        let expected = LdapFilter::Not(Box::new(LdapFilter::Present("b".to_owned())));
        assert!(matches!(theirs(&frame).unwrap().op, LdapOp::SearchRequest(s) if s.filter == expected));
        assert!(ours(&frame).is_none());
    }

    #[test]
    fn a_compare_with_a_third_element_is_its_last_two_to_them_and_refused_by_us() {
        let frame = message(tag::COMPARE_REQUEST, b"\x04\x00\x30\x09\x04\x01a\x04\x01b\x04\x01c", None);
        assert!(matches!(theirs(&frame).unwrap().op, LdapOp::CompareRequest(c) if c.atype == "b" && c.val == b"c"));
        assert!(ours(&frame).is_none());
    }

    #[test]
    fn a_truncated_child_vanishes_for_them_and_is_refused_by_us() {
        let frame = search(b"\xa0\x06\x87\x01a\x87\x05b");
        let expected = LdapFilter::And(vec![LdapFilter::Present("a".to_owned())]);
        assert!(matches!(theirs(&frame).unwrap().op, LdapOp::SearchRequest(s) if s.filter == expected));
        assert!(ours(&frame).is_none());
    }

    #[test]
    fn values_that_are_not_utf8_are_refused_by_them_and_octets_to_us() {
        let guid = search(b"\xa3\x07\x04\x02id\x04\x01\xff");
        assert!(theirs(&guid).is_none());
        let (_, Request::Search(read)) = ours(&guid).unwrap() else { panic!("a search") };
        assert_eq!(read.filter, Filter::Equality { attribute: AttributeDescription(b"id"), value: b"\xff" });

        let password = message(tag::BIND_REQUEST, b"\x02\x01\x03\x04\x00\x80\x01\xff", None);
        assert!(theirs(&password).is_none());
        assert!(ours(&password).is_some());
    }

    #[test]
    fn the_criticality_of_paging_is_lost_on_them() {
        let value = b"\x04\x07\x30\x05\x02\x01\x0a\x04\x00";
        let control = [&b"\x30\x24\x04\x161.2.840.113556.1.4.319\x01\x01\xff"[..], value].concat();
        let frame = message(tag::DELETE_REQUEST, b"", Some(&control));
        let read = theirs(&frame).unwrap().ctrl;
        assert!(matches!(&read[..], [LdapControl::SimplePagedResults { size: 10, .. }]));
        let (envelope, _) = ours(&frame).unwrap();
        assert!(envelope.controls().unwrap()[0].critical);
    }

    #[test]
    fn ids_and_integers_out_of_range_are_something_to_them_and_refused_by_us() {
        // 2^32 + 7 is cut to 7; -1 is 255; zero is an id.
        for id in [&b"\x02\x05\x01\x00\x00\x00\x07"[..], b"\x02\x01\xff", b"\x02\x01\x00"] {
            let frame = [&[0x30, (id.len() + 2) as u8], id, b"\x4a\x00"].concat();
            assert!(theirs(&frame).is_some(), "{frame:x?}");
            assert!(ours(&frame).is_none(), "{frame:x?}");
        }
    }

    #[test]
    fn elements_behind_an_operation_are_ignored_by_them_and_refused_by_us() {
        for (tag, body) in [
            (tag::BIND_REQUEST, &b"\x02\x01\x03\x04\x00\x80\x00\x80\x01x"[..]),
            (tag::EXTENDED_REQUEST, b"\x80\x031.2\x81\x00\x81\x01x"),
            (tag::MODIFY_REQUEST, b"\x04\x00\x30\x00\x30\x00"),
        ] {
            let frame = message(tag, body, None);
            assert!(theirs(&frame).is_some(), "{frame:x?}");
            assert!(ours(&frame).is_none(), "{frame:x?}");
        }
    }

    /// Of an extended request with a value of the wrong form they drop the value.
    #[test]
    fn a_value_of_the_wrong_form_vanishes_for_them_and_is_refused_by_us() {
        let frame = message(tag::EXTENDED_REQUEST, b"\x80\x031.2\xa1\x02\x04\x00", None);
        assert!(matches!(theirs(&frame).unwrap().op, LdapOp::ExtendedRequest(e) if e.value.is_none()));
        assert!(ours(&frame).is_none());
    }
}
