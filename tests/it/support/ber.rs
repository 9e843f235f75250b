//! Just enough BER to say right and wrong things; deliberately independent of the code under test.

/// One element: a tag and its content, with a definite, shortest length.
pub(crate) fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match content.len() {
        n @ 0..=0x7f => out.push(n as u8),
        n => {
            let bytes: Vec<u8> = n.to_be_bytes().into_iter().skip_while(|b| *b == 0).collect();
            out.push(0x80 | bytes.len() as u8);
            out.extend(bytes);
        }
    }
    out.extend_from_slice(content);
    out
}

/// The same with the four-octet length that Microsoft's libraries send.
pub(crate) fn tlv_long(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag, 0x84];
    out.extend((content.len() as u32).to_be_bytes());
    out.extend_from_slice(content);
    out
}

pub(crate) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

pub(crate) fn octets(value: impl AsRef<[u8]>) -> Vec<u8> {
    tlv(0x04, value.as_ref())
}

pub(crate) fn boolean(value: bool) -> Vec<u8> {
    tlv(0x01, &[if value { 0xff } else { 0 }])
}

pub(crate) fn integer(value: i32) -> Vec<u8> {
    number(0x02, value)
}

pub(crate) fn enumerated(value: i32) -> Vec<u8> {
    number(0x0a, value)
}

fn number(tag: u8, value: i32) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let mut from = 0;
    // Shortest two's complement: drop leading octets that only repeat the sign.
    while from < 3 && ((bytes[from] == 0 && bytes[from + 1] < 0x80) || (bytes[from] == 0xff && bytes[from + 1] >= 0x80))
    {
        from += 1;
    }
    tlv(tag, &bytes[from..])
}

/// RFC 4648 4, as LDIF has it.
pub(crate) fn base64(octets: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for group in octets.chunks(3) {
        let bits = (0..3).fold(0_usize, |bits, at| bits << 8 | usize::from(group.get(at).copied().unwrap_or(0)));
        for at in 0..4 {
            let digit = DIGITS[bits >> (18 - 6 * at) & 63];
            out.push(if at <= group.len() { char::from(digit) } else { '=' });
        }
    }
    out
}

/// A cut-up element: its tag, its content, and what follows it. `None` when it is not all there.
pub(crate) fn cut(input: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, first) = (*input.first()?, *input.get(1)?);
    let (length, start) = match first {
        0..=0x7f => (usize::from(first), 2),
        _ => {
            let count = usize::from(first & 0x7f);
            let bytes = input.get(2..2 + count)?;
            (bytes.iter().fold(0_usize, |sum, b| (sum << 8) | usize::from(*b)), 2 + count)
        }
    };
    Some((tag, input.get(start..start + length)?, input.get(start + length..)?))
}

/// The elements inside a content.
pub(crate) fn children(mut content: &[u8]) -> Vec<(u8, &[u8])> {
    let mut out = Vec::new();
    while let Some((tag, inner, rest)) = cut(content) {
        out.push((tag, inner));
        content = rest;
    }
    assert!(content.is_empty(), "octets left over: {content:02x?}");
    out
}

/// What an INTEGER or ENUMERATED holds.
pub(crate) fn value(content: &[u8]) -> i32 {
    let sign = if content.first().is_some_and(|b| *b >= 0x80) { -1 } else { 0 };
    content.iter().fold(sign, |sum, b| (sum << 8) | i32::from(*b))
}

/// A search filter from the text form of RFC 4515, as far as the tests use it.
pub(crate) fn filter(text: &str) -> Vec<u8> {
    let (out, rest) = filter_at(text);
    assert!(rest.is_empty(), "left over in the filter: {rest}");
    out
}

fn filter_at(text: &str) -> (Vec<u8>, &str) {
    let inner = text.strip_prefix('(').expect("a filter begins with a parenthesis");
    let tag = match inner.as_bytes()[0] {
        b'&' => 0xa0,
        b'|' => 0xa1,
        b'!' => 0xa2,
        _ => {
            let (item, rest) = inner.split_once(')').expect("a filter ends");
            return (filter_item(item), rest);
        }
    };
    let (mut content, mut rest) = (Vec::new(), &inner[1..]);
    while !rest.starts_with(')') {
        let (one, after) = filter_at(rest);
        content.extend(one);
        rest = after;
    }
    (tlv(tag, &content), &rest[1..])
}

fn filter_item(item: &str) -> Vec<u8> {
    let (name, value) = item.split_once('=').expect("an assertion has a value");
    let pair = |tag, name: &str| tlv(tag, &[octets(name), octets(value)].concat());
    if let Some(name) = name.strip_suffix('>') {
        return pair(0xa5, name);
    }
    if let Some(name) = name.strip_suffix('<') {
        return pair(0xa6, name);
    }
    if let Some(name) = name.strip_suffix('~') {
        return pair(0xa8, name);
    }
    if let Some((name, rule)) = name.strip_suffix(':').and_then(|name| name.split_once(':')) {
        let parts = [tlv(0x81, rule.as_bytes()), tlv(0x82, name.as_bytes()), tlv(0x83, value.as_bytes())];
        return tlv(0xa9, &parts.concat());
    }
    if value == "*" {
        return tlv(0x87, name.as_bytes());
    }
    match value.strip_suffix('*') {
        Some(initial) => tlv(0xa4, &[octets(name), tlv(0x30, &tlv(0x80, initial.as_bytes()))].concat()),
        None => pair(0xa3, name),
    }
}
