//! Whether what a slapd says it was asked is what we read: names as names, filters part by part, values octet
//! for octet.

use super::filter::match_filter;
use super::second::{MARKER_OID, Understood};
use tidegate::engine::ldap::Dn;
use tidegate::engine::ldap::attribute::{AttributeDescription, numeric_oid};
use tidegate::engine::ldap::control::Control;
use tidegate::engine::ldap::request::{
    Attribute, Authentication, BindName, BindRequest, ChangeKind, ExtendedRequest, Request, SearchRequest,
};

/// What is different, or whether a back end was asked at all.
pub(super) fn compare(
    id: i32,
    ours: &Request<'_>,
    controls: &[Control<'_>],
    theirs: &Understood,
) -> Result<bool, String> {
    let operations = logged_operations(theirs);
    if let Some(other) = operations.iter().find(|(name, _)| *name != word(ours)) {
        return Err(format!("slapd took it for {other:?}"));
    }
    if operations.len() > 1 || theirs.asked.len() > 1 {
        return Err("slapd took it for more than one".to_owned());
    }
    same_controls(controls, &theirs.log)?;
    if let Some(answer) = theirs.answers.iter().find(|(answered, ..)| *answered != id && *answered != 0) {
        return Err(format!("slapd answered {answer:?}"));
    }
    match_log(ours, operations.first().map(|(_, rest)| *rest), &theirs.log)?;
    let Some(text) = theirs.asked.first() else { return Ok(false) };
    let text = Text(text);
    if text.between("\nmsgid: ", "\n") != Some(id.to_string().as_bytes()) {
        return Err("another id".to_owned());
    }
    match_text(ours, text).ok_or("not the same").map_err(str::to_owned)?.then_some(true).ok_or("differs".to_owned())
}

/// How slapd's log calls an operation.
fn word(request: &Request<'_>) -> &'static str {
    match request {
        Request::Bind(_) => "BIND",
        Request::Unbind => "UNBIND",
        Request::Search(_) => "SRCH",
        Request::Modify(_) => "MOD",
        Request::Add(_) => "ADD",
        Request::Delete(_) => "DEL",
        Request::Rename(_) => "MODRDN",
        Request::Compare(_) => "CMP",
        Request::Abandon(_) => "ABANDON",
        Request::Extended(_) => "EXT",
    }
}

const PASSWORD_MODIFY: &[u8] = b"1.3.6.1.4.1.4203.1.11.1";
const WORDS: &[&str] = &["BIND", "UNBIND", "SRCH", "MOD", "ADD", "DEL", "MODRDN", "CMP", "ABANDON", "EXT"];

/// The operations in a log, each once: its name and what it says of it. Not the marker.
fn logged_operations(theirs: &Understood) -> Vec<(&str, &str)> {
    let mut found: Vec<(u64, &str, &str)> = Vec::new();
    for line in theirs.log.lines() {
        let Some((_, operation)) = line.split_once(" op=") else { continue };
        let Some((number, operation)) = operation.split_once(' ') else { continue };
        let (name, rest) = operation.split_once(' ').unwrap_or((operation, ""));
        let Ok(number) = number.parse() else { continue };
        if WORDS.contains(&name) && !found.iter().any(|(other, ..)| *other == number) {
            found.push((number, name, rest));
        }
    }
    found.retain(|(.., rest)| rest.strip_prefix("oid=") != Some(MARKER_OID));
    found.into_iter().map(|(_, name, rest)| (name, rest)).collect()
}

/// slapd logs each control that it reads, until one is not to its liking.
fn same_controls(ours: &[Control<'_>], log: &str) -> Result<(), String> {
    let theirs = log.lines().filter_map(|line| line.split_once("=> get_ctrls: oid=\"")?.1.split_once("\" "));
    let ours = ours.iter().map(|control| (control.oid, if control.critical { "(critical)" } else { "(noncritical)" }));
    for (theirs, ours) in theirs.zip(ours.map(Some).chain(std::iter::repeat(None))) {
        if Some(theirs) != ours {
            return Err(format!("slapd read the control {theirs:?}, we {ours:?}"));
        }
    }
    Ok(())
}

/// What does not reach a back end, or not whole.
fn match_log(ours: &Request<'_>, logged: Option<&str>, log: &str) -> Result<(), String> {
    let ours = match ours {
        Request::Abandon(id) => format!("msg={}", id.0),
        Request::Extended(ExtendedRequest::Other { oid, .. }) => format!("oid={oid}"),
        Request::Extended(ExtendedRequest::Password { identity, old, new }) => {
            // An empty name is none: one's own password.
            let identity = identity
                .filter(|name| !name.is_empty())
                .map(|name| format!(" id=\"{}\"", String::from_utf8_lossy(c_string(name))));
            let given = |name, field: &Option<&[u8]>| if field.is_some() { name } else { "" };
            let expected =
                format!(" PASSMOD{}{}{}\n", identity.unwrap_or_default(), given(" old", old), given(" new", new));
            // Not there where slapd did not understand it, and not whole where it refused a part.
            let same = !log.contains(" PASSMOD") || log.contains("password value is empty") || log.contains(&expected);
            return if same { Ok(()) } else { Err("slapd logged another PASSMOD".to_owned()) };
        }
        _ => return Ok(()),
    };
    if logged.is_some_and(|logged| logged != ours) { Err(format!("slapd read {logged:?}")) } else { Ok(()) }
}

/// What slapd-sock wrote.
#[derive(Clone, Copy)]
struct Text<'t>(&'t [u8]);

impl<'t> Text<'t> {
    /// What stands between the first `from` and the next `to` behind it.
    fn between(self, from: &str, to: &str) -> Option<&'t [u8]> {
        let rest = self.after(from)?;
        rest.get(..find(rest, to.as_bytes())?)
    }

    /// What stands behind the first `from`.
    fn after(self, from: &str) -> Option<&'t [u8]> {
        self.0.get(find(self.0, from.as_bytes())? + from.len()..)
    }

    /// The lines from the name on, where slapd-sock writes LDIF.
    fn ldif(self) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
        Some(ldif(self.0.get(find(self.0, b"\ndn:")?..)?))
    }

    fn kind(self) -> &'t [u8] {
        self.0.split(|octet| *octet == b'\n').next().unwrap_or_default()
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

/// Up to the first NUL, where slapd-sock stops writing.
fn c_string(octets: &[u8]) -> &[u8] {
    octets.split(|octet| *octet == 0).next().unwrap_or_default()
}

/// Coarsely, as what protects compares them: a line end behind a value is of it to us, and space to slapd.
fn same_name(ours: &Dn, theirs: &[u8]) -> bool {
    Dn::parse(theirs).is_ok_and(|theirs| theirs == *ours)
}

fn match_text(ours: &Request<'_>, text: Text<'_>) -> Option<bool> {
    // slapd-sock writes a name in one line even where it has two.
    if format!("{ours:?}").contains("\\0a") {
        return Some(true);
    }
    let value = |from: &str, to: &str| text.between(from, to);
    let whole = |from: &str| text.after(from)?.strip_suffix(b"\n\n");
    Some(match ours {
        Request::Search(search) => text.kind() == b"SEARCH" && match_search(search, text)?,
        Request::Bind(bind) => text.kind() == b"BIND" && match_bind(bind, text)?,
        Request::Delete(entry) => text.kind() == b"DELETE" && same_name(entry, whole("\ndn: ")?),
        Request::Compare(compare) => {
            let mut lines = text.ldif()?.into_iter();
            let ((_, name), (attribute, asserted)) = (lines.next()?, lines.next()?);
            text.kind() == b"COMPARE"
                && same_name(&compare.entry, &name)
                && same_attribute(compare.attribute, &attribute)
                && asserted == compare.value
                && lines.next().is_none()
        }
        Request::Rename(rename) => {
            let to = if rename.new_superior.is_some() { "\nnewSuperior: " } else { "\n\n" };
            text.kind() == b"MODRDN"
                && same_name(&rename.entry, value("\ndn: ", "\nnewrdn: ")?)
                && same_name(&rename.new_rdn, value("\nnewrdn: ", "\ndeleteoldrdn: ")?)
                && value("\ndeleteoldrdn: ", to)? == if rename.delete_old_rdn { b"1" } else { b"0" }
                && match (&rename.new_superior, whole("\nnewSuperior: ")) {
                    (Some(ours), Some(theirs)) => same_name(ours, theirs),
                    (None, None) => true,
                    _ => false,
                }
        }
        Request::Modify(modify) => {
            let mut lines = text.ldif()?.into_iter();
            text.kind() == b"MODIFY" && same_name(&modify.entry, &lines.next()?.1) && {
                modify.changes.iter().all(|change| match_change(change.kind, &change.attribute, &mut lines))
                    && lines.next().is_none()
            }
        }
        Request::Add(add) => {
            let mut lines = text.ldif()?.into_iter();
            let (_, name) = lines.next()?;
            let mut theirs: Vec<_> = lines.map(|(name, value)| (lower(&name), value)).collect();
            let values = add.attributes.iter().flat_map(|attribute| {
                let name = known_name(attribute.description.0);
                attribute.values.iter().map(move |value| (name.clone(), value.to_vec()))
            });
            let mut ours: Vec<_> = values.collect();
            theirs.sort();
            ours.sort();
            text.kind() == b"ADD" && same_name(&add.entry, &name) && ours == theirs
        }
        Request::Extended(ExtendedRequest::Other { oid, .. }) => value("\noid: ", "\n")? == oid.as_bytes(),
        Request::Extended(ExtendedRequest::Password { .. }) => text.between("\noid: ", "\n")? == PASSWORD_MODIFY,
        Request::Extended(_) | Request::Unbind | Request::Abandon(_) => false,
    })
}

fn match_search(ours: &SearchRequest<'_>, text: Text<'_>) -> Option<bool> {
    let number = |from: &str| std::str::from_utf8(text.between(from, "\n")?).ok()?.parse::<i32>().ok();
    // Its own limit is none, and so is what a client does not say.
    let limit = |ours: i32| if ours == 0 { -1 } else { ours };
    let mut filter = text.between("\nfilter: ", "\nattrsonly: ")?;
    Some(
        same_name(&ours.base, text.between("\nbase: ", "\nscope: ")?)
            && number("\nscope: ")? == ours.scope as i32
            && number("\nderef: ")? == ours.deref as i32
            && number("\nsizelimit: ")? == limit(ours.size_limit)
            && number("\ntimelimit: ")? == limit(ours.time_limit)
            && number("\nattrsonly: ")? == i32::from(ours.types_only)
            && match_list(&ours.attributes, text.after("\nattrs: ")?.strip_suffix(b"\n\n")?)
            && match_filter(&ours.filter, &mut filter)
            && filter.is_empty(),
    )
}

/// A name that cannot be one is `1.1` to slapd, which is no attribute.
fn match_list(ours: &[AttributeDescription<'_>], theirs: &[u8]) -> bool {
    let mut theirs = theirs.split(|octet| *octet == b' ');
    if ours.is_empty() {
        return theirs.eq([b"all"]);
    }
    let word = |octets: &[u8]| octets.iter().all(|octet| octet.is_ascii_alphanumeric() || *octet == b'-');
    let name = |name: &AttributeDescription<'_>| {
        let first = name.attribute_type();
        let named = first.first().is_some_and(u8::is_ascii_alphabetic) && word(first);
        (named || numeric_oid(first).is_some()) && name.options().all(|option| !option.is_empty() && word(option))
    };
    let same = |ours: &AttributeDescription<'_>, theirs: &[u8]| theirs == ours.0 || theirs == b"1.1" && !name(ours);
    ours.iter().all(|ours| theirs.next().is_some_and(|theirs| same(ours, theirs))) && theirs.next().is_none()
}

fn match_bind(ours: &BindRequest<'_>, text: Text<'_>) -> Option<bool> {
    // A name that is not a DN stands for whom the directory says.
    let same = |theirs: &[u8]| match &ours.name {
        BindName::Dn(name) => same_name(name, theirs),
        BindName::Other(_) => true,
    };
    let Authentication::Simple(password) = ours.authentication else { return Some(false) };
    Some(
        same(text.between("\ndn: ", "\nmethod: ")?)
            && text.between("\nmethod: ", "\n")? == b"128"
            && text.between("\ncredlen: ", "\n")? == password.len().to_string().as_bytes()
            && text.after("\ncred: ")?.strip_suffix(b"\n\n")? == c_string(password),
    )
}

fn lower(name: &[u8]) -> Vec<u8> {
    name.to_ascii_lowercase()
}

/// The name that slapd gives an attribute, in lower case.
pub(super) fn known_name(name: &[u8]) -> Vec<u8> {
    let name = lower(name);
    for (oid, known) in [(&b"2.25.7.1"[..], &b"blob"[..]), (b"2.25.7.2", b"other"), (b"2.25.7.3", b"third")] {
        if let Some(options) = name.strip_prefix(oid)
            && (options.is_empty() || options.starts_with(b";"))
        {
            return [known, options].concat();
        }
    }
    name
}

fn same_attribute(ours: AttributeDescription<'_>, theirs: &[u8]) -> bool {
    known_name(ours.0) == lower(theirs)
}

fn split_once<'t>(text: &'t [u8], at: &[u8]) -> Option<(&'t [u8], &'t [u8])> {
    let position = find(text, at)?;
    Some((&text[..position], &text[position + at.len()..]))
}

/// Lines of LDIF: names and values. A `-` is a name without a value.
fn ldif(text: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for line in text.split(|octet| *octet == b'\n').filter(|line| !line.is_empty()) {
        match (line.strip_prefix(b" "), lines.last_mut()) {
            (Some(more), Some(last)) => last.extend_from_slice(more),
            _ => lines.push(line.to_vec()),
        }
    }
    let one = |line: Vec<u8>| {
        let Some((name, rest)) = split_once(&line, b":") else { return (line, Vec::new()) };
        let value = match rest.strip_prefix(b":") {
            Some(encoded) => base64(encoded.trim_ascii()),
            None => rest.strip_prefix(b" ").unwrap_or(rest).to_vec(),
        };
        (name.to_vec(), value)
    };
    lines.into_iter().map(one).collect()
}

fn match_change(kind: ChangeKind, ours: &Attribute<'_>, lines: &mut impl Iterator<Item = (Vec<u8>, Vec<u8>)>) -> bool {
    let word: &[u8] = match kind {
        ChangeKind::Add => b"add",
        ChangeKind::Delete => b"delete",
        ChangeKind::Replace => b"replace",
        ChangeKind::Increment => b"increment",
    };
    lines.next().is_some_and(|(found, name)| found == word && same_attribute(ours.description, &name))
        && ours.values.iter().all(|value| {
            lines.next().is_some_and(|(name, found)| same_attribute(ours.description, &name) && found == *value)
        })
        && lines.next().is_some_and(|(name, _)| name == b"-")
}

fn base64(text: &[u8]) -> Vec<u8> {
    let alphabet = |octet: &u8| match octet {
        b'A'..=b'Z' => Some(octet - b'A'),
        b'a'..=b'z' => Some(octet - b'a' + 26),
        b'0'..=b'9' => Some(octet - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let (mut out, mut bits, mut held) = (Vec::new(), 0_u32, 0);
    for six in text.iter().filter_map(alphabet) {
        bits = (bits << 6) | u32::from(six);
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
        }
    }
    out
}
