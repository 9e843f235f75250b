//! What holds for any octets whatever, one function for each parser: they panic where it does not.
//! Plain functions, so that libFuzzer and the tests on stable call the same.

use tidegate::engine::ldap::ber::{self, BerError, Header, Reader};
use tidegate::engine::ldap::control::{decode_controls, write_controls};
use tidegate::engine::ldap::entry::Entry;
use tidegate::engine::ldap::frame::{FrameError, frame_length, peek_frame_length};
use tidegate::engine::ldap::message::{Envelope, UpstreamMessageId, write_message, write_request};
use tidegate::engine::ldap::request::Request;
use tidegate::engine::ldap::response::{ResultView, entry_name};
use tidegate::engine::ldap::{Dn, ResultCode, tag};

/// Frames and elements: what was said of a part of a stream stays true of more of it; elements
/// written again are read as the same, in no more octets.
pub fn ber(data: &[u8]) {
    const BOUND: usize = 4096;
    let whole = frame_length(data, BOUND);
    match whole {
        Ok(Some(length)) => {
            assert!((2..=BOUND.min(data.len())).contains(&length));
            assert_eq!(frame_length(&data[..length], BOUND), whole);
            assert_eq!(frame_length(&data[..length - 1], BOUND), Ok(None));
            assert_eq!(peek_frame_length(data), Ok(Some(length)));
        }
        Ok(None) => assert!(data.len() < BOUND),
        Err(_) => {}
    }
    for part in 0..data.len().min(140) {
        match frame_length(&data[..part], BOUND) {
            Ok(None) => {}
            said => assert_eq!(said.map_err(|_| ()), whole.map_err(|_| ()), "{part}"),
        }
    }
    if data.first().is_some_and(|first| *first != 0x30) {
        assert_eq!(whole, Err(FrameError::NotASequence));
    }

    if let Ok(Some(Header { tag, header, .. })) = Header::read(data) {
        assert_eq!(tag, data[0]);
        assert!((2..=128).contains(&header) && header <= data.len());
    }
    let mut canonical = Vec::new();
    if rewrite(data, &mut canonical, 16).is_ok() {
        assert!(canonical.len() <= data.len());
        let mut again = Vec::new();
        assert_eq!(rewrite(&canonical, &mut again, 16), Ok(()));
        assert_eq!(again, canonical);
    }

    if let Ok(value) = ber::integer_content(data) {
        let mut out = Vec::new();
        ber::write_integer(&mut out, 0x02, value);
        assert_eq!(&out[2..], data);
    }
}

/// Writes the elements in `data` again, with lengths of the shortest form.
fn rewrite(data: &[u8], out: &mut Vec<u8>, depth: usize) -> Result<(), BerError> {
    let mut reader = Reader::new(data);
    while !reader.is_empty() {
        let (tag, content) = reader.element()?;
        if tag & 0x20 != 0 && depth > 0 {
            let mut inside = Vec::new();
            rewrite(content, &mut inside, depth - 1)?;
            ber::write_constructed(out, tag, |out| out.extend_from_slice(&inside));
        } else {
            ber::write_element(out, tag, content);
        }
    }
    reader.finish()
}

/// Requests: what is accepted has one canonical encoding, which is read as the same request; what
/// is not has an answer.
pub fn message(data: &[u8]) {
    let envelope = match Envelope::parse_request(data) {
        Ok(envelope) => envelope,
        Err(malformed) => {
            if let Some((id, request)) = malformed.answerable {
                assert!(id.0 > 0 && tag::response_to(request).is_some());
            }
            return;
        }
    };
    assert_eq!(frame_length(data, data.len()), Ok(Some(data.len())));
    assert!(envelope.id > 0 && tag::is_request(envelope.tag));
    let mut relayed = Vec::new();
    write_message(&mut relayed, envelope.id, envelope.tag, envelope.body, envelope.controls);
    assert_eq!(Envelope::parse_request(&relayed), Ok(envelope));

    let controls = match envelope.controls() {
        Ok(controls) => controls,
        Err(malformed) => {
            assert_eq!(malformed.answerable.is_some(), tag::response_to(envelope.tag).is_some());
            return;
        }
    };
    let mut written = Vec::new();
    write_controls(&mut written, &controls);
    assert_eq!(decode_controls(&written).as_ref(), Ok(&controls));

    let request = match Request::decode(&envelope) {
        Ok(request) => request,
        Err(error) => {
            assert!(matches!(error.code, ResultCode::PROTOCOL_ERROR | ResultCode::INVALID_DN_SYNTAX));
            return;
        }
    };
    assert_eq!(request.tag(), envelope.tag);
    let mut canonical = Vec::new();
    write_request(&mut canonical, UpstreamMessageId(envelope.id), &request, &controls);
    let again = Envelope::parse_request(&canonical);
    let Ok(again) = again else { return assert_eq!(again, Ok(envelope)) };
    assert_eq!(again.controls().as_ref(), Ok(&controls));
    assert_eq!(Request::decode(&again).as_ref(), Ok(&request));
    let mut twice = Vec::new();
    if let Ok(request) = Request::decode(&again) {
        write_request(&mut twice, UpstreamMessageId(again.id), &request, &controls);
    }
    assert_eq!(twice, canonical);

    if let Request::Search(search) = &request {
        let mut text = String::new();
        search.filter.write_text(&mut text, &|_| false).unwrap();
        assert!(!text.chars().any(char::is_control));
        assert!(text.starts_with('(') && text.ends_with(')'));
    }
}

/// Answers of the directory: what is relayed is what came, what is written again is the same.
pub fn response(data: &[u8]) {
    let Ok(envelope) = Envelope::parse_response(data) else { return };
    assert!(tag::is_response(envelope.tag));
    let mut relayed = Vec::new();
    write_message(&mut relayed, 1, envelope.tag, envelope.body, envelope.controls);
    assert_eq!(Envelope::parse_response(&relayed), Ok(Envelope { id: 1, ..envelope }));

    let view = ResultView::peek(envelope.tag, envelope.body);
    assert!(tag::is_final_response(envelope.tag) || view.is_err());
    if envelope.tag == tag::SEARCH_RESULT_ENTRY
        && let Ok(entry) = Entry::decode(envelope.body)
    {
        assert_eq!(entry_name(envelope.body), Ok(entry.name));
        let mut body = Vec::new();
        entry.write_body(&mut body);
        assert!(body.len() <= envelope.body.len());
        assert_eq!(Entry::decode(&body), Ok(entry));
    }
}

/// Names: the text that is forwarded is read as the same name, and is its own canonical form.
pub fn dn(data: &[u8]) {
    let Ok(dn) = Dn::parse(data) else { return };
    let again = Dn::parse(dn.text().as_bytes());
    let Ok(again) = again else { return assert_eq!(again, Ok(dn)) };
    assert_eq!(again.text(), dn.text());
    assert_eq!(again.key(), dn.key());
    assert!(again.is_surely(&dn) && dn.is_surely_within(&dn));
    assert_eq!(dn.lineage().count(), dn.depth() + 1);
    assert!(dn.is_within(&Dn::root()));
    if let Some(parent) = dn.parent() {
        assert!(dn.is_child_of(&parent) && dn.is_surely_within(&parent) && !parent.is_within(&dn));
        assert_eq!(Dn::parse(parent.text().as_bytes()).as_ref(), Ok(&parent));
    } else {
        assert!(dn.is_root());
    }
}
