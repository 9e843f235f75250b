//! DIGEST-MD5 (RFC 2831): directives, and the quality of protection that they choose.
//!
//! Strict: what two readers could take apart in two ways is not read.

use super::{Said, StepError};

/// One `name=value`, and where the whole of it stands.
struct Directive<'a> {
    name: &'a [u8],
    value: &'a [u8],
    whole: &'a [u8],
}

/// A digest-response (RFC 2831 2.1.2); the answer to `rspauth` is empty.
pub(super) fn read(message: &[u8]) -> Result<Said, StepError> {
    if message.is_empty() {
        return Ok(Said::default());
    }
    let directives = directives(message).ok_or(StepError::Unreadable)?;
    let mut chosen = all(&directives, "qop");
    let qop = chosen.next();
    if chosen.next().is_some() {
        return Err(StepError::Unreadable);
    }
    // Left out, it is `auth`.
    if qop.is_some_and(|qop| !qop.value.eq_ignore_ascii_case(b"auth")) {
        return Err(StepError::Layer);
    }
    let authorization = all(&directives, "authzid").any(|directive| !directive.value.is_empty());
    Ok(Said { no_layer: true, authorization })
}

/// A digest-challenge (RFC 2831 2.1.1) that offers authentication alone. The client's response proves
/// what the client chose, not what it was offered.
pub(super) fn without_layers(challenge: &[u8]) -> Option<Vec<u8>> {
    let directives = directives(challenge)?;
    let offers = |offered: &Directive<'_>| {
        offered.value.split(|octet| *octet == b',').any(|one| one.trim_ascii().eq_ignore_ascii_case(b"auth"))
    };
    let qop = all(&directives, "qop").next().filter(|qop| offers(qop))?;
    if qop.value.eq_ignore_ascii_case(b"auth") {
        return None;
    }
    let kept = directives.iter().filter(|directive| !directive.name.eq_ignore_ascii_case(b"cipher"));
    let written = kept.map(|directive| match directive.name.eq_ignore_ascii_case(b"qop") {
        true => &b"qop=\"auth\""[..],
        false => directive.whole,
    });
    Some(written.collect::<Vec<_>>().join(&b','))
}

/// RFC 2831 2.1.3.
pub(super) fn proves_password(challenge: &[u8]) -> bool {
    directives(challenge).is_none_or(|found| all(&found, "rspauth").next().is_some())
}

fn all<'d, 'a>(directives: &'d [Directive<'a>], name: &'static str) -> impl Iterator<Item = &'d Directive<'a>> {
    directives.iter().filter(move |directive| directive.name.eq_ignore_ascii_case(name.as_bytes()))
}

/// Takes a message apart (RFC 2831 7.1); `None`: it cannot be, or not in one way only.
fn directives(message: &[u8]) -> Option<Vec<Directive<'_>>> {
    let mut found = Vec::new();
    let mut rest = message;
    loop {
        // An element of a list may be empty.
        while let [b' ' | b'\t' | b'\r' | b'\n' | b',', behind @ ..] = rest {
            rest = behind;
        }
        if rest.is_empty() {
            return Some(found);
        }
        let start = rest;
        let name = token(&mut rest)?;
        rest = rest.strip_prefix(b"=")?;
        let value = match rest {
            [b'"', behind @ ..] => {
                rest = behind;
                quoted(&mut rest)?
            }
            _ => token(&mut rest)?,
        };
        let whole = start.get(..start.len() - rest.len())?;
        found.push(Directive { name, value, whole });
        while let [b' ' | b'\t' | b'\r' | b'\n', behind @ ..] = rest {
            rest = behind;
        }
        if !matches!(rest, [] | [b',', ..]) {
            return None;
        }
    }
}

fn token<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let separates = |octet: &u8| octet.is_ascii_control() || b" ()<>@,;:\\\"/[]?={}".contains(octet);
    let end = rest.iter().position(separates).unwrap_or(rest.len());
    let (token, behind) = rest.split_at_checked(end)?;
    *rest = behind;
    (!token.is_empty()).then_some(token)
}

/// Behind the first quote. A quote that is escaped is refused: to who does not know escapes, the value
/// ends there and the next directive begins.
fn quoted<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = rest.iter().position(|octet| *octet == b'"')?;
    let (value, behind) = rest.split_at_checked(end)?;
    *rest = behind.get(1..)?;
    let escapes = value.iter().rev().take_while(|octet| **octet == b'\\').count();
    (escapes % 2 == 0 && !value.contains(&0)).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_authentication_is_passed() {
        let chose = |authorization| Ok(Said { no_layer: true, authorization });
        let (layer, unreadable) = (Err(StepError::Layer), Err(StepError::Unreadable));
        for (message, expected) in [
            (
                r#"username="alice",realm="x",nonce="n",nc=00000001,cnonce="c",digest-uri="ldap/x",response=00,qop=auth"#,
                chose(false),
            ),
            (r#"username="alice",response=00"#, chose(false)),
            (r#"qop="auth",username="alice""#, chose(false)),
            (r#"QOP=AUTH"#, chose(false)),
            (r#"username="a",authzid="u:bob",qop=auth"#, chose(true)),
            (r#"username="a",authzid="",qop=auth"#, chose(false)),
            (r#"username="a",qop=auth-int"#, layer),
            (r#"username="a",qop=auth-conf,cipher=rc4"#, layer),
            (r#"username="a",QOP="auth-conf""#, layer),
            (r#"qop="auth,auth-conf""#, layer),
            (r#"qop=auth,qop=auth-conf"#, unreadable),
            (r#"qop=auth-conf,qop=auth"#, unreadable),
            (r#"qop=auth,qop=auth"#, unreadable),
            (r#"username="a\",qop=auth-conf,x="b""#, unreadable),
            (r#"username="a\\",qop=auth"#, chose(false)),
            (r#"username="a\b",qop=auth"#, chose(false)),
            (r#"username="a",qop = auth-conf"#, unreadable),
            (r#"username="a" qop=auth-conf"#, unreadable),
            (r#"username="a"qop=auth-conf"#, unreadable),
            (r#"username="a"#, unreadable),
            ("username=\"a\0\",qop=auth", unreadable),
            (r#"=x"#, unreadable),
            (r#"username"#, unreadable),
            ("", Ok(Said::default())),
            (" , ,qop=auth ,\r\n realm=\"x\",", chose(false)),
        ] {
            assert_eq!(read(message.as_bytes()), expected, "{message}");
        }
    }

    #[test]
    fn layers_are_not_offered() {
        let rewritten =
            |challenge: &str| without_layers(challenge.as_bytes()).map(|text| String::from_utf8(text).unwrap());
        for (challenge, expected) in [
            (
                r#"nonce="n,\\",realm="x",qop="auth,auth-int,auth-conf",cipher="rc4-40,3des",maxbuf=65536,charset=utf-8,algorithm=md5-sess"#,
                Some(r#"nonce="n,\\",realm="x",qop="auth",maxbuf=65536,charset=utf-8,algorithm=md5-sess"#),
            ),
            (r#"nonce="n",qop="auth-int, auth""#, Some(r#"nonce="n",qop="auth""#)),
            (r#"nonce="n",qop="auth""#, None),
            (r#"nonce="n""#, None),
            // There is nothing that could be left; the client's choice will be refused.
            (r#"nonce="n",qop="auth-conf""#, None),
            ("rspauth=00", None),
        ] {
            assert_eq!(rewritten(challenge).as_deref(), expected, "{challenge}");
        }
        assert!(proves_password(b"rspauth=0123"));
        assert!(proves_password(b"?"));
        assert!(!proves_password(br#"nonce="n",qop="auth""#));
    }
}
