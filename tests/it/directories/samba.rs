//! Active Directory, as Samba's domain controller has it, and what is different about it.

use super::{Directory, scenario};
use crate::support::ldap::Client;
use crate::support::samba::{PASSWORD, Samba, person};
use crate::support::slapd::BASE;

#[test]
fn the_main_scenario() {
    let samba = Samba::start();
    let (address, ca) = (samba.address.clone(), samba.authority.ca.clone());
    let directory = Directory {
        lines: format!("urls = [\"ldaps://{address}\"]\nca = {ca:?}"),
        connect: Box::new(move || Client::ldaps_at(&address, 636, &ca)),
        names: person,
        password: |_| PASSWORD.to_owned(),
        app: (person("app"), PASSWORD.into()),
        service: (person("tidegate"), PASSWORD.into()),
        record: format!("CN=e01,OU=payroll,{BASE}"),
        payroll: format!("OU=payroll,{BASE}"),
        groups: format!("OU=groups,{BASE}"),
        class: "user",
    };
    let gate = directory.gate("");
    scenario(&directory, &gate);
}
