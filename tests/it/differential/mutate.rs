//! Messages taken apart into elements, changed where it hurts, and put together again: with lengths that are
//! right in one form or another, so that what is inside is reached, or with lengths that are not.

use crate::fuzz::Random;
use crate::support::ber::cut;

/// An element, with how its length is written.
#[derive(Clone)]
struct Node {
    tag: u8,
    content: Content,
    length: Length,
}

#[derive(Clone)]
enum Content {
    Primitive(Vec<u8>),
    Constructed(Vec<Node>),
}

#[derive(Clone, Copy)]
enum Length {
    Shortest,
    /// With so many leading zeros more.
    Long(usize),
    /// 0x80, and two zeros behind the content.
    Indefinite,
    /// Says so much more or less than there is.
    Off(i8),
}

/// Identifier octets that LDAP knows, and some that are nearly so.
const TAGS: &[u8] = &[
    0x01, 0x02, 0x04, 0x05, 0x0a, 0x24, 0x30, 0x31, 0x42, 0x4a, 0x50, 0x60, 0x63, 0x66, 0x68, 0x6c, 0x6e, 0x77, 0x80,
    0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa8, 0xa9, 0x1f, 0x00,
];

/// Contents that some readers take for a number, a truth value or a name, and others do not.
const CONTENTS: &[&[u8]] = &[
    b"",
    b"\x00",
    b"\x01",
    b"\x02",
    b"\x03",
    b"\x04",
    b"\x7f",
    b"\x80",
    b"\xff",
    b"\x00\x01",
    b"\x00\x00",
    b"\x00\x80",
    b"\xff\xff",
    b"\x01\x00",
    b"\x00\x00\x00\x02",
    b"\x7f\xff\xff\xff",
    b"\x80\x00\x00\x00",
    b"\x01\x00\x00\x00\x00",
    b"\x00\xff\xff\xff\xff",
    b"\x01\x00\x00\x00\x00\x00\x00\x00\x02",
    b"cn=a",
    b"CN = a",
    b"cn=a,",
    b"cn=a;ou=b",
    b"cn=\"a\"",
    b"OID.2.5.4.3=a",
    b"cn=a+",
    b"cn=a+ou=b",
    b"ou=b+cn=a",
    b"cn=#040161",
    b"cn=\\61",
    b"cn=a\\20",
    b"cn= a",
    b"cn=a\x00b",
    b"cn=a\\00",
    b"cn=",
    b"=a",
    b"cn",
    b" ",
    b"blob",
    b"blob ",
    b" blob",
    b"blob;binary",
    b"blob;",
    b"blob\x00",
    b"*",
    b"1.1",
    b"objectClass",
    b"@person",
    b"!person",
    b"2.25.7.1",
    b"OID.2.25.7.1",
    b"<GUID=1>",
    b"cn=\xff",
    b"cn=\xc3\xa4",
    b"cn=a\\\xc3\xa4",
    b"dn:cn=a",
    b"octetStringMatch",
    b"2.5.13.17",
];

fn parse(octets: &[u8]) -> Option<Vec<Node>> {
    let (mut nodes, mut rest) = (Vec::new(), octets);
    while !rest.is_empty() {
        let (tag, inside, after) = cut(rest)?;
        let content = match tag & 0x20 {
            0 => Content::Primitive(inside.to_vec()),
            _ => Content::Constructed(parse(inside)?),
        };
        nodes.push(Node { tag, content, length: Length::Shortest });
        rest = after;
    }
    Some(nodes)
}

fn write(nodes: &[Node], out: &mut Vec<u8>) {
    for node in nodes {
        let mut inside = Vec::new();
        match &node.content {
            Content::Primitive(content) => inside.extend_from_slice(content),
            Content::Constructed(children) => write(children, &mut inside),
        }
        out.push(node.tag);
        match node.length {
            Length::Shortest => write_length(out, inside.len(), None),
            Length::Long(zeros) => write_length(out, inside.len(), Some(zeros)),
            Length::Indefinite => out.push(0x80),
            Length::Off(by) => write_length(out, inside.len().saturating_add_signed(by.into()), None),
        }
        out.extend(inside);
        if matches!(node.length, Length::Indefinite) {
            out.extend([0, 0]);
        }
    }
}

fn write_length(out: &mut Vec<u8>, length: usize, zeros: Option<usize>) {
    if zeros.is_none() && length < 0x80 {
        return out.push(length as u8);
    }
    let octets: Vec<u8> = length.to_be_bytes().into_iter().skip_while(|octet| *octet == 0).collect();
    let zeros = zeros.unwrap_or(0);
    out.push(0x80 | (zeros + octets.len()) as u8);
    out.extend(std::iter::repeat_n(0, zeros));
    out.extend(octets);
}

/// The number of nodes, all told.
fn count(nodes: &[Node]) -> usize {
    let below = |node: &Node| match &node.content {
        Content::Primitive(_) => 0,
        Content::Constructed(children) => count(children),
    };
    nodes.iter().map(|node| 1 + below(node)).sum()
}

/// Hands the list that the `at`th node is in, and its place there, to `change`.
fn visit(nodes: &mut Vec<Node>, at: &mut usize, change: &mut dyn FnMut(&mut Vec<Node>, usize)) -> bool {
    for place in 0..nodes.len() {
        if *at == 0 {
            change(nodes, place);
            return true;
        }
        *at -= 1;
        if let Content::Constructed(children) = &mut nodes[place].content
            && visit(children, at, change)
        {
            return true;
        }
    }
    false
}

/// A copy of the `at`th node.
fn pick(nodes: &[Node], at: usize) -> Option<Node> {
    let mut found = None;
    visit(&mut nodes.to_vec(), &mut { at }, &mut |list, place| found = Some(list[place].clone()));
    found
}

/// One message with a few changes; now and then pieces of `other` are in it.
pub(super) fn mutate(frame: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let (Some(mut nodes), Some(others)) = (parse(frame), parse(other)) else { return frame.to_vec() };
    for _ in 0..=random.below(3) {
        let at = random.below(count(&nodes));
        let spare = match random.below(2) {
            0 => pick(&nodes, random.below(count(&nodes))),
            _ => pick(&others, random.below(count(&others))),
        };
        let Some(spare) = spare else { continue };
        visit(&mut nodes, &mut { at }, &mut |list, place| change(list, place, &spare, random));
    }
    let mut out = Vec::new();
    write(&nodes, &mut out);
    if random.below(12) == 0 && !out.is_empty() {
        let at = random.below(out.len());
        match random.below(3) {
            0 => out[at] ^= 1 << random.below(8),
            1 => out[at] = random.octet(),
            _ => out.truncate(at),
        }
    }
    out
}

/// Changes the list that a node is in, or the node itself.
fn change(list: &mut Vec<Node>, place: usize, spare: &Node, random: &mut Random) {
    match random.below(16) {
        0 => list.insert(place, list[place].clone()),
        1 => drop(list.remove(place)),
        2 => {
            let other = random.below(list.len());
            list.swap(place, other);
        }
        3 => list.insert(place + random.below(2), spare.clone()),
        4 => list[place] = spare.clone(),
        5 => {
            let inside = vec![list[place].clone()];
            let tag = [0x24, 0x30, 0x31, 0xa0, 0xa1, 0xa2, 0xa3][random.below(7)];
            list[place] = Node { tag, content: Content::Constructed(inside), length: Length::Shortest };
        }
        // Out of what holds it.
        6 => {
            if let Content::Constructed(children) = list[place].content.clone() {
                list.splice(place..=place, children);
            }
        }
        _ => change_node(&mut list[place], random),
    }
}

fn change_node(node: &mut Node, random: &mut Random) {
    match random.below(8) {
        0 => node.tag = TAGS[random.below(TAGS.len())],
        1 => node.tag ^= 0x20,
        2 | 3 => node.length = Length::Long(random.below(10)),
        4 if random.below(4) == 0 => node.length = Length::Indefinite,
        4 => node.length = Length::Off(if random.below(2) == 0 { 1 } else { -1 }),
        _ => match &mut node.content {
            Content::Primitive(content) => change_content(content, random),
            Content::Constructed(children) => children.reverse(),
        },
    }
}

fn change_content(content: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(content.len() + 1);
    match random.below(8) {
        0..4 => *content = CONTENTS[random.below(CONTENTS.len())].to_vec(),
        4 => content.insert(at, random.octet()),
        5 if at < content.len() => content[at] ^= 1 << random.below(8),
        6 => content.truncate(at),
        // Letters in their other case.
        _ => content.iter_mut().filter(|octet| octet.is_ascii_alphabetic()).for_each(|octet| *octet ^= 0x20),
    }
}
