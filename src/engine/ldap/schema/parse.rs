//! Reads definitions (RFC 4512 4.1.1 and 4.1.2) as directories write them, each octet once.
//!
//! Taken besides the RFC's own form: fields in any order, keywords in any case, any white space or
//! none, quoted OIDs (Active Directory), OIDs that are words (389 Directory Server) or left out,
//! names without quotes or parentheses, unescaped quotes in free text, any `X-` extension. What could
//! be read in two ways is not taken: unknown keywords, a field twice, names that are no names.

use super::definition::{AttributeTypeDescription, ClassKind, ObjectClassDescription, Usage};
use thiserror::Error;

/// The longest definition that is read, in octets. Active Directory's `top` has some ten thousand.
pub const MAX_DEFINITION: usize = 256 * 1024;
/// The longest name or OID, in octets.
const MAX_NAME: usize = 256;
/// How deep parentheses may lie inside an extension.
const MAX_NESTING: usize = 4;

/// Why a definition cannot be read. Positions count octets from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DefinitionError {
    /// Longer than [`MAX_DEFINITION`].
    #[error("longer than {MAX_DEFINITION} octets")]
    TooLong,
    /// Ends inside of something.
    #[error("ends too early")]
    UnexpectedEnd,
    /// Something else should be here.
    #[error("not understood at octet {0}")]
    Unexpected(usize),
    /// No keyword of such a definition; what its value were nobody could say.
    #[error("unknown keyword at octet {0}")]
    UnknownKeyword(usize),
    /// A field that was there already.
    #[error("field repeated at octet {0}")]
    Repeated(usize),
    /// No name and no OID.
    #[error("not a name or OID at octet {0}")]
    InvalidName(usize),
    /// Parentheses inside each other.
    #[error("nested too deeply at octet {0}")]
    TooDeep(usize),
    /// Neither an OID nor a name.
    #[error("neither a name nor an OID")]
    Nameless,
}

type Result<T> = std::result::Result<T, DefinitionError>;

/// Reads an AttributeTypeDescription (RFC 4512 4.1.2).
pub fn attribute_type(octets: &[u8]) -> Result<AttributeTypeDescription<'_>> {
    let mut read = AttributeTypeDescription::default();
    let mut names = Vec::new();
    let oid = definition(octets, &mut names, |keyword, cursor| {
        match keyword {
            Keyword::Obsolete => read.obsolete = true,
            Keyword::Sup => read.sup = Some(cursor.oid()?),
            Keyword::Equality => read.equality = Some(cursor.oid()?),
            Keyword::Ordering => read.ordering = Some(cursor.oid()?),
            Keyword::Substr => read.substr = Some(cursor.oid()?),
            Keyword::Syntax => read.syntax = Some(cursor.syntax()?),
            Keyword::SingleValue => read.single_value = true,
            Keyword::Collective => read.collective = true,
            Keyword::NoUserModification => read.no_user_modification = true,
            Keyword::Usage => read.usage = cursor.usage()?,
            Keyword::Name | Keyword::Desc => {}
            Keyword::Abstract | Keyword::Structural | Keyword::Auxiliary | Keyword::Must | Keyword::May => {
                return Ok(false);
            }
        }
        Ok(true)
    })?;
    Ok(AttributeTypeDescription { oid, names, ..read })
}

/// Reads an ObjectClassDescription (RFC 4512 4.1.1).
pub fn object_class(octets: &[u8]) -> Result<ObjectClassDescription<'_>> {
    let mut read = ObjectClassDescription::default();
    let mut names = Vec::new();
    let mut kinds = 0;
    let oid = definition(octets, &mut names, |keyword, cursor| {
        let mut kind = |kind| {
            kinds += 1;
            read.kind = kind;
        };
        match keyword {
            Keyword::Abstract => kind(ClassKind::Abstract),
            Keyword::Structural => kind(ClassKind::Structural),
            Keyword::Auxiliary => kind(ClassKind::Auxiliary),
            Keyword::Obsolete => read.obsolete = true,
            Keyword::Sup => read.sup = cursor.oids()?,
            Keyword::Must => read.must = cursor.oids()?,
            Keyword::May => read.may = cursor.oids()?,
            Keyword::Name | Keyword::Desc => {}
            Keyword::Equality
            | Keyword::Ordering
            | Keyword::Substr
            | Keyword::Syntax
            | Keyword::SingleValue
            | Keyword::Collective
            | Keyword::NoUserModification
            | Keyword::Usage => return Ok(false),
        }
        if kinds > 1 { Err(DefinitionError::Repeated(cursor.at)) } else { Ok(true) }
    })?;
    Ok(ObjectClassDescription { oid, names, ..read })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Keyword {
    Name,
    Desc,
    Obsolete,
    Sup,
    Equality,
    Ordering,
    Substr,
    Syntax,
    SingleValue,
    Collective,
    NoUserModification,
    Usage,
    Abstract,
    Structural,
    Auxiliary,
    Must,
    May,
}

const KEYWORDS: [(&str, Keyword); 17] = [
    ("NAME", Keyword::Name),
    ("DESC", Keyword::Desc),
    ("OBSOLETE", Keyword::Obsolete),
    ("SUP", Keyword::Sup),
    ("EQUALITY", Keyword::Equality),
    ("ORDERING", Keyword::Ordering),
    ("SUBSTR", Keyword::Substr),
    ("SYNTAX", Keyword::Syntax),
    ("SINGLE-VALUE", Keyword::SingleValue),
    ("COLLECTIVE", Keyword::Collective),
    ("NO-USER-MODIFICATION", Keyword::NoUserModification),
    ("USAGE", Keyword::Usage),
    ("ABSTRACT", Keyword::Abstract),
    ("STRUCTURAL", Keyword::Structural),
    ("AUXILIARY", Keyword::Auxiliary),
    ("MUST", Keyword::Must),
    ("MAY", Keyword::May),
];

fn keyword(word: &[u8]) -> Option<Keyword> {
    KEYWORDS.iter().find(|(text, _)| word.eq_ignore_ascii_case(text.as_bytes())).map(|(_, keyword)| *keyword)
}

/// RFC 4512 4.1: `xstring`; in any case.
fn is_extension(word: &[u8]) -> bool {
    matches!(word, [b'x' | b'X', b'-', ..])
}

/// The frame that both kinds share. `field` reads the value of a keyword; `false`: it has no place here.
fn definition<'a>(
    octets: &'a [u8],
    names: &mut Vec<&'a str>,
    mut field: impl FnMut(Keyword, &mut Cursor<'a>) -> Result<bool>,
) -> Result<Option<&'a str>> {
    if octets.len() > MAX_DEFINITION {
        return Err(DefinitionError::TooLong);
    }
    let mut cursor = Cursor { octets, at: 0 };
    cursor.expect(b'(')?;
    let oid = if cursor.begins_with_its_name() { None } else { Some(cursor.oid()?) };
    let mut seen = 0u32;
    while !cursor.eat(b')') {
        let start = cursor.at;
        let word = cursor.word()?;
        let Some(keyword) = keyword(word) else {
            if !is_extension(word) {
                return Err(DefinitionError::UnknownKeyword(start));
            }
            cursor.skip_extension()?;
            continue;
        };
        let bit = 1 << keyword as u32;
        if seen & bit != 0 {
            return Err(DefinitionError::Repeated(start));
        }
        seen |= bit;
        match keyword {
            Keyword::Name => *names = cursor.names()?,
            Keyword::Desc => cursor.skip_text()?,
            _ => {}
        }
        if !field(keyword, &mut cursor)? {
            return Err(DefinitionError::UnknownKeyword(start));
        }
    }
    cursor.skip_space();
    if cursor.at < octets.len() {
        return Err(DefinitionError::Unexpected(cursor.at));
    }
    if oid.is_none() && names.is_empty() { Err(DefinitionError::Nameless) } else { Ok(oid) }
}

/// Where reading has come to. Every step moves on, but for looks ahead at one token.
#[derive(Clone, Copy)]
struct Cursor<'a> {
    octets: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn skip_space(&mut self) {
        self.at += self.rest().iter().take_while(|octet| octet.is_ascii_whitespace()).count();
    }

    fn rest(&self) -> &'a [u8] {
        self.octets.get(self.at..).unwrap_or_default()
    }

    /// The next octet that is no space.
    fn peek(&mut self) -> Option<u8> {
        self.skip_space();
        self.rest().first().copied()
    }

    fn eat(&mut self, expected: u8) -> bool {
        let found = self.peek() == Some(expected);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, expected: u8) -> Result<()> {
        if self.eat(expected) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn unexpected(&self) -> DefinitionError {
        if self.at < self.octets.len() { DefinitionError::Unexpected(self.at) } else { DefinitionError::UnexpectedEnd }
    }

    /// What stands up to a space or a delimiter; not empty.
    fn word(&mut self) -> Result<&'a [u8]> {
        self.skip_space();
        let delimits = |octet: &u8| octet.is_ascii_whitespace() || matches!(octet, b'(' | b')' | b'$' | b'\'');
        let length = self.rest().iter().take_while(|octet| !delimits(octet)).count();
        let word = self.rest().get(..length).unwrap_or_default();
        if word.is_empty() {
            return Err(self.unexpected());
        }
        self.at += length;
        Ok(word)
    }

    /// What stands between a quote and the next.
    fn quoted(&mut self) -> Result<&'a [u8]> {
        self.expect(b'\'')?;
        let length = self.rest().iter().position(|octet| *octet == b'\'').ok_or(DefinitionError::UnexpectedEnd)?;
        let inside = self.rest().get(..length).unwrap_or_default();
        self.at += length + 1;
        Ok(inside)
    }

    /// Free text: nothing follows from it, so that a quote which nobody escaped may be in it. The one
    /// that ends it has a space, a parenthesis or nothing behind it.
    fn skip_quoted_text(&mut self) -> Result<()> {
        self.expect(b'\'')?;
        loop {
            let length = self.rest().iter().position(|octet| *octet == b'\'').ok_or(DefinitionError::UnexpectedEnd)?;
            self.at += length + 1;
            if self.rest().first().is_none_or(|next| next.is_ascii_whitespace() || matches!(next, b'(' | b')')) {
                return Ok(());
            }
        }
    }

    fn skip_text(&mut self) -> Result<()> {
        let grouped = self.eat(b'(');
        self.skip_quoted_text()?;
        if grouped { self.expect(b')') } else { Ok(()) }
    }

    /// RFC 4512 4.1: `qdstrings`. Also several without parentheses, one bare word, or no value.
    fn skip_extension(&mut self) -> Result<()> {
        let (mut depth, mut values) = (0, 0);
        loop {
            match self.peek() {
                Some(b'\'') => {
                    self.skip_quoted_text()?;
                    values += 1;
                }
                // Behind its values comes the next field.
                Some(octet) if depth == 0 && values > 0 && octet != b')' => return Ok(()),
                Some(b'(') => {
                    if depth == MAX_NESTING {
                        return Err(DefinitionError::TooDeep(self.at));
                    }
                    self.at += 1;
                    depth += 1;
                }
                Some(b')') if depth > 0 => {
                    self.at += 1;
                    depth -= 1;
                    if depth == 0 {
                        return Ok(());
                    }
                }
                Some(b'$') if depth > 0 => self.at += 1,
                Some(b')') => return Ok(()),
                Some(_) => {
                    let before = *self;
                    let word = self.word()?;
                    if depth == 0 {
                        if keyword(word).is_some() || is_extension(word) {
                            *self = before;
                        }
                        return Ok(());
                    }
                }
                None => return Err(DefinitionError::UnexpectedEnd),
            }
        }
    }

    /// Whether there is no OID: `( NAME 'cn' …`. `( name NAME 'cn' …` has one that is a word.
    fn begins_with_its_name(&self) -> bool {
        let mut ahead = *self;
        ahead.word().is_ok_and(|word| keyword(word) == Some(Keyword::Name))
            && matches!(ahead.peek(), Some(b'\'' | b'('))
    }

    /// RFC 4512 4.1: `oid`; also quoted, and one between parentheses.
    fn oid(&mut self) -> Result<&'a str> {
        if self.eat(b'(') {
            let oid = self.plain_oid()?;
            self.expect(b')')?;
            return Ok(oid);
        }
        self.plain_oid()
    }

    fn plain_oid(&mut self) -> Result<&'a str> {
        let quoted = self.peek() == Some(b'\'');
        let start = self.at;
        name(if quoted { self.quoted()? } else { self.word()? }, start)
    }

    /// RFC 4512 4.1: `oids`. Active Directory writes `(a $ b )`; dollars may be missing.
    fn oids(&mut self) -> Result<Vec<&'a str>> {
        if !self.eat(b'(') {
            return Ok(vec![self.plain_oid()?]);
        }
        let mut oids = Vec::new();
        loop {
            while self.eat(b'$') {}
            if self.eat(b')') {
                return Ok(oids);
            }
            oids.push(self.plain_oid()?);
        }
    }

    /// RFC 4512 4.1: `qdescrs`; also several quoted ones without parentheses, and bare words.
    fn names(&mut self) -> Result<Vec<&'a str>> {
        let mut names = Vec::new();
        if self.eat(b'(') {
            while !self.eat(b')') {
                names.push(self.plain_oid()?);
            }
            return Ok(names);
        }
        names.push(self.plain_oid()?);
        while self.peek() == Some(b'\'') {
            names.push(self.plain_oid()?);
        }
        Ok(names)
    }

    /// RFC 4512 4.1: `noidlen`; the bound is read and dropped.
    fn syntax(&mut self) -> Result<&'a str> {
        let quoted = self.peek() == Some(b'\'');
        let start = self.at;
        let text = (if quoted { self.quoted()? } else { self.word()? }).trim_ascii();
        let Some(brace) = text.iter().position(|octet| *octet == b'{') else { return name(text, start) };
        match text.split_at(brace) {
            (oid, [b'{', bound @ .., b'}']) if !bound.is_empty() && bound.iter().all(u8::is_ascii_digit) => {
                name(oid, start)
            }
            _ => Err(DefinitionError::InvalidName(start)),
        }
    }

    fn usage(&mut self) -> Result<Usage> {
        self.skip_space();
        let start = self.at;
        let word = self.plain_oid()?;
        let known = Usage::ALL.iter().find(|(_, text)| word.eq_ignore_ascii_case(text));
        known.map(|(usage, _)| *usage).ok_or(DefinitionError::Unexpected(start))
    }
}

/// RFC 4512 1.4: `descr` or `numericoid`, and what directories allow besides. Spaces at the ends mean
/// nothing. Never what has a meaning in an attribute description or a requested list.
fn name(octets: &[u8], at: usize) -> Result<&str> {
    let octets = octets.trim_ascii();
    let first = octets.first().is_some_and(u8::is_ascii_alphanumeric);
    let all = octets.iter().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.' | b':'));
    if !first || !all || octets.len() > MAX_NAME {
        return Err(DefinitionError::InvalidName(at));
    }
    std::str::from_utf8(octets).map_err(|_| DefinitionError::InvalidName(at))
}
