//! What to do about a "no" of the gate, as commands that can be typed. Knows the words of problems;
//! why it was no, the gate has said.

use super::target::Target;

/// What helps, if anything does. `path` is the call that was refused, e.g. `/v1/requests/req-1/reviews`.
pub(super) fn hint(word: &str, path: &str, gate: &Target) -> Option<String> {
    let login = || match gate {
        Target::Https(https) => Some(format!("tidegate login {}", https.url())),
        Target::Socket(_) => None,
    };
    // Whose id is in the path: ids are letters, digits and '-'.
    let id = path.split('/').nth(3).unwrap_or("ID");
    let text = match word {
        "bad-token" | "who-are-you" | "login-not-fresh" => format!("log in with {}", login()?),
        "own-request" | "not-approver" | "stale-review" | "reviewed-already" | "already-ended" => {
            format!("see who can act on it, and how it stands, with tidegate show {id}")
        }
        "not-found" if path.starts_with("/v1/sessions/") => "tidegate sessions lists those that you may see".to_owned(),
        "not-found" => "tidegate requests --all and tidegate grants --all list those that you may see".to_owned(),
        "unknown-role" | "not-eligible" | "not-beneficiary" => {
            "tidegate roles lists those that you may request, and for whom".to_owned()
        }
        "not-narrower" | "bad-duration" => "tidegate roles says what each role opens, and for how long".to_owned(),
        "bad-start" => {
            "write it like --start 14:00, --start 'tomorrow 09:00' or --start 2026-03-31T08:00:00Z".to_owned()
        }
        "reason-missing" => "say why with --reason TEXT".to_owned(),
        "bad-ticket" => "name it with --ticket TICKET".to_owned(),
        "second-factor-needed" => "show it with --code CODE; tidegate totp enrols one".to_owned(),
        "not-enrolling" => "begin with tidegate totp".to_owned(),
        "rule-gone" => "ask for the role again with tidegate request ROLE --reason TEXT".to_owned(),
        "too-many-pending" => "tidegate requests --mine lists them".to_owned(),
        "own-grant" | "not-revoker" if path.ends_with("/revoke") => {
            format!("your own you give back with tidegate release {id}")
        }
        "not-holder" => format!("who may end somebody else's does so with tidegate revoke {id} --reason TEXT"),
        "extended-ended" => "ask for the role again with tidegate request ROLE --reason TEXT".to_owned(),
        "not-administrator" | "not-auditor" | "not-break-glass" => {
            "tidegate me says who you are to the gate".to_owned()
        }
        "no-subject" => match gate {
            Target::Socket(_) => "local_subject in [control] gives local users a name in the directory; \
                                  with act_as, --as DN does; over TLS, tidegate login URL"
                .to_owned(),
            Target::Https(_) => {
                "certificate_subject in [control] gives certificates a name in the directory".to_owned()
            }
        },
        "may-not-act-as" => "leave out --as to act as yourself; tidegate me says who that is".to_owned(),
        "locked" => "an administrator lifts it with tidegate unlock DN".to_owned(),
        "unknown-subject" => "--force locks it all the same".to_owned(),
        "not-a-subject" => "lock the people or accounts themselves, one by one".to_owned(),
        "last-administrator" => "add another administrator to [control] administrators, and tidegate reload".to_owned(),
        "login-failed" => "say who you are with --name NAME; the password is that of the directory".to_owned(),
        "unknown-host" => {
            "call the gate by a name in its certificate, or put this one into hosts in [control]".to_owned()
        }
        _ => return None,
    };
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::target::Https;

    #[test]
    fn the_command_that_helps_is_one_that_can_be_typed() {
        let socket = Target::Socket("run/control.sock".into());
        let port = Target::Https(Https::parse("https://gate.example.com:8443").expect("a URL"));
        for (word, path, gate, expected) in [
            ("bad-token", "/v1/roles", &port, Some("log in with tidegate login https://gate.example.com:8443")),
            ("who-are-you", "/v1/roles", &socket, None),
            (
                "own-request",
                "/v1/requests/req-1/reviews",
                &socket,
                Some("see who can act on it, and how it stands, with tidegate show req-1"),
            ),
            ("not-found", "/v1/sessions/1-2/kill", &socket, Some("tidegate sessions lists those that you may see")),
            (
                "own-grant",
                "/v1/grants/grant-1/revoke",
                &socket,
                Some("your own you give back with tidegate release grant-1"),
            ),
            ("own-grant", "/v1/grants/grant-1/sign-off", &socket, None),
            ("store-failed", "/v1/requests", &socket, None),
        ] {
            assert_eq!(hint(word, path, gate).as_deref(), expected, "{word} {path}");
        }
    }
}
