//! Text that others wrote, made safe to show: no terminal escapes, nothing invisible, nothing that
//! turns the direction of writing. And how wide text is.

use crate::engine::text::is_invisible;
pub(super) use crate::engine::text::visible;

/// JSON of the same meaning that a terminal takes for nothing else: control characters can only
/// stand within its strings, where they may be escaped.
pub(super) fn visible_json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => out.push(c),
            // Outside of strings JSON has only characters that show.
            c if is_invisible(c) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
            c => out.push(c),
        }
    }
    out
}

/// How many columns of a terminal the text takes.
pub(super) fn width(text: &str) -> usize {
    text.chars().map(columns).sum()
}

/// The blocks that terminals show in two columns, and the commonest combining marks.
fn columns(c: char) -> usize {
    match u32::from(c) {
        0x0300..=0x036f => 0,
        0x1100..=0x115f
        | 0x2e80..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1f64f
        | 0x1f900..=0x1f9ff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

/// Breaks text into lines of at most `limit` columns: behind a blank or comma where there is one,
/// within a word where it must be. Nothing is left out but the blanks that lines break at.
pub(super) fn wrap(text: &str, limit: usize) -> Vec<String> {
    let limit = limit.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in words(text) {
        if width(&line) + width(word.trim_end()) > limit && !line.is_empty() {
            lines.push(std::mem::take(&mut line).trim_end().to_owned());
        }
        for c in word.chars() {
            if width(&line) + columns(c) > limit && c != ' ' {
                lines.push(std::mem::take(&mut line).trim_end().to_owned());
            }
            line.push(c);
        }
    }
    lines.push(line.trim_end().to_owned());
    lines
}

/// What of a text has room in `limit` columns; that something is missing shows.
pub(super) fn fit(text: &str, limit: usize) -> String {
    if width(text) <= limit {
        return text.to_owned();
    }
    let mut out = String::new();
    for c in text.chars() {
        if width(&out) + columns(c) + 1 > limit {
            break;
        }
        out.push(c);
    }
    out.push('…');
    out
}

/// What lines are broken between.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive([' ', ','])
}

/// How many columns the longest word takes.
pub(super) fn longest_word(text: &str) -> usize {
    words(text).map(|word| width(word.trim_end())).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_keeps_its_meaning() {
        let written = "{\"a\": \"x\u{9b}31m\u{7f}\u{202e}\u{3164}\u{e0041}\"}\n";
        let shown = visible_json(written);
        assert_eq!(shown, "{\"a\": \"x\\u009b31m\\u007f\\u202e\\u3164\\udb40\\udc41\"}\n");
        let [before, after] =
            [written, &shown].map(|text| serde_json::from_str::<serde_json::Value>(text).expect("JSON"));
        assert_eq!(before, after);
    }

    #[test]
    fn what_does_not_fit_is_seen_to_be_missing() {
        for (text, limit, expected) in [
            ("abc", 3, "abc"),
            ("abcd", 3, "ab…"),
            ("給与給与", 6, "給与…"),
            ("給与給与", 8, "給与給与"),
            ("a", 0, "…"),
        ] {
            assert_eq!(fit(text, limit), expected);
        }
    }

    #[test]
    fn lines_break_where_they_can() {
        let dn = "cn=hr-leads,ou=groups,dc=example,dc=com";
        assert_eq!(wrap(dn, 24), ["cn=hr-leads,ou=groups,", "dc=example,dc=com"]);
        assert_eq!(wrap("correct the records", 12), ["correct the", "records"]);
        assert_eq!(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(wrap("給与給与", 4), ["給与", "給与"]);
        assert_eq!(wrap("", 4), [""]);
        for limit in 1..60 {
            assert_eq!(wrap(dn, limit).concat(), dn, "{limit}");
            assert!(wrap(dn, limit).iter().all(|line| width(line) <= limit), "{limit}");
        }
    }
}
