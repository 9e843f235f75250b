//! OpenLDAP, so that the scenario of the others is known to be one.

use super::{Directory, scenario};
use crate::support::ldap::Client;
use crate::support::slapd::{BASE, SERVICE_DN, SERVICE_PASSWORD, Slapd, password, person};

#[test]
fn the_main_scenario() {
    let slapd = Slapd::start();
    let (port, ca) = (slapd.ldaps, slapd.authority.ca.clone());
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
    scenario(&directory, &directory.gate(""));
}
