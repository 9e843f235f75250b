//! Values as they are compared (RFC 4518, and coarser where a directory is).
//!
//! Two forms of a value. [`comparable`] is at least as coarse as any directory's own comparison:
//! it decides what is *protected*. [`certain`] is at least as fine: it decides who and what a
//! grant *opens*. See [`super::Dn`] for why there are two.

use super::fold::fold;
use crate::engine::ldap::schema::Rule;

/// Escapes an octet below 0x20 in the certain form: those are free to delimit.
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

/// Appends the coarse form: what any directory might take for the same value has the same. Whether that is so; a
/// value that the rule gives no form to, and any value where the rule is not known, may equal any other.
pub(super) fn comparable(value: &str, rule: Option<Rule>, out: &mut Vec<u8>) -> bool {
    let start = out.len();
    let normal = match rule {
        Some(Rule::Time) => time(value),
        Some(Rule::Bits) => bits(value).map(str::to_owned),
        _ => None,
    };
    if let Some(normal) = normal {
        out.extend_from_slice(normal.as_bytes());
        return true;
    }
    if is_plain(value.as_bytes()) {
        lowercase(value, out);
    } else {
        for c in value.chars() {
            match c {
                // RFC 4518 2.2.
                '\t'..='\r' => out.push(b' '),
                ' '..='~' => out.push(c.to_ascii_lowercase() as u8),
                '\0'..='\x7f' => {}
                _ => fold(c, out),
            }
        }
        collapse(out, start);
    }
    match rule {
        // RFC 4517 4.2.11; collapse has done it.
        Some(Rule::CaseIgnore | Rule::CaseExact | Rule::Dn) => true,
        Some(Rule::Integer) => {
            strip_zeros(out, start);
            is_integer(value)
        }
        Some(Rule::Uuid) => is_uuid(value),
        // RFC 4518 2.6.2 and 2.6.3; and what is not known may be such a type.
        Some(Rule::Compact) | None => {
            retain(out, start, |octet| !matches!(octet, b' ' | b'-'));
            rule.is_some()
        }
        // They have no form that says what they equal.
        Some(Rule::Time | Rule::Bits | Rule::Other) => false,
    }
}

/// A time in UTC without the ways to write it differently (RFC 4517 3.3.13): all digits up to the second, no zeros
/// at the end of a fraction. `None`: an offset, or fractions of an hour or a minute, which directories read differently.
fn time(value: &str) -> Option<String> {
    let (time, fraction) = value.strip_suffix('Z')?.split_once(['.', ',']).unwrap_or((value.strip_suffix('Z')?, ""));
    let digits = |text: &str| text.bytes().all(|octet| octet.is_ascii_digit());
    let second = time.get(12..).unwrap_or("");
    let plain = matches!(time.len(), 10 | 12 | 14) && digits(time) && digits(fraction) && second < "60";
    let fraction = fraction.trim_end_matches('0');
    (plain && (fraction.is_empty() || time.len() == 14)).then(|| format!("{time:0<14}.{fraction}"))
}

/// Bits (RFC 4517 3.3.2) without zeros at the end.
fn bits(value: &str) -> Option<&str> {
    let bits = value.strip_prefix('\'')?.strip_suffix("'B")?;
    bits.bytes().all(|bit| matches!(bit, b'0' | b'1')).then(|| bits.trim_end_matches('0'))
}

/// RFC 4517 3.3.16, with the zeros in front that some directories allow.
fn is_integer(value: &str) -> bool {
    let digits = value.strip_prefix('-').unwrap_or(value);
    let is_negative_zero = digits.len() < value.len() && digits.bytes().all(|digit| digit == b'0');
    !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit()) && !is_negative_zero
}

/// RFC 4530 2.1.
fn is_uuid(value: &str) -> bool {
    let form = |(at, octet): (usize, u8)| match at {
        8 | 13 | 18 | 23 => octet == b'-',
        _ => octet.is_ascii_hexdigit(),
    };
    value.len() == 36 && value.bytes().enumerate().all(form)
}

/// Appends the fine form: only what every directory takes for the same value has the same.
pub(super) fn certain(value: &str, rule: Option<Rule>, out: &mut Vec<u8>) {
    if rule == Some(Rule::CaseIgnore) && is_plain(value.as_bytes()) {
        return lowercase(value, out);
    }
    let lower = matches!(rule, Some(Rule::CaseIgnore | Rule::Compact | Rule::Integer));
    for c in value.chars() {
        match c {
            ..='\x1f' => out.extend_from_slice(&[ESCAPE, c as u8 | 0x40]),
            ..='\x7f' => out.push(if lower { c.to_ascii_lowercase() } else { c } as u8),
            _ => {
                let c = if lower { simple_lower(c) } else { c };
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
    }
}

fn lowercase(value: &str, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(value.as_bytes());
    out[start..].make_ascii_lowercase();
}

/// Of what came in since `start`: leading and trailing spaces gone, inner ones single (RFC 4518 2.6.1).
fn collapse(out: &mut Vec<u8>, start: usize) {
    // As if a space stood in front.
    let mut before = b' ';
    retain(out, start, |octet| {
        let keep = octet != b' ' || before != b' ';
        before = octet;
        keep
    });
    if out.len() > start && out.last() == Some(&b' ') {
        out.pop();
    }
}

/// Takes leading zeros from what came in since `start`, but for the last digit.
fn strip_zeros(out: &mut Vec<u8>, start: usize) {
    let digits = start + usize::from(out.get(start) == Some(&b'-'));
    let number = out.get(digits..).unwrap_or_default();
    let zeros = number.iter().take(number.len().saturating_sub(1)).take_while(|octet| **octet == b'0').count();
    out.drain(digits..digits + zeros);
}

/// Keeps of what came in since `start` what is wanted, in one pass.
fn retain(out: &mut Vec<u8>, start: usize, mut wanted: impl FnMut(u8) -> bool) {
    let mut kept = start;
    for at in start..out.len() {
        let octet = out[at];
        out[kept] = octet;
        kept += usize::from(wanted(octet));
    }
    out.truncate(kept);
}

/// The lower case of a letter that is not ASCII, where upper and lower case are one pair in every
/// Unicode version that a directory may follow; else the character itself.
fn simple_lower(c: char) -> char {
    let by = match c {
        '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{de}' => 0x20,
        // Not the dotted and dotless i, which are pairs in Turkish alone.
        '\u{100}'..='\u{12f}' | '\u{132}'..='\u{137}' | '\u{14a}'..='\u{177}' => 1 - c as u32 % 2,
        '\u{139}'..='\u{148}' | '\u{179}'..='\u{17e}' => c as u32 % 2,
        '\u{178}' => return '\u{ff}',
        '\u{391}'..='\u{3a1}' | '\u{3a3}'..='\u{3a9}' | '\u{410}'..='\u{42f}' => 0x20,
        '\u{400}'..='\u{40f}' => 0x50,
        _ => 0,
    };
    char::from_u32(c as u32 + by).unwrap_or(c)
}

#[cfg(test)]
mod tests {
    use super::super::fold::folded;
    use super::*;
    use proptest::prelude::*;

    /// As the standard library knows it.
    fn paired_lower(c: char) -> char {
        if !matches!(c, '\u{c0}'..='\u{17f}' | '\u{391}'..='\u{3a9}' | '\u{400}'..='\u{42f}') {
            return c;
        }
        let (mut lower, mut upper) = (c.to_lowercase(), c.to_lowercase().flat_map(char::to_uppercase));
        match (lower.next(), lower.next(), upper.next(), upper.next()) {
            (Some(lower), None, Some(upper), None) if upper == c => lower,
            _ => c,
        }
    }

    #[test]
    fn lower_case_is_that_of_the_pairs() {
        for c in '\u{80}'..=char::MAX {
            assert_eq!(simple_lower(c), paired_lower(c), "{c:?}");
        }
    }

    /// The coarse form, slowly: the whole value at once, then word by word.
    fn reference(value: &str) -> String {
        let folded: String = folded(value).collect();
        folded.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
    }

    fn any_character() -> impl Strategy<Value = char> {
        prop_oneof![
            2 => proptest::char::range('\0', '\x7f'),
            2 => proptest::char::range('\u{80}', '\u{24f}'),
            // Marks of every class.
            3 => prop::sample::select(vec!['\u{345}', '\u{301}', '\u{316}', '\u{338}', '\u{20dd}', '\u{5b0}', '\u{3099}', '\u{f71}']),
            // Letters with marks in them, spaces in what they become, several letters.
            2 => prop::sample::select(vec!['ᾳ', 'ᾷ', 'Ǟ', '\u{1e9e}', '\u{fdfa}', '¨', '\u{85}', '\u{2028}', '\u{3000}', '\u{ac01}', 'か', '\u{200b}', 'İ', 'ﬃ', '\u{1f19b}']),
            1 => any::<char>(),
        ]
    }

    proptest! {
        #[test]
        fn the_coarse_form_is_that_of_the_whole_value(value in proptest::collection::vec(any_character(), 0..12)) {
            let value: String = value.into_iter().collect();
            let mut out = b"before ".to_vec();
            comparable(&value, Some(Rule::CaseIgnore), &mut out);
            prop_assert_eq!(String::from_utf8(out).unwrap(), format!("before {}", reference(&value)));
        }
    }
}
