"""A session of ldap3 (pure Python): prints what it is told, so that two runs can be compared."""

import os
import ssl

import ldap3
from ldap3.extend.microsoft import addMembersToGroups  # noqa: F401  (the whole library loads)

BASE = "dc=example,dc=com"
PEOPLE = "ou=people," + BASE


def connect(starttls, user=None, password=None):
    tls = ldap3.Tls(validate=ssl.CERT_REQUIRED, ca_certs_file=os.environ["LDAP_CA"])
    port = int(os.environ["LDAP_PORT" if starttls else "LDAPS_PORT"])
    server = ldap3.Server("localhost", port=port, use_ssl=not starttls, tls=tls, get_info=ldap3.ALL, connect_timeout=20)
    c = ldap3.Connection(server, user, password, auto_referrals=False, receive_timeout=20)
    c.open(read_server_info=False)
    if starttls:
        print("start tls", c.start_tls(read_server_info=False))
    print("bind", c.bind(read_server_info=True), c.result["result"])
    return c


def tell(what, c, more=None):
    r = c.result
    print(what, r["result"], r["description"], r["dn"], more)


for starttls in (False, True):
    connect(starttls, "uid=alice," + PEOPLE, "wrong").unbind()
    c = connect(starttls, "uid=alice," + PEOPLE, "alice-secret")
    print("contexts", c.server.info.naming_contexts)
    print("schema", "inetOrgPerson" in c.server.schema.object_classes, "uid" in c.server.schema.attribute_types)
    print("who", c.extend.standard.who_am_i())
    c.search(PEOPLE, "(&(objectClass=posixAccount)(!(uid=a*)))", attributes=["uid", "mail"])
    tell("search", c, [(e.entry_dn, e.entry_attributes_as_dict) for e in c.entries])
    pages = c.extend.standard.paged_search(PEOPLE, "(uid=*)", attributes=["uid"], paged_size=2, generator=True)
    print("pages", [p["dn"] for p in pages])
    dn = "uid=ida," + PEOPLE
    c.add(dn, ["inetOrgPerson"], {"uid": "ida", "cn": "Ida", "sn": "I"})
    tell("add", c)
    c.modify(dn, {"mail": [(ldap3.MODIFY_ADD, ["i@example.com"])], "sn": [(ldap3.MODIFY_REPLACE, ["J"])]})
    tell("modify", c)
    print("compare", c.compare(dn, "mail", "i@example.com"), c.compare(dn, "mail", "j@example.com"))
    c.modify_dn(dn, "uid=ina", new_superior="ou=open,ou=projects," + BASE)
    tell("rename", c)
    dn = "uid=ina,ou=open,ou=projects," + BASE
    print("password", c.extend.standard.modify_password(dn, None, "ina-secret"))
    print("rebind", c.rebind(dn, "ina-secret"), c.extend.standard.who_am_i())
    c.delete(dn)
    tell("delete", c)
    c.search(dn, "(objectClass=*)", ldap3.BASE)
    tell("gone", c)
    c.unbind()

print("done")
