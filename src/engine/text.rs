//! Text that others wrote, made safe to show anywhere: no terminal escapes, no line breaks, nothing
//! invisible, nothing that turns the direction of writing.

use std::borrow::Cow;

/// Whether a character shows nothing, or changes how the text around it is shown: controls, separators that some readers
/// take for line ends, format characters, blank letters, every space but the ordinary one, and characters that turn the
/// direction of writing. The log, JSON output, tables of the command line, mail and the reasons that the gate writes share
/// this list.
pub fn is_invisible(c: char) -> bool {
    match c {
        ' '..='~' => false,
        '\u{a0}' | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}' => true,
        // Letters of Hangul and vowels of Khmer that are drawn as nothing.
        '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{3164}' | '\u{ffa0}' => true,
        '\u{180b}'..='\u{180f}' => true,
        '\u{1680}' | '\u{2000}'..='\u{200f}' | '\u{2028}'..='\u{202f}' | '\u{205f}'..='\u{206f}' => true,
        '\u{2800}' | '\u{3000}' => true,
        // Variation selectors, the byte order mark, interlinear annotations, and what is no character.
        '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}' => true,
        // Beyond the basic plane: numbers of Kaithi, Egyptian joiners, shorthand, music, tags and variation selectors.
        '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1345f}' => true,
        '\u{1bca0}'..='\u{1bca3}' | '\u{1d159}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}' => true,
        _ => c.is_control(),
    }
}

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
        if is_invisible(c) {
            // `escape_debug` leaves blank letters as they are.
            match c {
                '\n' | '\r' | '\t' | '\0' => out.extend(c.escape_debug()),
                c => out.extend(c.escape_unicode()),
            }
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
            ("alice\u{3164}\u{115f}\u{1160}\u{2800}", "alice\\u{3164}\\u{115f}\\u{1160}\\u{2800}"),
            ("\u{180e}\u{fff9}\u{e0041}\u{ffa0}", "\\u{180e}\\u{fff9}\\u{e0041}\\u{ffa0}"),
        ] {
            assert_eq!(visible(text), expected);
        }
    }

    #[test]
    fn characters_that_show_nothing_are_invisible_and_letters_are_not() {
        for (range, expected) in [
            ('\0'..='\x1f', true),
            ('\x7f'..='\u{9f}', true),
            (' '..='~', false),
            ('\u{a1}'..='\u{ac}', false),
            ('\u{ad}'..='\u{ad}', true),
            ('\u{c0}'..='\u{24f}', false),
            ('\u{300}'..='\u{34e}', false),
            ('\u{115f}'..='\u{1160}', true),
            ('\u{180e}'..='\u{180e}', true),
            ('\u{200b}'..='\u{200f}', true),
            ('\u{2010}'..='\u{2027}', false),
            ('\u{2028}'..='\u{202e}', true),
            ('\u{2060}'..='\u{206f}', true),
            ('\u{2800}'..='\u{2800}', true),
            ('\u{2801}'..='\u{28ff}', false),
            ('\u{3041}'..='\u{3096}', false),
            ('\u{3164}'..='\u{3164}', true),
            ('\u{4e00}'..='\u{9fff}', false),
            ('\u{ac00}'..='\u{d7a3}', false),
            ('\u{feff}'..='\u{feff}', true),
            ('\u{ffa0}'..='\u{ffa0}', true),
            ('\u{fff9}'..='\u{fffb}', true),
            ('\u{fffd}'..='\u{fffd}', false),
            ('\u{1f600}'..='\u{1f64f}', false),
            ('\u{e0000}'..='\u{e007f}', true),
            ('\u{e0100}'..='\u{e01ef}', true),
        ] {
            for c in range {
                assert_eq!(is_invisible(c), expected, "U+{:04X}", u32::from(c));
            }
        }
    }
}
