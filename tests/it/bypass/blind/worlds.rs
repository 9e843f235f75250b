//! Two directories, alike but for what is hidden, and what each answers.

use super::attacks::Attack;
use crate::support::ber::{children, tlv};
use crate::support::gate::{Gate, Setup};
use crate::support::ldap::{Client, Message, tag};
use crate::support::slapd::{BASE, Extra, Slapd, person};

/// Entries below `ou=vault`, and values of three attributes, for nobody to see.
const POLICY: &str = r#"
[[resource]]
name = "vault"
base = "ou=vault,dc=example,dc=com"
"#;
const ATTRIBUTES_POLICY: &str = r#"
[[resource]]
name = "numbers"
base = "dc=example,dc=com"
attributes = ["employeeNumber", "uidNumber", "carLicense"]
"#;

/// What the two differ in.
#[derive(Clone, Copy)]
pub(super) struct Hidden {
    policy: &'static [&'static str],
    ldif: [&'static str; 2],
}

/// Which entries there are below `ou=vault`, and what they say. Behind everything else, so that nothing else
/// gets another number in the directory.
pub(super) const ENTRIES: Hidden = Hidden {
    policy: &[POLICY],
    ldif: [
        "dn: ou=vault,dc=example,dc=com\nobjectClass: organizationalUnit\nou: vault\n\n\
         dn: uid=maybe,ou=vault,dc=example,dc=com\nobjectClass: inetOrgPerson\nuid: maybe\ncn: secret-17a\n\
         sn: secret-17a\nemployeeNumber: secret-17a\nuserPassword: maybe-secret\n\n\
         dn: uid=other,ou=vault,dc=example,dc=com\nobjectClass: inetOrgPerson\nuid: other\ncn: other\nsn: aaa\n\n",
        "dn: ou=vault,dc=example,dc=com\nobjectClass: organizationalUnit\nou: vault\ndescription: zecret-99\n\n",
    ],
};

/// What Eve's attributes say, and whether she has them.
pub(super) const ATTRIBUTES: Hidden = Hidden {
    policy: &[POLICY, ATTRIBUTES_POLICY],
    ldif: [
        "dn: uid=eve,ou=people,dc=example,dc=com\nobjectClass: inetOrgPerson\nobjectClass: posixAccount\nuid: eve\n\
         cn: eve\nsn: Surname\ntitle: open\nhomeDirectory: /nowhere\ngidNumber: 100\nuserPassword: eve-secret\n\
         employeeNumber: secret-17a\nuidNumber: 1234\ncarLicense: A-1\ncarLicense: B-2\n\n",
        "dn: uid=eve,ou=people,dc=example,dc=com\nobjectClass: inetOrgPerson\nobjectClass: posixAccount\nuid: eve\n\
         cn: eve\nsn: Surname\ntitle: open\nhomeDirectory: /nowhere\ngidNumber: 100\nuserPassword: eve-secret\n\
         employeeNumber: zecret-99\nuidNumber: 98765\n\n",
    ],
};

/// Open entries in both, some of which lead to what is hidden.
const COMMON: &str = "dn: cn=maybe,ou=aliases,dc=example,dc=com\nobjectClass: alias\nobjectClass: extensibleObject\n\
    cn: maybe\naliasedObjectName: uid=maybe,ou=vault,dc=example,dc=com\n\n\
    dn: cn=vault,ou=aliases,dc=example,dc=com\nobjectClass: alias\nobjectClass: extensibleObject\ncn: vault\n\
    aliasedObjectName: ou=vault,dc=example,dc=com\n\n\
    dn: cn=watch,ou=groups,dc=example,dc=com\nobjectClass: groupOfNames\ncn: watch\n\
    member: uid=alice,ou=people,dc=example,dc=com\n\n";

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
            let gate = Setup::default().policy(&hidden.policy.concat()).start(&slapd);
            World { gate: Some(gate), slapd }
        }))
    }

    pub(super) fn direct(hidden: Hidden) -> Worlds {
        Worlds(hidden.ldif.map(|ldif| World { gate: None, slapd: start(ldif) }))
    }
}

fn start(hidden: &str) -> Slapd {
    Slapd::with(Extra { ldif: format!("{COMMON}{hidden}"), ..Extra::default() })
}

/// Asks both the same, on one connection each for as long as it lasts; describes each answer that differs.
pub(super) fn differences(worlds: &Worlds, attacks: &[Attack]) -> Vec<String> {
    let [mut one, mut other] = [worlds.0[0].client(), worlds.0[1].client()];
    let mut found = Vec::new();
    for attack in attacks {
        let transcripts = [ask(&mut one, attack), ask(&mut other, attack)];
        if transcripts[0] != transcripts[1] {
            let [left, right] = transcripts.map(|messages| show(&messages));
            found.push(format!("{}:\n  {left}\n  {right}", attack.name));
        }
        // A new identity, or the end of the connection, on either side: both begin again.
        if attack.ends || found.len() % 100 == 99 || one.is_closed() || other.is_closed() {
            [one, other] = [worlds.0[0].client(), worlds.0[1].client()];
        }
    }
    found
}

/// All that is said to one request, with what no two directories have in common made alike.
fn ask(client: &mut Client, attack: &Attack) -> Vec<Message> {
    let id = client.send(&attack.operation, &attack.controls);
    let mut messages = Vec::new();
    while let Some(mut message) = client.receive() {
        if message.tag == tag::ENTRY {
            message.body = alike(&message.body);
        }
        // RFC 4533: identifiers and times again.
        let sync = message.controls.iter_mut().filter(|(oid, _)| oid.starts_with("1.3.6.1.4.1.4203.1.9.1."));
        sync.for_each(|(_, value)| value.clear());
        let last = message.id == 0 || message.id == id && ![tag::ENTRY, tag::REFERENCE, 0x79].contains(&message.tag);
        messages.push(message);
        if last {
            break;
        }
    }
    messages
}

/// An entry without the values that slapd makes: times, and identifiers.
fn alike(entry: &[u8]) -> Vec<u8> {
    let parts = children(entry);
    let mut attributes = Vec::new();
    for (_, attribute) in children(parts[1].1) {
        let name = String::from_utf8_lossy(children(attribute)[0].1).to_lowercase();
        match name.as_str() {
            "entryuuid" | "entrycsn" | "createtimestamp" | "modifytimestamp" | "contextcsn" | "pwdchangedtime" => {
                attributes.extend(tlv(0x04, name.as_bytes()));
            }
            _ => attributes.extend(tlv(0x30, attribute)),
        }
    }
    [tlv(0x04, parts[0].1), tlv(0x30, &attributes)].concat()
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
