//! Two directories, alike but for what is hidden, and what each answers.

use super::attacks::Attack;
use crate::support::gate::{Gate, Setup};
use crate::support::ldap::{Client, Message, tag};
use crate::support::slapd::{BASE, Extra, Slapd, person};

/// Entries below `ou=vault`, for nobody to see.
const VAULT: &str = r#"
[[resource]]
name = "vault"
base = "ou=vault,dc=example,dc=com"
"#;
const ROLES: &str = r#"
[[role]]
name = "reader"
allow = [{ resource = "RESOURCE", operations = ["search", "compare"] }]
eligible = ["anyone"]
approvers = ["dn:uid=bob,ou=people,dc=example,dc=com"]
max_duration = "4h"
"#;

/// What the two differ in, and what of it Alice holds.
#[derive(Clone, Copy)]
pub(super) struct Hidden {
    policy: &'static [&'static str],
    ldif: [&'static str; 2],
    /// What each of her grants is of: the resource, and how it is narrowed.
    grants: &'static [&'static [&'static str]],
    granted: &'static str,
}

/// Which entries there are below `ou=vault`, and what they say. Behind everything else, so that nothing else
/// gets another number in the directory.
pub(super) const ENTRIES: Hidden = Hidden {
    policy: &[VAULT],
    ldif: [
        "dn: ou=vault,dc=example,dc=com\nobjectClass: organizationalUnit\nou: vault\n\n\
         dn: uid=maybe,ou=vault,dc=example,dc=com\nobjectClass: inetOrgPerson\nuid: maybe\ncn: secret-17a\n\
         sn: secret-17a\nemployeeNumber: secret-17a\nuserPassword: maybe-secret\n\n\
         dn: uid=other,ou=vault,dc=example,dc=com\nobjectClass: inetOrgPerson\nuid: other\ncn: other\nsn: aaa\n\n",
        "dn: ou=vault,dc=example,dc=com\nobjectClass: organizationalUnit\nou: vault\ndescription: zecret-99\n\n",
    ],
    grants: &[],
    granted: "",
};

/// The same, of which she holds one entry that is there in both.
pub(super) const ENTRIES_BUT_ONE: Hidden = Hidden {
    ldif: [
        "dn: ou=vault,dc=example,dc=com\nobjectClass: organizationalUnit\nou: vault\ndescription: zecret-99\n\n\
         dn: uid=other,ou=vault,dc=example,dc=com\nobjectClass: inetOrgPerson\nuid: other\ncn: other\nsn: aaa\n\n\
         dn: uid=maybe,ou=vault,dc=example,dc=com\nobjectClass: inetOrgPerson\nuid: maybe\ncn: secret-17a\n\
         sn: secret-17a\nemployeeNumber: secret-17a\nuserPassword: maybe-secret\n\n",
        "dn: ou=vault,dc=example,dc=com\nobjectClass: organizationalUnit\nou: vault\n\n\
         dn: uid=other,ou=vault,dc=example,dc=com\nobjectClass: inetOrgPerson\nuid: other\ncn: other\nsn: aaa\n\n",
    ],
    grants: &[&["--base", "uid=other,ou=vault,dc=example,dc=com"]],
    granted: "vault",
    ..ENTRIES
};

/// What Eve's attributes say, and whether she has them.
pub(super) const ATTRIBUTES: Hidden = Hidden {
    policy: &[r#"
[[resource]]
name = "numbers"
base = "dc=example,dc=com"
attributes = ["employeeNumber", "uidNumber", "carLicense"]
"#],
    ldif: [
        "dn: uid=eve,ou=people,dc=example,dc=com\nobjectClass: inetOrgPerson\nobjectClass: posixAccount\nuid: eve\n\
         cn: eve\nsn: Surname\ntitle: open\nhomeDirectory: /nowhere\ngidNumber: 100\nuserPassword: eve-secret\n\
         employeeNumber: secret-17a\nuidNumber: 1234\ncarLicense: A-1\ncarLicense: B-2\n\n",
        "dn: uid=eve,ou=people,dc=example,dc=com\nobjectClass: inetOrgPerson\nobjectClass: posixAccount\nuid: eve\n\
         cn: eve\nsn: Surname\ntitle: open\nhomeDirectory: /nowhere\ngidNumber: 100\nuserPassword: eve-secret\n\
         employeeNumber: zecret-99\nuidNumber: 98765\n\n",
    ],
    grants: &[],
    granted: "",
};

/// The same, hidden in a part of what most searches reach: its filter is asked in stages.
pub(super) const ATTRIBUTES_IN_PART: Hidden = Hidden {
    policy: &[r#"
[[resource]]
name = "numbers"
base = "ou=people,dc=example,dc=com"
attributes = ["employeeNumber", "uidNumber", "carLicense"]
"#],
    ..ATTRIBUTES
};

/// The same by several resources, one within the other: in more ways than two.
pub(super) const ATTRIBUTES_IN_LAYERS: Hidden = Hidden {
    policy: &[r#"
[[resource]]
name = "cars"
base = "dc=example,dc=com"
attributes = ["carLicense"]

[[resource]]
name = "numbers"
base = "ou=people,dc=example,dc=com"
scope = "one"
attributes = ["uidNumber"]

[[resource]]
name = "eve"
base = "uid=eve,ou=people,dc=example,dc=com"
attributes = ["employeeNumber"]
"#],
    ..ATTRIBUTES
};

/// She holds one of the attributes everywhere, all of Alice's own, and what both directories say of it is the same.
pub(super) const ATTRIBUTES_BUT_SOME: Hidden = Hidden {
    ldif: [
        "dn: uid=eve,ou=people,dc=example,dc=com\nobjectClass: inetOrgPerson\nobjectClass: posixAccount\nuid: eve\n\
         cn: eve\nsn: Surname\ntitle: open\nhomeDirectory: /nowhere\ngidNumber: 100\nuserPassword: eve-secret\n\
         uidNumber: 1234\nemployeeNumber: secret-17a\ncarLicense: A-1\n\n",
        "dn: uid=eve,ou=people,dc=example,dc=com\nobjectClass: inetOrgPerson\nobjectClass: posixAccount\nuid: eve\n\
         cn: eve\nsn: Surname\ntitle: open\nhomeDirectory: /nowhere\ngidNumber: 100\nuserPassword: eve-secret\n\
         uidNumber: 98765\ncarLicense: A-1\n\n",
    ],
    grants: &[&["--attributes", "carLicense"], &["--base", "uid=alice,ou=people,dc=example,dc=com"]],
    granted: "numbers",
    ..ATTRIBUTES_IN_PART
};

/// People are hidden, and of each no more than some attributes is held.
pub(super) const ENTRIES_IN_PART: Hidden = Hidden {
    policy: &[r#"
[[resource]]
name = "people"
base = "ou=people,dc=example,dc=com"
operations = ["search", "compare", "add", "modify", "delete", "rename", "password"]
"#],
    grants: &[&["--attributes", "objectClass,uid,cn,sn,title,gidNumber"]],
    granted: "people",
    ..ATTRIBUTES
};

/// Open entries in both, some of which lead to what is hidden.
const COMMON: &str = "dn: cn=maybe,ou=aliases,dc=example,dc=com\nobjectClass: alias\nobjectClass: extensibleObject\n\
    cn: maybe\naliasedObjectName: uid=maybe,ou=vault,dc=example,dc=com\n\n\
    dn: cn=vault,ou=aliases,dc=example,dc=com\nobjectClass: alias\nobjectClass: extensibleObject\ncn: vault\n\
    aliasedObjectName: ou=vault,dc=example,dc=com\n\n\
    dn: cn=watch,ou=groups,dc=example,dc=com\nobjectClass: groupOfNames\ncn: watch\n\
    member: uid=alice,ou=people,dc=example,dc=com\nmember: uid=eve,ou=people,dc=example,dc=com\n\n\
    dn: cn=eve,ou=aliases,dc=example,dc=com\nobjectClass: alias\nobjectClass: extensibleObject\ncn: eve\n\
    aliasedObjectName: uid=eve,ou=people,dc=example,dc=com\n\n\
    dn: uid=open,ou=elsewhere,dc=example,dc=com\nobjectClass: inetOrgPerson\nobjectClass: posixAccount\nuid: open\n\
    cn: open\nsn: Surname\nhomeDirectory: /nowhere\ngidNumber: 100\nemployeeNumber: secret-17a\nuidNumber: 1234\n\
    carLicense: A-1\n\n";

struct World {
    gate: Option<Gate>,
    slapd: Slapd,
}

impl World {
    fn client(&self) -> Client {
        let mut client = match &self.gate {
            Some(gate) => gate.client(),
            None => Client::ldaps(self.slapd.ldaps, &self.slapd.authority.ca),
        };
        client.bind_as("alice");
        client
    }
}

/// Both of them.
pub(super) struct Worlds([World; 2]);

impl Worlds {
    pub(super) fn gated(hidden: Hidden) -> Worlds {
        Worlds(hidden.ldif.map(|ldif| {
            let slapd = start(ldif);
            let setup = Setup::default().policy(&hidden.policy.concat());
            let gate = match hidden.granted {
                "" => setup.start(&slapd),
                resource => setup.and(&ROLES.replace("RESOURCE", resource)).start(&slapd),
            };
            for narrowed in hidden.grants {
                gate.granted("alice", "reader", narrowed);
            }
            World { gate: Some(gate), slapd }
        }))
    }

    pub(super) fn direct(hidden: Hidden) -> Worlds {
        Worlds(hidden.ldif.map(|ldif| World { gate: None, slapd: start(ldif) }))
    }
}

fn start(hidden: &str) -> Slapd {
    Slapd::with(Extra { ldif: format!("{COMMON}{hidden}"), fixed: true, ..Extra::default() })
}

/// Asks both the same, on one connection each for as long as it lasts; describes each answer that differs.
pub(super) fn differences(worlds: &Worlds, attacks: &[Attack]) -> Vec<String> {
    let [mut one, mut other] = [worlds.0[0].client(), worlds.0[1].client()];
    let mut found = Vec::new();
    for attack in attacks {
        let transcripts = [ask(&mut one, attack), ask(&mut other, attack)];
        if transcripts[0] != transcripts[1] {
            let [left, right] = transcripts.map(|messages| show(&messages));
            let same = left.bytes().zip(right.bytes()).take_while(|(one, other)| one == other).count();
            let near = |text: &str| text[same.saturating_sub(100)..].to_owned();
            found.push(format!("{}:\n  {}\n  {}", attack.name, near(&left), near(&right)));
        }
        // A new identity, or the end of the connection, on either side: both begin again.
        if attack.ends || found.len() % 100 == 99 || one.is_closed() || other.is_closed() {
            [one, other] = [worlds.0[0].client(), worlds.0[1].client()];
        }
    }
    found
}

/// All that is said to one request.
fn ask(client: &mut Client, attack: &Attack) -> Vec<Message> {
    let id = client.send(&attack.operation, &attack.controls);
    let mut messages = Vec::new();
    while let Some(message) = client.receive() {
        let last = message.id == 0 || message.id == id && ![tag::ENTRY, tag::REFERENCE, 0x79].contains(&message.tag);
        messages.push(message);
        if last {
            break;
        }
    }
    messages
}

fn show(messages: &[Message]) -> String {
    let one = |message: &Message| {
        let controls: Vec<_> =
            message.controls.iter().map(|(oid, value)| format!("{oid}={}", value.escape_ascii())).collect();
        format!("{:#x} {} {controls:?}", message.tag, message.body.escape_ascii())
    };
    messages.iter().map(one).collect::<Vec<_>>().join(" | ")
}

/// A name below the base.
pub(super) fn below(name: &str) -> String {
    if name.is_empty() { BASE.to_owned() } else { format!("{name},{BASE}") }
}

pub(super) fn eve() -> String {
    person("eve")
}
