//! Values as they are compared (RFC 4518, and coarser where a directory is).
//!
//! Two forms of a value. [`comparable`] is at least as coarse as any directory's own comparison:
//! it decides what is *protected*. [`certain`] is at least as fine: it decides who and what a
//! grant *opens*. See [`super::Dn`] for why there are two.

use crate::engine::ldap::schema::Rule;
use stringprep::tables;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Every octet below this is free to delimit: no prepared value contains one.
const FIRST_VALUE_OCTET: u8 = 0x20;

/// Escapes an octet that delimits, in the certain form.
const ESCAPE: u8 = 0x02;

/// Whether the comparable form is what every directory compares: printable ASCII whose only
/// spaces are single ones between other characters.
fn is_plain(value: &[u8]) -> bool {
    let mut after_space = true;
    for octet in value {
        match octet {
            b' ' if after_space => return false,
            b' ' => after_space = true,
            0x21..=0x7e => after_space = false,
            _ => return false,
        }
    }
    !after_space
}

/// Appends the coarse form: what any directory might take for the same value has the same.
pub(super) fn comparable(value: &str, rule: Option<Rule>, out: &mut Vec<u8>) {
    let start = out.len();
    if value.is_ascii() {
        collapse(value.chars().filter(|c| !invisible(*c)), out);
    } else {
        collapse(folded(value), out);
    }
    match rule {
        // RFC 4517 4.2.11; collapse has done it.
        Some(Rule::CaseIgnore | Rule::CaseExact | Rule::Dn) => {}
        Some(Rule::Integer) => strip_zeros(out, start),
        // RFC 4518 2.6.2 and 2.6.3; and what is not known may be such a type.
        Some(Rule::Compact) | None => remove_from(out, start, |octet| matches!(octet, b' ' | b'-')),
    }
}

/// Appends the fine form: only what every directory takes for the same value has the same.
pub(super) fn certain(value: &str, rule: Option<Rule>, out: &mut Vec<u8>) {
    if rule == Some(Rule::CaseIgnore) && is_plain(value.as_bytes()) {
        out.extend(value.bytes().map(|octet| octet.to_ascii_lowercase()));
        return;
    }
    let fold = !matches!(rule, None | Some(Rule::CaseExact));
    let mut buffer = [0; 4];
    for c in value.chars() {
        let c = if fold { simple_lower(c) } else { c };
        for octet in c.encode_utf8(&mut buffer).bytes() {
            if octet < FIRST_VALUE_OCTET {
                out.extend([ESCAPE, octet | 0x40]);
            } else {
                out.push(octet);
            }
        }
    }
}

/// Whether a character is mapped to nothing (RFC 4518 2.2).
pub(super) fn invisible(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control() && !is_space(c);
    }
    match c {
        // Format characters that are not in the table below.
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' => true,
        '\u{06dd}' | '\u{070f}' | '\u{180e}' | '\u{fff9}'..='\u{fffd}' | '\u{1d173}'..='\u{1d17a}' => true,
        '\u{e0000}'..='\u{e0fff}' => true,
        _ => (c.is_control() && !is_space(c)) || tables::commonly_mapped_to_nothing(c),
    }
}

/// What RFC 4518 2.4 prohibits: Active Directory skips characters that it gives no weight.
fn weightless(c: char) -> bool {
    !c.is_ascii() && (tables::unassigned_code_point(c) || tables::private_use(c) || tables::non_character_code_point(c))
}

/// RFC 4518 2.2: what is mapped to SPACE.
fn is_space(c: char) -> bool {
    matches!(c, '\t'..='\r' | '\u{85}') || tables::x520_mapped_to_space(c)
}

/// RFC 4518 2.2 to 2.4, then what Active Directory folds besides: marks, strokes, kana, dashes.
fn folded(value: &str) -> impl Iterator<Item = char> {
    value
        .chars()
        .map(|c| if is_space(c) { ' ' } else { c })
        .filter(|c| !invisible(*c))
        .nfkd()
        .flat_map(tables::case_fold_for_nfkc)
        .flat_map(char::to_lowercase)
        .nfkd()
        .filter(|c| !is_combining_mark(*c))
        .flat_map(without_stroke)
        // Last: what a newer Unicode folds to something known is that.
        .filter(|c| !invisible(*c) && !weightless(*c))
}

/// Letters that some directories take for others though Unicode does not decompose them.
fn without_stroke(c: char) -> impl Iterator<Item = char> {
    let (first, second) = match c {
        'ø' => ('o', None),
        'ł' => ('l', None),
        'đ' | 'ð' => ('d', None),
        'ħ' => ('h', None),
        'ŧ' => ('t', None),
        'ı' => ('i', None),
        'ß' => ('s', Some('s')),
        'æ' => ('a', Some('e')),
        'œ' => ('o', Some('e')),
        'þ' => ('t', Some('h')),
        '\u{2010}'..='\u{2015}' | '\u{2212}' => ('-', None),
        '\u{2018}' | '\u{2019}' => ('\'', None),
        // Hiragana to katakana.
        '\u{3041}'..='\u{3096}' => (char::from_u32(c as u32 + 0x60).unwrap_or(c), None),
        _ => (c, None),
    };
    std::iter::once(first).chain(second)
}

/// Lower case, leading and trailing spaces gone, inner ones single (RFC 4518 2.6.1).
fn collapse(value: impl Iterator<Item = char>, out: &mut Vec<u8>) {
    let start = out.len();
    let mut pending = false;
    let mut buffer = [0; 4];
    for c in value {
        if is_space(c) {
            pending = true;
            continue;
        }
        if pending && out.len() > start {
            out.push(b' ');
        }
        pending = false;
        out.extend_from_slice(c.to_ascii_lowercase().encode_utf8(&mut buffer).as_bytes());
    }
}

fn strip_zeros(out: &mut Vec<u8>, start: usize) {
    let digits = start + usize::from(out.get(start) == Some(&b'-'));
    while out.len() > digits + 1 && out.get(digits) == Some(&b'0') {
        out.remove(digits);
    }
}

fn remove_from(out: &mut Vec<u8>, start: usize, unwanted: impl Fn(u8) -> bool) {
    let tail = out.split_off(start);
    out.extend(tail.into_iter().filter(|octet| !unwanted(*octet)));
}

/// The lower case of a letter, where upper and lower case are one pair in every Unicode version
/// that a directory may follow; else the character itself.
fn simple_lower(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    if !matches!(c, '\u{c0}'..='\u{17f}' | '\u{391}'..='\u{3a9}' | '\u{400}'..='\u{42f}') {
        return c;
    }
    let mut lower = c.to_lowercase();
    let (Some(l), None) = (lower.next(), lower.next()) else { return c };
    let mut upper = l.to_uppercase();
    if (upper.next(), upper.next()) == (Some(c), None) { l } else { c }
}
