//! Views of 389 Directory Server: a search below a view finds entries of other places.

use crate::support::ds389::Ds389;
use crate::support::eventually;
use crate::support::gate::Setup;
use crate::support::ldap::{Client, Search};
use crate::support::slapd::{BASE, SERVICE_DN, SERVICE_PASSWORD, person};

const POLICY: &str = r#"
[[resource]]
name = "payroll"
base = "ou=payroll,dc=example,dc=com"
"#;

#[test]
fn a_view_leads_to_nothing_that_is_hidden() {
    let server = Ds389::start();
    // An administrator has made it: of everybody with a description.
    let views = format!(
        "dn: ou=salaries,{BASE}\nobjectClass: organizationalUnit\nobjectClass: nsView\nou: salaries\n\
         nsViewFilter: (description=salary*)\n\n"
    );
    server.ldap("ldapadd", &[], &views).expect(0);
    let (port, ca) = (server.ldaps, server.authority.ca.clone());
    let lines = format!("urls = [\"ldaps://localhost:{port}\"]\nca = {ca:?}");
    let setup = Setup::default().policy(POLICY);
    let gate = setup.before(lines, (SERVICE_DN.into(), SERVICE_PASSWORD.into()), person).start_before();
    let mut direct = Client::ldaps(port, &ca);
    direct.bind_as("alice");
    let mut client = gate.client_as("alice");
    let base = format!("ou=salaries,{BASE}");
    // The directory goes by a view a moment after it has taken it.
    eventually("the view is there", || Some(()).filter(|()| direct.search(&Search::new(&base)).entries.len() > 2));
    for (scope, filter) in [(2, "(objectClass=*)"), (2, "(description=salary 1000)")] {
        let search = Search::new(&base).scope(scope).filter(filter);
        let all = direct.search(&search);
        let hidden = |dn: &str| dn.to_lowercase().ends_with(&format!("ou=payroll,{BASE}"));
        assert!(all.dns().iter().any(|dn| hidden(dn)), "the test tests nothing: {all:?}");
        let found = client.search(&search);
        assert_eq!(found.answer.code, 0, "{found:?}");
        assert!(!found.dns().iter().any(|dn| hidden(dn)), "{found:?}");
        // Nor do they count.
        let count = found.entries.len();
        for limit in [1, 2] {
            let limited = client.search(&search.clone().limit(limit));
            assert_eq!(limited.entries.len(), count.min(limit as usize), "{limited:?}");
            assert_eq!(limited.answer.code, if count > limit as usize { 4 } else { 0 }, "{limited:?}");
        }
    }
    let record = gate.audit.wait_for("the search", |r| r["operation"] == "search" && r["target"] == base.as_str());
    assert!(record["withheld"].as_u64() > Some(0), "{record}");
}
