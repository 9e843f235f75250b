//! Values as they are written in names (RFC 4514 2.4).

use super::fold::invisible;

/// Appends a value with what RFC 4514 2.4 demands escaped, and what would not show besides.
pub(super) fn escape(value: &str, out: &mut String) {
    let last = value.len().saturating_sub(1);
    // What stands for itself is appended in runs.
    let mut run = 0;
    for (at, c) in value.char_indices() {
        let by_itself = match c {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => false,
            '#' => at != 0,
            ' ' => at != 0 && at != last,
            '!'..='~' => true,
            _ => !(c.is_control() || invisible(c) || matches!(c, '\u{2028}' | '\u{2029}')),
        };
        if by_itself {
            continue;
        }
        out.push_str(value.get(run..at).unwrap_or_default());
        run = at + c.len_utf8();
        if matches!(c, ' '..='~') {
            out.extend(['\\', c]);
        } else {
            for octet in c.encode_utf8(&mut [0; 4]).bytes() {
                let digit = |n: u8| char::from(b"0123456789abcdef"[usize::from(n & 15)]);
                out.extend(['\\', digit(octet >> 4), digit(octet)]);
            }
        }
    }
    out.push_str(value.get(run..).unwrap_or_default());
}
