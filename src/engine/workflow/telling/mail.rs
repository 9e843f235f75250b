//! A mail (RFC 5322): plain text in UTF-8, nothing else. Whatever stands in a header is made safe for it
//! here, so that nothing that anybody typed begins another.

use super::words::Words;
use crate::engine::text::visible;
use chrono::{DateTime, Utc};

/// The longest address (RFC 5321 4.5.3.1, without the brackets).
const MAX_ADDRESS: usize = 254;

/// The longest line of an encoded text (RFC 2045 6.7).
const MAX_LINE: usize = 76;

/// The most octets of text in one encoded word (RFC 2047 2: 75 characters with everything around it).
const WORD: usize = 15;

/// An address (RFC 5321) of the common kind: in ASCII, unquoted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(String);

/// Why text is no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an address like alice@example.com")]
pub struct AddressError;

impl Address {
    /// Reads `alice@example.com`.
    ///
    /// # Errors
    /// It is anything else, however valid: quoted parts, comments and address literals are refused.
    pub fn parse(text: &str) -> Result<Address, AddressError> {
        let (local, domain) = text.rsplit_once('@').ok_or(AddressError)?;
        // RFC 5322 3.2.3: atext.
        let atext = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
        let atom = |part: &str| !part.is_empty() && part.chars().all(atext);
        let label = |part: &str| {
            !part.is_empty()
                && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
                && !part.starts_with('-')
                && !part.ends_with('-')
        };
        let fits = text.len() <= MAX_ADDRESS
            && local.len() <= 64
            && local.split('.').all(atom)
            && domain.split('.').all(label);
        if fits { Ok(Address(text.to_owned())) } else { Err(AddressError) }
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands behind the `@`.
    fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

/// From whom to whom, under which id.
#[derive(Debug, Clone, Copy)]
pub struct Envelope<'a> {
    /// The same at every try, so that who gets it twice sees it once.
    pub id: &'a str,
    /// From.
    pub from: &'a Address,
    /// To.
    pub to: &'a Address,
    /// Before the title.
    pub prefix: &'a str,
    /// When it is sent.
    pub date: DateTime<Utc>,
}

/// The mail, with `\r\n` at the end of each line. No line begins with a dot.
pub fn compose(envelope: Envelope<'_>, words: &Words) -> String {
    let Envelope { id, from, to, prefix, date } = envelope;
    let separator = if prefix.is_empty() { "" } else { " " };
    let headers = [
        ("Date", date.to_rfc2822()),
        ("From", format!("Tidegate <{}>", from.as_str())),
        ("To", to.as_str().to_owned()),
        ("Subject", header(&format!("{prefix}{separator}{}", words.title))),
        (
            "Message-ID",
            format!("<{}@{}>", id.replace(|c: char| !c.is_ascii_alphanumeric() && c != '-', "-"), from.domain()),
        ),
        // RFC 3834 5: nobody's vacation answers it.
        ("Auto-Submitted", "auto-generated".to_owned()),
        ("MIME-Version", "1.0".to_owned()),
        ("Content-Type", "text/plain; charset=utf-8".to_owned()),
        ("Content-Transfer-Encoding", "quoted-printable".to_owned()),
    ];
    let mut mail: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    mail.push_str("\r\n");
    for line in words.body.lines() {
        quoted_printable(&mut mail, line);
    }
    mail
}

/// Text as it may stand in a header (RFC 2047): what is not plain ASCII, or is long, in encoded words.
fn header(text: &str) -> String {
    let text = visible(text);
    let plain = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if plain && text.len() <= MAX_LINE - "Subject: ".len() && !text.contains("=?") {
        return text.into_owned();
    }
    let mut words = vec![String::new()];
    for c in text.chars() {
        // A character is not divided between words (RFC 2047 5).
        if words.last().is_some_and(|word| word.len() + c.len_utf8() > WORD) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.push(c);
        }
    }
    let encoded = words.iter().map(|word| {
        let octets: String = word.bytes().map(|byte| format!("={byte:02X}")).collect();
        format!("=?utf-8?Q?{octets}?=")
    });
    encoded.collect::<Vec<_>>().join("\r\n ")
}

/// One line in quoted-printable (RFC 2045 6.7), broken where it is long.
fn quoted_printable(out: &mut String, line: &str) {
    let mut column = 0;
    let last = line.len().saturating_sub(1);
    for (at, byte) in line.bytes().enumerate() {
        // A blank at the end would be lost; a dot at the beginning ends a mail (RFC 5321 4.5.2).
        let plain = match byte {
            b' ' => at != last,
            b'.' => column != 0,
            b'=' => false,
            other => (b'!'..=b'~').contains(&other),
        };
        let width = if plain { 1 } else { 3 };
        if column + width >= MAX_LINE {
            out.push_str("=\r\n");
            column = 0;
        }
        // Where the line was broken, a dot is first after all.
        if plain && !(byte == b'.' && column == 0) {
            out.push(char::from(byte));
            column += 1;
        } else {
            out.push_str(&format!("={byte:02X}"));
            column += 3;
        }
    }
    out.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    fn mail(title: &str, body: &str, prefix: &str) -> String {
        let (from, to) = (address("gate@example.com"), address("alice@example.com"));
        let envelope =
            Envelope { id: "note-1", from: &from, to: &to, prefix, date: DateTime::from_timestamp(0, 0).unwrap() };
        compose(envelope, &Words { title: title.to_owned(), body: body.to_owned() })
    }

    #[test]
    fn addresses_are_plain_or_none() {
        let long = format!("a@{}.com", "x".repeat(250));
        for (text, expected) in [
            ("alice@example.com", true),
            ("a.b+c=d/e'f@sub.example.com", true),
            ("root@localhost", true),
            ("", false),
            ("alice", false),
            ("@example.com", false),
            ("alice@", false),
            (".a@example.com", false),
            ("a..b@example.com", false),
            ("a b@example.com", false),
            ("alice@example.com>", false),
            ("<alice@example.com>", false),
            ("alice@example.com\r\nRCPT TO:<eve@example.com>", false),
            ("alice\n@example.com", false),
            ("alice@example.com, eve@example.com", false),
            ("alice@example.com;eve@example.com", false),
            ("\"a b\"@example.com", false),
            ("a(b)@example.com", false),
            ("a@b@example.com", false),
            ("alice@[127.0.0.1]", false),
            ("älice@example.com", false),
            ("alice@exämple.com", false),
            ("alice@-example.com", false),
            ("alice@example..com", false),
            (long.as_str(), false),
        ] {
            assert_eq!(Address::parse(text).is_ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn nothing_in_a_title_begins_another_header() {
        let mail = mail("a\r\nBcc: eve@example.com\r\n\r\nhello\u{2028}ü", "x\n", "[gate]");
        let (headers, body) = mail.split_once("\r\n\r\n").unwrap();
        let names: Vec<&str> = headers
            .lines()
            .filter(|line| !line.starts_with(' '))
            .map(|line| line.split_once(": ").unwrap().0)
            .collect();
        assert_eq!(
            names,
            [
                "Date",
                "From",
                "To",
                "Subject",
                "Message-ID",
                "Auto-Submitted",
                "MIME-Version",
                "Content-Type",
                "Content-Transfer-Encoding"
            ]
        );
        assert_eq!(body, "x\r\n");
        assert!(headers.lines().all(|line| line.len() <= 78 && line.is_ascii()), "{headers}");
    }

    #[test]
    fn titles_are_encoded_where_they_must_be() {
        let subject = |title: &str| {
            let mail = mail(title, "", "[gate]");
            let from = mail.find("Subject: ").unwrap() + "Subject: ".len();
            mail[from..mail.find("\r\nMessage-ID").unwrap()].to_owned()
        };
        assert_eq!(subject("req-1 waits"), "[gate] req-1 waits");
        assert_eq!(subject("ü"), "=?utf-8?Q?=5B=67=61=74=65=5D=20=C3=BC?=");
        assert!(subject("=?utf-8?Q?=0D=0A?=").starts_with("=?utf-8?Q?=5B"), "no encoded word of somebody else's");
        assert!(subject(&"long ".repeat(30)).contains("?=\r\n =?utf-8?Q?"));
    }

    #[test]
    fn no_line_is_long_ends_in_a_blank_or_begins_with_a_dot() {
        let body = format!(".\n..\nblank \n=\nü\n\n{}\n{}\n", "x".repeat(200), ".".repeat(300));
        let mail = mail("t", &body, "");
        let text = mail.split_once("\r\n\r\n").unwrap().1;
        assert!(text.starts_with("=2E\r\n=2E.\r\nblank=20\r\n=3D\r\n=C3=BC\r\n\r\nxxx"), "{text}");
        for line in text.split("\r\n") {
            assert!(line.len() <= 76 && !line.starts_with('.') && !line.ends_with(' '), "{line:?}");
        }
        assert_eq!(text.replace("=\r\n", "").matches('x').count(), 200);
        assert!(!text.replace("\r\n", "").contains(['\r', '\n']));
    }
}
