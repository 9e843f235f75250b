//! 389 Directory Server, and what is different about it.

use super::{Directory, scenario};
use crate::support::ds389::Ds389;
use crate::support::ldap::Client;
use crate::support::slapd::{BASE, SERVICE_DN, SERVICE_PASSWORD, password, person};

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
}
