//! Any request survives its encoding, there is one canonical encoding, and other spellings of the
//! same elements mean the same.

use crate::arbitrary::{Values, add, controls, request, stretch};
use proptest::collection::vec;
use proptest::prelude::*;
use tidegate::engine::ldap::entry::Entry;
use tidegate::engine::ldap::message::{Envelope, MalformedMessage, UpstreamMessageId, write_message, write_request};
use tidegate::engine::ldap::request::{Request, RequestError};
use tidegate::engine::ldap::{frame, tag};

fn decode(frame: &[u8]) -> (Envelope<'_>, Request<'_>) {
    let envelope = Envelope::parse_request(frame).expect("a message");
    (envelope, Request::decode(&envelope).expect("a request"))
}

fn encode(id: i32, request: &Request<'_>, controls: &[tidegate::engine::ldap::control::Control<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    write_request(&mut out, UpstreamMessageId(id), request, controls);
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_request_survives_its_encoding(request in request(Values::Octets), controls in controls(), id in 1..=i32::MAX) {
        let octets = encode(id, &request, &controls);
        prop_assert_eq!(frame::frame_length(&octets, octets.len()), Ok(Some(octets.len())));
        let (envelope, decoded) = decode(&octets);
        prop_assert_eq!(envelope.id, id);
        prop_assert_eq!(&decoded, &request);
        prop_assert_eq!(envelope.controls(), Ok(controls.clone()));
        // Names compare equal in many spellings: this says that the spelling is the same too.
        prop_assert_eq!(encode(id, &decoded, &controls), octets);
    }

    #[test]
    fn lengths_of_any_form_mean_the_same(
        request in request(Values::Octets),
        controls in controls(),
        extra in vec(prop_oneof![Just(0_usize), 1..6_usize], 1..20),
    ) {
        let octets = encode(7, &request, &controls);
        let stretched = stretch(&octets, &mut extra.iter().copied().cycle());
        let (envelope, decoded) = decode(&stretched);
        prop_assert_eq!(&decoded, &request);
        let decoded_controls = envelope.controls().expect("controls");
        prop_assert_eq!(encode(7, &decoded, &decoded_controls), octets);
    }

    #[test]
    fn nothing_cut_short_or_added_is_a_message(request in request(Values::Octets), at in any::<prop::sample::Index>()) {
        let mut octets = encode(7, &request, &[]);
        let cut = at.index(octets.len());
        prop_assert!(Envelope::parse_request(&octets[..cut]).is_err());
        prop_assert_eq!(frame::frame_length(&octets[..cut], octets.len() + 1), Ok(None));
        octets.push(0);
        prop_assert!(Envelope::parse_request(&octets).is_err());
    }

    /// An element more, behind any of those that the operation has, is refused: no two readers differ on it.
    #[test]
    fn no_operation_has_an_element_more(request in request(Values::Octets), more in prop::sample::select(vec![
        &b"\x04\x00"[..], b"\x30\x00", b"\x02\x01\x01", b"\x01\x01\xff", b"\x80\x00", b"\x81\x00", b"\xa3\x00", b"\x05\x00",
    ])) {
        let octets = encode(7, &request, &[]);
        let (envelope, _) = decode(&octets);
        prop_assume!(envelope.tag & 0x20 != 0);
        let longer = [envelope.body, more].concat();
        let mut octets = Vec::new();
        write_message(&mut octets, 7, envelope.tag, &longer, None);
        let envelope = Envelope::parse_request(&octets).expect("a message");
        match (&request, Request::decode(&envelope)) {
            // The only fields that may be missing at the end.
            (Request::Rename(rename), Ok(_)) => prop_assert!(rename.new_superior.is_none() && more[0] == 0x80),
            (Request::Extended(_), Ok(_)) => prop_assert!(more[0] == 0x81),
            (_, decoded) => prop_assert!(decoded.is_err(), "{:?}", decoded),
        }
    }

    #[test]
    fn an_entry_survives_its_encoding(request in add(Values::Octets)) {
        // An add request and an entry are the same but for the tag (RFC 4511 4.5.2, 4.7).
        let mut body = Vec::new();
        request.write_body(&mut body);
        let entry = Entry::decode(&body).expect("an entry");
        let mut out = Vec::new();
        entry.write_body(&mut out);
        prop_assert_eq!(out, body);
    }

    #[test]
    fn any_octets_are_read_or_refused(tag in 0x40..0x80_u8, body in vec(any::<u8>(), 0..64)) {
        let mut frame = Vec::new();
        write_message(&mut frame, 7, tag, &body, None);
        let parsed = Envelope::parse_request(&frame);
        prop_assert_eq!(parsed.is_ok(), tag::is_request(tag));
        if let Ok(envelope) = parsed {
            let _: Result<Request<'_>, RequestError> = Request::decode(&envelope);
        }
        let _: Result<Envelope<'_>, MalformedMessage> = Envelope::parse_request(&body);
    }
}
