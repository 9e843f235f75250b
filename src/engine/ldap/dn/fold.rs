//! What a character becomes in the coarse form: RFC 4518 2.2 to 2.4, then what Active Directory folds
//! besides (marks, strokes, kana, dashes).
//!
//! [`folded`] says it. What it makes of a text is what it makes of each character, one after the other:
//! only marks change places on the way, and of those that become anything all become the same. So
//! [`fold`] looks up what a character becomes, in pages that are filled when first needed: a name costs no more
//! for being of unusual characters. Tests hold the two together.

use std::sync::OnceLock;
use stringprep::tables;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// How many characters share a page: few enough that a name cannot cause much work by touching many.
const PAGE: usize = 64;

/// Nothing from here on is in Unicode 3.2, which RFC 4518 is about, or becomes anything that is.
const END: usize = 0x30000;

static PAGES: [OnceLock<Page>; END / PAGE] = [const { OnceLock::new() }; END / PAGE];

/// What the characters of one page become.
struct Page {
    text: Box<str>,
    /// Where in `text` each one's part ends.
    ends: [u16; PAGE],
}

impl Page {
    fn of(page: usize) -> Page {
        let (mut text, mut ends) = (String::new(), [0; PAGE]);
        for (code, end) in (page * PAGE..).zip(&mut ends) {
            // Surrogates are no characters.
            if let Some(c) = u32::try_from(code).ok().and_then(char::from_u32) {
                text.extend(folded(c.encode_utf8(&mut [0; 4])));
            }
            *end = u16::try_from(text.len()).unwrap_or(u16::MAX);
        }
        Page { text: text.into(), ends }
    }

    fn get(&self, at: usize) -> Option<&str> {
        let start = at.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied())?;
        self.text.get(usize::from(start)..usize::from(*self.ends.get(at)?))
    }
}

/// Appends what [`folded`] makes of one character.
pub(super) fn fold(c: char, out: &mut Vec<u8>) {
    match c {
        // Ideographs stand for themselves; they are many.
        '\u{3400}'..='\u{4db5}' | '\u{4e00}'..='\u{9fa5}' | '\u{20000}'..='\u{2a6d6}' => {
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
        // For private use.
        '\u{e000}'..='\u{f8ff}' => {}
        _ => {
            let code = c as usize;
            let page = PAGES.get(code / PAGE).map(|page| page.get_or_init(|| Page::of(code / PAGE)));
            out.extend_from_slice(page.and_then(|page| page.get(code % PAGE)).unwrap_or_default().as_bytes());
        }
    }
}

/// What a text becomes, but for the number of its spaces.
pub(super) fn folded(text: &str) -> impl Iterator<Item = char> {
    let spaced = |c| if is_space(c) { ' ' } else { c };
    text.chars()
        .map(spaced)
        .filter(|c| !invisible(*c))
        .nfkd()
        .flat_map(tables::case_fold_for_nfkc)
        .flat_map(char::to_lowercase)
        .nfkd()
        .filter(|c| !is_combining_mark(*c))
        .flat_map(without_stroke)
        // Last: what a newer Unicode folds to something known is that.
        .filter(|c| !invisible(*c) && !weightless(*c))
        .map(move |c| spaced(c).to_ascii_lowercase())
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
    match c {
        ' ' | '\t'..='\r' | '\u{85}' => true,
        _ => !c.is_ascii() && tables::x520_mapped_to_space(c),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use unicode_normalization::char::canonical_combining_class;

    /// What [`fold`] makes of a text.
    fn looked_up(text: &str) -> String {
        let mut out = Vec::new();
        text.chars().for_each(|c| fold(c, &mut out));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_character_becomes_what_it_becomes_alone() {
        for c in '\0'..=char::MAX {
            let text = c.to_string();
            assert!(looked_up(&text).chars().eq(folded(&text)), "{c:?}");
        }
    }

    /// Why one character after the other is the same as all of them together.
    #[test]
    fn what_changes_places_becomes_nothing_or_always_the_same() {
        for c in ('\0'..=char::MAX).filter(|c| canonical_combining_class(*c) != 0) {
            assert!(is_combining_mark(c) && matches!(&*looked_up(&c.to_string()), "" | "ι"), "{c:?}");
        }
    }
}
