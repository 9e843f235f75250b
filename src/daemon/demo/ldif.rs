//! LDIF (RFC 2849), as far as the built-in directory's own file needs it: entries, folded lines,
//! comments, base64 values. No changes, no URLs.

/// One entry as the file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LdifEntry {
    /// Its name.
    pub dn: String,
    /// Attribute names and values in the order of the file.
    pub attributes: Vec<(String, Vec<u8>)>,
}

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("LDIF line {line}: {problem}")]
pub struct LdifError {
    line: usize,
    problem: &'static str,
}

/// Reads a whole file.
///
/// # Errors
/// At the first line that is not understood.
pub fn parse(text: &str) -> Result<Vec<LdifEntry>, LdifError> {
    let mut entries: Vec<LdifEntry> = Vec::new();
    let mut inside = false;
    for (line, text) in unfold(text) {
        let wrong = |problem| LdifError { line, problem };
        if text.is_empty() {
            inside = false;
            continue;
        }
        let (name, value) = text.split_once(':').ok_or_else(|| wrong("no colon"))?;
        let value = match value.strip_prefix(':') {
            Some(encoded) => base64(encoded.trim()).ok_or_else(|| wrong("not base64"))?,
            None if value.starts_with('<') => return Err(wrong("a URL, which is not supported")),
            None => value.trim_start_matches(' ').as_bytes().to_vec(),
        };
        if name.eq_ignore_ascii_case("version") && !inside {
            continue;
        }
        if name.eq_ignore_ascii_case("dn") {
            if inside {
                return Err(wrong("a second dn in one entry"));
            }
            inside = true;
            let dn = String::from_utf8(value).map_err(|_| wrong("a dn that is not UTF-8"))?;
            entries.push(LdifEntry { dn, attributes: Vec::new() });
        } else if let Some(entry) = entries.last_mut().filter(|_| inside) {
            entry.attributes.push((name.to_owned(), value));
        } else {
            return Err(wrong("an attribute before any dn"));
        }
    }
    Ok(entries)
}

/// Lines with their numbers; a line that begins with a blank goes on from the one before; no comments.
fn unfold(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        match (line.strip_prefix(' '), lines.last_mut()) {
            (Some(rest), Some((_, before))) => before.push_str(rest),
            _ => lines.push((number + 1, line.to_owned())),
        }
    }
    lines.retain(|(_, line)| !line.starts_with('#'));
    lines
}

/// RFC 4648 4.
fn base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    let mut out = Vec::with_capacity(digits.len() * 3 / 4);
    for group in digits.as_bytes().chunks(4) {
        let mut bits = 0_u32;
        for digit in group {
            let value = match digit {
                b'A'..=b'Z' => digit - b'A',
                b'a'..=b'z' => digit - b'a' + 26,
                b'0'..=b'9' => digit - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                _ => return None,
            };
            bits = bits << 6 | u32::from(value);
        }
        let octets = match group.len() {
            4 => 3,
            3 => 2,
            2 => 1,
            _ => return None,
        };
        bits <<= 6 * (4 - group.len());
        out.extend(bits.to_be_bytes().iter().skip(1).take(octets));
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries() {
        let text = "version: 1\n# a comment\n  that goes on\ndn: dc=a\ndc: a\ndescription: lo\n ng: er\n\n\ndn:: \
                    dWlkPcOkLGRjPWE=\nuid:: w6Q=\nempty:\n";
        let entry = |dn: &str, attributes: &[(&str, &str)]| LdifEntry {
            dn: dn.to_owned(),
            attributes: attributes
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
                .collect(),
        };
        let expected = [
            entry("dc=a", &[("dc", "a"), ("description", "long: er")]),
            entry("uid=\u{e4},dc=a", &[("uid", "\u{e4}"), ("empty", "")]),
        ];
        assert_eq!(parse(text).unwrap(), expected);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, line, problem) in [
            ("dn: dc=a\nnonsense", 2, "no colon"),
            ("cn: a", 1, "an attribute before any dn"),
            ("dn: dc=a\ndn: dc=b", 2, "a second dn in one entry"),
            ("dn: dc=a\njpegPhoto:< file:///x", 2, "a URL, which is not supported"),
            ("dn: dc=a\n\ndn:: !", 3, "not base64"),
        ] {
            assert_eq!(parse(text), Err(LdifError { line, problem }), "{text:?}");
        }
    }

    #[test]
    fn base64_of_every_length() {
        for (encoded, plain) in [("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYg", "foob")] {
            assert_eq!(base64(encoded).unwrap(), plain.as_bytes());
        }
        assert_eq!(base64("Z"), None);
    }
}
