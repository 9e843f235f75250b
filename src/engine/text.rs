//! Text that others wrote, made safe to show anywhere: no terminal escapes, no line breaks, nothing
//! invisible, nothing that turns the direction of writing.

use std::borrow::Cow;

/// The text with everything that is not plainly visible written as an escape. Line breaks too:
/// what others wrote is one line.
pub fn visible(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '"' | '\'' | '\\') {
            out.push(c);
            continue;
        }
        // Behind a letter, so that a combining mark counts as part of it and stays as it is.
        let pair = ['x', c].iter().collect::<String>();
        out.extend(pair.escape_debug().skip(1));
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_plainly_visible_is_escaped() {
        for (text, expected) in [
            ("nightly \"export\" \\ it's", "nightly \"export\" \\ it's"),
            ("\u{1b}[2Jgone", "\\u{1b}[2Jgone"),
            ("a\nb\rc\td", "a\\nb\\rc\\td"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("lia\u{202e}lla", "lia\\u{202e}lla"),
            ("ad\u{200b}min\u{ad}", "ad\\u{200b}min\\u{ad}"),
            ("Löhne e\u{301} 給与 हिन्दी", "Löhne e\u{301} 給与 हिन्दी"),
            ("\u{7f}", "\\u{7f}"),
        ] {
            assert_eq!(visible(text), expected);
        }
    }
}
