//! The built-in directory as real clients see it.

use super::DIRECTORY;
use super::server::BuiltInDirectory;
use std::process::{Command, Output, Stdio};
use tokio::net::TcpListener;

const ALICE: &[&str] = &["-D", "uid=alice,ou=people,dc=example,dc=com", "-w", "alice-demo"];

/// Serves the directory in a thread of its own; gone with the process.
fn serve() -> String {
    let (say, hear) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            say.send(format!("ldap://{}", listener.local_addr().unwrap())).unwrap();
            BuiltInDirectory::load(DIRECTORY).unwrap().serve(listener).await;
        });
    });
    hear.recv().unwrap()
}

fn run(tool: &str, url: &str, arguments: &[&[&str]], input: &str) -> Output {
    use std::io::Write;
    let mut child = Command::new(tool)
        .args(["-x", "-H", url])
        .args(arguments.concat())
        .env("LDAPNOINIT", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// The exit code of OpenLDAP's tools is the result code.
fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// The names that a search finds.
fn found(url: &str, arguments: &[&str]) -> Vec<String> {
    let output = run("ldapsearch", url, &[ALICE, &["-LLL", "-o", "ldif-wrap=no"], arguments, &["1.1"]], "");
    assert_eq!(code(&output), 0, "{}", text(&output));
    String::from_utf8_lossy(&output.stdout).lines().filter_map(|l| l.strip_prefix("dn: ").map(str::to_owned)).collect()
}

#[test]
fn searches() {
    let url = serve();
    let payroll = "ou=payroll,dc=example,dc=com";
    assert_eq!(found(&url, &["-b", payroll, "-s", "base"]), [payroll]);
    assert_eq!(found(&url, &["-b", payroll, "-s", "one"]).len(), 4);
    assert_eq!(found(&url, &["-b", payroll]).len(), 5);
    assert_eq!(found(&url, &["-b", payroll, "-s", "children"]).len(), 4);
    assert_eq!(
        found(&url, &["-b", "dc=example,dc=com", "(&(objectClass=inetOrgPerson)(sn=a*)(!(uid=root-admin)))"]),
        ["employeeNumber=1001,ou=payroll,dc=example,dc=com", "uid=alice,ou=people,dc=example,dc=com"]
    );
    let member = "(member=UID=Alice,OU=people, dc=example,dc=com)";
    assert_eq!(found(&url, &["-b", "DC=Example,dc=com", member]), ["cn=hr,ou=groups,dc=example,dc=com"]);
    assert_eq!(found(&url, &["-b", payroll, "(employeeNumber>=1003)"]).len(), 2);
    assert_eq!(found(&url, &["-b", "dc=example,dc=com", "(userPassword=alice-demo)"]), [""; 0]);
    assert_eq!(found(&url, &["-b", payroll, "-E", "pr=2/noprompt"]).len(), 5);

    let limited = run("ldapsearch", &url, &[ALICE, &["-b", payroll, "-z", "2"]], "");
    assert_eq!((code(&limited), text(&limited).matches("dn: ").count()), (4, 2));
    let missing = run("ldapsearch", &url, &[&["-b", "uid=x,ou=y,dc=example,dc=com"]], "");
    assert_eq!(code(&missing), 32);
    assert!(
        text(&missing).contains("matchedDN: dc=example,dc=com")
            || text(&missing).contains("Matched DN: dc=example,dc=com"),
        "{}",
        text(&missing)
    );
    let control = run("ldapsearch", &url, &[&["-b", payroll, "-E", "!1.2.3.4"]], "");
    assert_eq!(code(&control), 12);
}

#[test]
fn attributes_are_selected_and_passwords_are_not_shown() {
    let url = serve();
    let person = ["-LLL", "-b", "uid=alice,ou=people,dc=example,dc=com"];
    let all = text(&run("ldapsearch", &url, &[&person, &["(uid=alice)", "*", "+"]], ""));
    assert!(all.contains("cn: Alice Archer") && all.contains("entryDN: uid=alice") && !all.contains("serPassword"));
    let some = text(&run("ldapsearch", &url, &[&person, &["(uid=alice)", "2.5.4.4", "userPassword"]], ""));
    assert!(some.contains("sn: Archer") && !some.contains("cn: ") && !some.contains("serPassword"), "{some}");
    let names = text(&run("ldapsearch", &url, &[&["-A"], &person, &["(uid=alice)", "sn"]], ""));
    assert!(names.contains("sn:") && !names.contains("Archer"));
    let root = text(&run("ldapsearch", &url, &[&["-LLL", "-b", "", "-s", "base", "+", "*"]], ""));
    assert!(root.contains("namingContexts: dc=example,dc=com") && root.contains("demonstrations only"), "{root}");
    let schema = text(&run("ldapsearch", &url, &[&["-LLL", "-b", "cn=subschema", "-s", "base", "attributeTypes"]], ""));
    assert!(schema.contains("( 2.5.4.3 NAME 'cn' EQUALITY caseIgnoreMatch )"), "{schema}");
}

#[test]
fn binds() {
    let url = serve();
    let alice = "uid=alice,ou=people,dc=example,dc=com";
    for (name, password, result) in [
        (alice, "alice-demo", 0),
        (alice, "wrong", 49),
        (alice, "", 53),
        ("uid=nobody,dc=example,dc=com", "x", 49),
        ("", "", 0),
    ] {
        let output = run("ldapwhoami", &url, &[&["-D", name, "-w", password]], "");
        assert_eq!(code(&output), result, "{name} {password}");
    }
    assert_eq!(text(&run("ldapwhoami", &url, &[ALICE], "")), format!("dn:{alice}\n"));
    assert_eq!(text(&run("ldapwhoami", &url, &[], "")), "anonymous\n");
}

#[test]
fn writes() {
    let url = serve();
    let entry = "dn: cn=new,ou=groups,dc=example,dc=com\nobjectClass: groupOfNames\nmember: cn=x\nuidNumber: 5\n";
    assert_eq!(code(&run("ldapadd", &url, &[], entry)), 8);
    assert_eq!(code(&run("ldapadd", &url, &[ALICE], entry)), 0);
    assert_eq!(code(&run("ldapadd", &url, &[ALICE], entry)), 68);
    assert_eq!(code(&run("ldapadd", &url, &[ALICE], "dn: cn=x,ou=nowhere,dc=example,dc=com\nobjectClass: top\n")), 32);
    let group = "cn=new,ou=groups,dc=example,dc=com";
    assert_eq!(found(&url, &["-b", group, "(cn=NEW)"]), [group]);

    for (change, result) in [
        ("add: member\nmember: cn=y\n", 0),
        ("add: member\nmember: CN=Y\n", 20),
        ("delete: member\nmember: cn=z\n", 16),
        ("replace: description\ndescription: a\n-\ndelete: member\nmember: cn=x\n", 0),
        ("add: description\ndescription: b\n-\ndelete: seeAlso\n", 16),
        ("increment: uidNumber\nuidNumber: 3\n", 0),
        ("delete: cn\n", 67),
        ("delete: objectClass\n", 65),
    ] {
        let output = run("ldapmodify", &url, &[ALICE], &format!("dn: {group}\nchangetype: modify\n{change}"));
        assert_eq!(code(&output), result, "{change}{}", text(&output));
    }
    assert_eq!(found(&url, &["-b", group, "(&(description=a)(!(description=b))(uidNumber=8)(member=cn=y))"]), [group]);

    for (value, result) in [("description:a", 6), ("description:b", 5), ("seeAlso:x", 16), ("userPassword:x", 50)] {
        assert_eq!(code(&run("ldapcompare", &url, &[ALICE, &[group, value]], "")), result, "{value}");
    }
    let rename = run("ldapmodrdn", &url, &[ALICE, &["-r", group, "cn=newer"]], "");
    assert_eq!(code(&rename), 0, "{}", text(&rename));
    assert_eq!(
        found(&url, &["-b", "ou=groups,dc=example,dc=com", "(cn=new*)"]),
        ["cn=newer,ou=groups,dc=example,dc=com"]
    );
    let under = ["-s", "ou=payroll,dc=example,dc=com", "ou=groups,dc=example,dc=com", "ou=teams"];
    assert_eq!(code(&run("ldapmodrdn", &url, &[ALICE, &under], "")), 0);
    assert_eq!(
        found(&url, &["-b", "ou=teams,ou=payroll,dc=example,dc=com", "(cn=hr)"]),
        ["cn=hr,ou=teams,ou=payroll,dc=example,dc=com"]
    );
}

#[test]
fn deletes_and_passwords() {
    let url = serve();
    let payroll = "ou=payroll,dc=example,dc=com";
    assert_eq!(code(&run("ldapdelete", &url, &[ALICE, &[payroll]], "")), 66);
    assert_eq!(code(&run("ldapdelete", &url, &[ALICE, &["employeeNumber=1001,ou=payroll,dc=example,dc=com"]], "")), 0);
    assert_eq!(code(&run("ldapdelete", &url, &[ALICE, &["-e", "!1.2.840.113556.1.4.805", payroll]], "")), 0);
    assert_eq!(found(&url, &["-b", "dc=example,dc=com", "(ou=payroll)"]), [""; 0]);

    let wrong = run("ldappasswd", &url, &[ALICE, &["-a", "wrong", "-s", "new"]], "");
    assert!(code(&wrong) != 0 && text(&wrong).contains("(53)"), "{}", text(&wrong));
    assert_eq!(code(&run("ldappasswd", &url, &[ALICE, &["-a", "alice-demo", "-s", "new"]], "")), 0);
    assert_eq!(code(&run("ldapwhoami", &url, &[ALICE], "")), 49);
    let alice = ["-D", "uid=alice,ou=people,dc=example,dc=com", "-w", "new"];
    let made = text(&run("ldappasswd", &url, &[&alice], ""));
    let made = made.trim().strip_prefix("New password: ").unwrap();
    assert_eq!(code(&run("ldapwhoami", &url, &[&["-D", alice[1], "-w", made]], "")), 0);
}
