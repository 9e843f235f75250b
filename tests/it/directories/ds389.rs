//! 389 Directory Server, and what is different about it.

use super::attributes::every_type_is_known;
use super::{Directory, groups_in_groups, scenario};
use crate::support::ds389::{Ds389, MANAGER, MANAGER_PASSWORD};
use crate::support::eventually;
use crate::support::gate::Gate;
use crate::support::ldap::{Client, SCOPE_BASE, Search, bind_request};
use crate::support::slapd::{BASE, SERVICE_DN, SERVICE_PASSWORD, password, person};

/// Comes with the answer to a bind with a password that has to be changed.
const MUST_CHANGE: &str = "2.16.840.1.113730.3.4.4";

#[test]
fn the_main_scenario() {
    let server = Ds389::start();
    let (port, ca) = (server.ldaps, server.authority.ca.clone());
    let directory = Directory {
        lines: format!("urls = [\"ldaps://localhost:{port}\"]\nca = {ca:?}"),
        connect: Box::new(move || Client::ldaps(port, &ca)),
        names: person,
        password,
        app: (format!("cn=app,ou=services,{BASE}"), "app-secret".into()),
        service: (SERVICE_DN.into(), SERVICE_PASSWORD.into()),
        record: format!("uid=e01,ou=payroll,{BASE}"),
        payroll: format!("ou=payroll,{BASE}"),
        groups: format!("ou=groups,{BASE}"),
        class: "person",
    };
    let gate = directory.gate("");
    scenario(&directory, &gate);
    assert_eq!(every_type_is_known(&mut (directory.connect)()), [""; 0]);
    entries_in_one_value(&directory, &gate);
    groups_in_groups(&directory, &gate, "groupOfNames", &|tool, data| _ = server.ldap(tool, &[], data).expect(0));
    own_ways(&directory, &gate, &server);
}

/// `nscpEntryWSI` is the entry as it is stored, all of it; shown to the manager.
fn entries_in_one_value(directory: &Directory, gate: &Gate) {
    let stored = |client: &mut Client, name: &str| {
        assert_eq!(client.bind(MANAGER, MANAGER_PASSWORD).code, 0);
        let search = Search::new(person(name)).scope(SCOPE_BASE).attributes(&["nscpEntryWSI"]);
        client.search(&search).entries.remove(0).attributes
    };
    let (mut direct, mut gated) = ((directory.connect)(), gate.client());
    let all = stored(&mut direct, "root-admin");
    let text: Vec<_> = all.iter().flat_map(|(_, values)| values).map(|value| String::from_utf8_lossy(value)).collect();
    assert!(text.iter().any(|line| line.contains("555")), "the test tests nothing: {text:?}");
    assert_eq!(stored(&mut gated, "root-admin"), []);
    assert_eq!(stored(&mut gated, "alice"), stored(&mut direct, "alice"));
}

/// Trees of its own beside the data, controls that come unasked with a bind.
fn own_ways(directory: &Directory, gate: &Gate, server: &Ds389) {
    let (mut direct, mut app) = ((directory.connect)(), gate.client());
    for client in [&mut direct, &mut app] {
        assert_eq!(client.bind(&directory.app.0, &directory.app.1).code, 0);
    }
    assert_eq!(direct.who_am_i().replace(": ", ":"), app.who_am_i().replace(": ", ":"));
    for tree in ["cn=config", "cn=monitor", "cn=changelog", "cn=userRoot,cn=ldbm database,cn=plugins,cn=config"] {
        assert_eq!(app.search(&Search::new(tree)).summary(), (32, vec![]), "{tree}");
    }
    let away = Search::new(format!("cn=away,ou=elsewhere,{BASE}")).scope(SCOPE_BASE);
    // Whether or not it takes this entry for a referral: nobody is referred to elsewhere.
    let (one, two) = (direct.search(&away), app.search(&away));
    assert_eq!(two.answer.code, if one.answer.code == 10 { 53 } else { one.answer.code });
    assert_eq!(two.references, 0);
    // A password that has to be changed: the old kind of control comes with the bind's answer.
    let policy = "dn: cn=config\nchangetype: modify\nreplace: passwordMustChange\npasswordMustChange: on\n";
    server.ldap("ldapmodify", &[], policy).expect(0);
    let reset =
        format!("dn: {}\nchangetype: modify\nreplace: userPassword\nuserPassword: reset-secret\n", person("erin"));
    server.ldap("ldapmodify", &[], &reset).expect(0);
    let told = |mut client: Client| {
        let id = client.send(&bind_request(&person("erin"), b"reset-secret"), &[]);
        let message = client.receive_for(id);
        // Until it is changed, nothing else is possible; that is the directory's own answer too.
        (message.answer(), message.controls, client.search(&away).answer.code == 0)
    };
    // The directory goes by a change of its configuration a moment after it has answered it.
    let itself = eventually("389 Directory Server wants another password", || {
        Some(told((directory.connect)())).filter(|(_, controls, _)| controls.iter().any(|(oid, _)| oid == MUST_CHANGE))
    });
    assert_eq!(itself, told(gate.client()));
}
