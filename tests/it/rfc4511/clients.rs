//! Real clients in an unprotected session: the same answers and codes, straight and through the gate.

use crate::support::slapd::{BASE, person};
use crate::support::target::{Target, same};

/// A step of a session: what was run, its exit code, its output.
type Step = (String, i32, String);

fn step(target: &Target, tool: &str, who: Option<&str>, arguments: &[&str], input: &str) -> Step {
    let ran = target.ldap(tool, who, arguments, input);
    let what = format!("{tool} {}", arguments.join(" "));
    // Result codes with their explanations are on the standard error.
    (what, ran.code, format!("{}{}", ran.stdout, ran.stderr))
}

/// The exit codes of the steps, to be compared with what is expected of them.
fn codes(steps: &[Step]) -> Vec<i32> {
    steps.iter().map(|(_, code, _)| *code).collect()
}

fn output(steps: &[Step], n: usize) -> &str {
    &steps[n].2
}

#[test]
fn ldapwhoami() {
    let steps = same(|target| {
        let wrong = target.ldap("ldapwhoami", None, &["-D", &person("alice"), "-w", "wrong"], "");
        let empty = target.ldap("ldapwhoami", None, &["-D", &person("alice"), "-w", ""], "");
        vec![
            step(target, "ldapwhoami", Some("alice"), &[], ""),
            step(target, "ldapwhoami", None, &[], ""),
            ("wrong".into(), wrong.code, wrong.stderr),
            // Only the code: who words the message is nobody's promise.
            ("empty".into(), empty.code, String::new()),
        ]
    });
    assert_eq!(codes(&steps), [0, 0, 49, 53]);
    assert_eq!(output(&steps, 0).trim(), format!("dn:{}", person("alice")));
    assert_eq!(output(&steps, 1).trim(), "anonymous");
}

#[test]
fn ldapsearch() {
    let people = format!("ou=people,{BASE}");
    let steps = same(|target| {
        let search = |who, arguments: &[&str]| {
            step(target, "ldapsearch", who, &[&["-LLL", "-b", &people], arguments].concat(), "")
        };
        vec![
            search(Some("alice"), &["(uid=bob)", "cn", "mail"]),
            search(Some("alice"), &["-s", "one", "(|(uid=a*)(&(cn=*)(!(uidNumber>=1002))))", "uid"]),
            search(Some("alice"), &["-s", "base", "(ou=people)", "*"]),
            search(Some("alice"), &["-z", "2", "(uid=*)", "1.1"]),
            search(Some("alice"), &["-A", "(uid:caseIgnoreMatch:=CAROL)"]),
            search(Some("alice"), &["(cn~=carol)", "@posixAccount"]),
            search(Some("alice"), &["(nosuchattribute=x)"]),
            search(Some("alice"), &["-E", "pr=2/noprompt", "(uid=*)", "uid"]),
            search(Some("alice"), &["-E", "!pr=3/noprompt", "(uid=*)", "uid"]),
            search(Some("alice"), &["-E", "sss=-uidNumber", "(uid=*)", "uid"]),
            search(Some("alice"), &["-e", "ppolicy", "(uid=alice)", "uid"]),
            search(Some("alice"), &["-a", "always", "-b", &format!("cn=leaflet,ou=aliases,{BASE}"), "uid"]),
            search(Some("alice"), &["-b", &format!("uid=nobody,{people}")]),
            search(None, &["(uid=bob)"]),
        ]
    });
    assert_eq!(codes(&steps), [0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 32, 50]);
    assert!(output(&steps, 0).contains("mail: bob@example.com"), "{steps:#?}");
    assert!(output(&steps, 1).contains("uid: alice"), "{steps:#?}");
    assert_eq!(output(&steps, 7).matches("dn: ").count(), 7, "{steps:#?}");
    assert!(output(&steps, 11).contains("uid: leaflet"), "{steps:#?}");
    assert!(output(&steps, 12).contains(&format!("Matched DN: {people}")), "{steps:#?}");
}

#[test]
fn ldapadd_ldapmodify_ldapmodrdn_ldapcompare_ldapdelete() {
    let gina = format!("uid=gina,ou=people,{BASE}");
    let gus = format!("uid=gus,ou=open,ou=projects,{BASE}");
    let entry = format!(
        "dn: {gina}\nobjectClass: inetOrgPerson\nobjectClass: posixAccount\nuid: gina\ncn: Gína\nsn: G\nuidNumber: 7\ngidNumber: 7\nhomeDirectory: /\n"
    );
    let change = |lines: &str| format!("dn: {gina}\nchangetype: modify\n{lines}\n");
    let steps = same(|target| {
        let alice = Some("alice");
        let modify = |lines: &str| step(target, "ldapmodify", alice, &[], &change(lines));
        vec![
            step(target, "ldapadd", alice, &[], &entry),
            step(target, "ldapadd", alice, &[], &entry),
            modify(
                "replace: mail\nmail: a@example.com\nmail: b@example.com\n-\nadd: userPassword\nuserPassword:: /wD+",
            ),
            modify("delete: mail\nmail: a@example.com"),
            modify("delete: telephoneNumber"),
            modify("increment: uidNumber\nuidNumber: 5"),
            modify("add: uidNumber\nuidNumber: x"),
            modify("delete: sn"),
            step(target, "ldapcompare", alice, &[&gina, "mail:b@example.com"], ""),
            step(target, "ldapcompare", alice, &[&gina, "mail:a@example.com"], ""),
            step(target, "ldapcompare", alice, &[&gina, "userPassword::/wD+"], ""),
            step(
                target,
                "ldapmodrdn",
                alice,
                &["-r", "-s", &format!("ou=open,ou=projects,{BASE}"), &gina, "uid=gus"],
                "",
            ),
            step(target, "ldapsearch", alice, &["-LLL", "-s", "base", "-b", &gus], ""),
            step(target, "ldapdelete", alice, &[&format!("ou=open,ou=projects,{BASE}")], ""),
            step(target, "ldapdelete", alice, &[&gus], ""),
            step(target, "ldapdelete", alice, &[&gus], ""),
            step(target, "ldapdelete", alice, &["-r", &format!("ou=open,ou=projects,{BASE}")], ""),
            step(target, "ldapadd", None, &[], &entry),
        ]
    });
    assert_eq!(codes(&steps), [0, 68, 0, 0, 16, 0, 21, 65, 6, 5, 6, 0, 0, 66, 0, 32, 0, 8]);
    assert!(output(&steps, 12).contains("uidNumber: 12"), "{steps:#?}");
}

#[test]
fn ldappasswd_and_ldapexop() {
    let steps = same(|target| {
        let whoami = |password: &str| target.ldap("ldapwhoami", None, &["-D", &person("carol"), "-w", password], "");
        let changed = step(target, "ldappasswd", Some("carol"), &["-a", "carol-secret", "-s", "n€w"], "");
        let old = whoami("carol-secret");
        let new = whoami("n€w");
        // The directory makes one up; nothing but its being there can be compared.
        let made = target.ldap("ldappasswd", Some("alice"), &[&person("carol")], "");
        vec![
            changed,
            ("old password".into(), old.code, old.stderr),
            ("new password".into(), new.code, new.stdout),
            ("password made by the directory".into(), made.code, made.stdout[..14].to_owned()),
            step(target, "ldapexop", Some("alice"), &["whoami"], ""),
            step(target, "ldappasswd", Some("alice"), &["-s", "x", &person("nobody")], ""),
        ]
    });
    assert_eq!(codes(&steps)[..5], [0, 49, 0, 0, 0]);
    assert_eq!(output(&steps, 3), "New password: ");
    assert_ne!(steps[5].1, 0);
}

#[test]
fn python_ldap() {
    let ran = same(|target| target.python("python_ldap.py"));
    assert_eq!((ran.code, ran.stdout.lines().last()), (0, Some("done")), "{ran:#?}");
}

#[test]
fn python_ldap3() {
    let ran = same(|target| target.python("python_ldap3.py"));
    assert_eq!((ran.code, ran.stdout.lines().last()), (0, Some("done")), "{ran:#?}");
}
