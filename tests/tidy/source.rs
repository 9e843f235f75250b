//! Reads Rust as far as the rules need it: what is code, and which paths it names.

/// The source without comments, strings and characters (each character of them a blank, lines kept).
pub(crate) fn strip(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes[at..].starts_with(b"//") => at + find(&bytes[at..], b"\n"),
            b'/' if bytes[at..].starts_with(b"/*") => block_comment_end(bytes, at),
            b'r' if raw_string(bytes, at).is_some() => raw_string(bytes, at).unwrap_or(at),
            b'"' => string_end(bytes, at),
            b'\'' => character_end(bytes, at),
            _ => {
                at += 1;
                continue;
            }
        };
        let end = end.clamp(at + 1, bytes.len());
        out[at..end].iter_mut().filter(|b| **b != b'\n').for_each(|b| *b = b' ');
        at = end;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Where `needle` is in `haystack`, or its length.
pub(crate) fn find(haystack: &[u8], needle: &[u8]) -> usize {
    haystack.windows(needle.len()).position(|w| w == needle).unwrap_or(haystack.len())
}

fn block_comment_end(bytes: &[u8], start: usize) -> usize {
    let (mut depth, mut at) = (0, start);
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if bytes[at..].starts_with(b"*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    at
}

/// The end of a raw string that starts at `start`, if one does.
fn raw_string(bytes: &[u8], start: usize) -> Option<usize> {
    let part_of_name =
        |at: usize| bytes.get(at).is_some_and(|b| (b.is_ascii_alphanumeric() && *b != b'b') || *b == b'_');
    if start > 0 && part_of_name(start - 1) {
        return None;
    }
    let hashes = bytes[start + 1..].iter().take_while(|b| **b == b'#').count();
    if bytes.get(start + 1 + hashes) != Some(&b'"') {
        return None;
    }
    let close = [b"\"".as_slice(), &vec![b'#'; hashes]].concat();
    let body = start + hashes + 2;
    Some(body + find(&bytes[body..], &close) + close.len())
}

fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

/// The end of a character literal; of nothing but the quote when it is a lifetime.
fn character_end(bytes: &[u8], start: usize) -> usize {
    match bytes.get(start + 1) {
        Some(b'\\') => start + 3 + find(&bytes[start + 3..], b"'") + 1,
        Some(_) => {
            let next = (start + 2..start + 6).find(|at| bytes.get(*at).is_some_and(|b| b & 0xC0 != 0x80));
            next.filter(|at| bytes.get(*at) == Some(&b'\'')).map_or(start + 1, |at| at + 1)
        }
        None => start + 1,
    }
}

/// Names and single punctuation, `::` as one.
pub(crate) fn tokens(stripped: &str) -> Vec<&str> {
    let bytes = stripped.as_bytes();
    let (mut out, mut at) = (Vec::new(), 0);
    let in_name = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
    while at < bytes.len() {
        let length = if in_name(&bytes[at]) {
            bytes[at..].iter().take_while(|b| in_name(b)).count()
        } else if bytes[at..].starts_with(b"::") {
            2
        } else {
            1
        };
        if let Some(token) = stripped.get(at..at + length)
            && !token.trim().is_empty()
        {
            out.push(token);
        }
        at += length;
    }
    out
}

/// Every path that a file names, `crate`-relative ones as `crate::…`, and whether it stands in test code.
pub(crate) fn paths(module: &[String], source: &str) -> Vec<(String, bool)> {
    let stripped = strip(source);
    let tokens = tokens(&stripped);
    let mut out = Vec::new();
    // Inline modules that are open: name, depth of braces outside, whether for tests.
    let mut inside: Vec<(&str, usize, bool)> = Vec::new();
    let (mut depth, mut at, mut cfg_test) = (0_usize, 0, false);
    while at < tokens.len() {
        match tokens[at] {
            "{" => depth += 1,
            "}" => {
                depth = depth.saturating_sub(1);
                if inside.last().is_some_and(|(_, outside, _)| *outside == depth) {
                    inside.pop();
                }
            }
            "#" if tokens[at..].starts_with(&["#", "[", "cfg", "(", "test", ")", "]"]) => cfg_test = true,
            ";" => cfg_test = false,
            "mod" if tokens.get(at + 2) == Some(&"{") => {
                inside.push((tokens[at + 1], depth, cfg_test));
                cfg_test = false;
                at += 1;
            }
            name if is_name(name) && (at == 0 || tokens[at - 1] != "::") && tokens.get(at + 1) == Some(&"::") => {
                let here: Vec<&str> =
                    module.iter().map(String::as_str).chain(inside.iter().map(|(name, ..)| *name)).collect();
                let test = cfg_test || inside.iter().any(|(_, _, test)| *test);
                let mut found = Vec::new();
                let next = tree(&tokens, at, &[], &mut found);
                out.extend(found.iter().map(|path| (absolute(&here, path), test)));
                at = next;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    out
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

/// Reads a path or a `use` tree at `at`; collects its leaves; returns where it ends.
fn tree<'t>(tokens: &[&'t str], mut at: usize, before: &[&'t str], out: &mut Vec<Vec<&'t str>>) -> usize {
    let mut path = before.to_vec();
    while let Some(token) = tokens.get(at) {
        if *token == "{" {
            at += 1;
            while tokens.get(at).is_some_and(|t| *t != "}") {
                at = if is_name(tokens[at]) || tokens[at] == "*" { tree(tokens, at, &path, out) } else { at + 1 };
            }
            return at + 1;
        }
        if !is_name(token) && *token != "*" {
            break;
        }
        path.push(token);
        at += 1;
        let more = tokens.get(at + 1).is_some_and(|t| is_name(t) || *t == "*" || *t == "{");
        if tokens.get(at) != Some(&"::") || !more {
            break;
        }
        at += 1;
    }
    out.push(path);
    at.max(1)
}

/// `super` and `self` resolved against the module that names them.
fn absolute(here: &[&str], path: &[&str]) -> String {
    let ups = path.iter().take_while(|p| **p == "super").count();
    let rest = match path.first() {
        Some(&"self") => [here, &path[1..]].concat(),
        Some(&"super") => [&here[..here.len().saturating_sub(ups)], &path[ups..]].concat(),
        _ => return path.join("::"),
    };
    std::iter::once("crate").chain(rest).collect::<Vec<_>>().join("::")
}

/// `src/engine/ldap/mod.rs` is `engine::ldap`.
pub(crate) fn module_of(path: &str) -> Vec<String> {
    let path = path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    path.split('/').filter(|part| *part != "mod" && *part != "lib").map(str::to_owned).collect()
}

/// Whether `path` is `prefix` or below it.
pub(crate) fn under(path: &str, prefix: &str) -> bool {
    prefix.is_empty() || path == prefix || path.strip_prefix(prefix).is_some_and(|rest| rest.starts_with("::"))
}
