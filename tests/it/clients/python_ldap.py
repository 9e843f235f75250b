"""A session of python-ldap (libldap): prints what it is told, so that two runs can be compared."""

import os

import ldap
import ldap.controls
import ldap.modlist

BASE = "dc=example,dc=com"
PEOPLE = "ou=people," + BASE

ldap.set_option(ldap.OPT_X_TLS_CACERTFILE, os.environ["LDAP_CA"])
ldap.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_DEMAND)
ldap.set_option(ldap.OPT_X_TLS_NEWCTX, 0)


def connect(starttls):
    port = os.environ["LDAP_PORT" if starttls else "LDAPS_PORT"]
    scheme = "ldap" if starttls else "ldaps"
    # Not localhost: libldap would check the certificate against this machine's own name.
    c = ldap.initialize("%s://127.0.0.1:%s" % (scheme, port))
    c.set_option(ldap.OPT_REFERRALS, 0)
    c.set_option(ldap.OPT_NETWORK_TIMEOUT, 20)
    c.timeout = 20
    if starttls:
        c.start_tls_s()
    return c


def show(what, call):
    try:
        print(what, call())
    except ldap.LDAPError as e:
        print(what, type(e).__name__, e.args[0].get("result"), e.args[0].get("matched"))


for starttls in (False, True):
    c = connect(starttls)
    show("anonymous", c.whoami_s)
    show("wrong password", lambda: c.simple_bind_s("uid=alice," + PEOPLE, "wrong")[0])
    show("still anonymous", c.whoami_s)
    show("bind", lambda: c.simple_bind_s("uid=dave," + PEOPLE, b"\xff\xfe\x80dave")[0])
    show("password of octets", c.whoami_s)
    show("bind", lambda: c.simple_bind_s("uid=alice," + PEOPLE, "alice-secret")[0])
    show("rebound", c.whoami_s)
    show("search", lambda: c.search_s(PEOPLE, ldap.SCOPE_ONELEVEL, "(uid=b*)", ["uid", "mail"]))
    show("attributes only", lambda: c.search_ext_s(PEOPLE, ldap.SCOPE_ONELEVEL, "(uid=bob)", ["uid"], attrsonly=1))
    show("size limit", lambda: c.search_ext_s(PEOPLE, ldap.SCOPE_SUBTREE, "(uid=*)", ["uid"], sizelimit=1))
    show("no such object", lambda: c.search_s("uid=x," + PEOPLE, ldap.SCOPE_BASE))

    page = ldap.controls.SimplePagedResultsControl(True, size=3, cookie="")
    seen = []
    while True:
        msgid = c.search_ext(PEOPLE, ldap.SCOPE_ONELEVEL, "(uid=*)", ["uid"], serverctrls=[page])
        _, data, _, controls = c.result3(msgid)
        seen.append([dn for dn, _ in data])
        page.cookie = controls[0].cookie
        if not page.cookie:
            break
    print("pages", seen)

    dn = "uid=zoë,%s" % PEOPLE
    entry = {"objectClass": [b"inetOrgPerson"], "uid": ["zoë".encode()], "cn": [b"Z"], "sn": [b"Z"],
             "jpegPhoto": [bytes(range(256))]}
    show("add", lambda: c.add_s(dn, ldap.modlist.addModlist(entry))[0])
    show("add again", lambda: c.add_s(dn, ldap.modlist.addModlist(entry))[0])
    show("photo", lambda: c.search_s(dn, ldap.SCOPE_BASE, attrlist=["jpegPhoto"])[0][1]["jpegPhoto"][0] == bytes(range(256)))
    show("by octets", lambda: [e[0] for e in c.search_s(PEOPLE, ldap.SCOPE_ONELEVEL, "(uid=zo\\c3\\ab)", ["1.1"])])
    show("modify", lambda: c.modify_s(dn, [(ldap.MOD_REPLACE, "title", [b"a", b"b"]), (ldap.MOD_DELETE, "title", [b"a"])])[0])
    show("compare true", lambda: c.compare_s(dn, "title", b"b"))
    show("compare false", lambda: c.compare_s(dn, "title", b"a"))
    show("compare absent", lambda: c.compare_s(dn, "mail", b"a"))
    show("rename", lambda: c.rename_s(dn, "uid=zoe", newsuperior=PEOPLE, delold=1)[0])
    show("password", lambda: c.passwd_s("uid=zoe," + PEOPLE, None, "zoe-secret"))
    show("other", lambda: c.search_s("uid=zoe," + PEOPLE, ldap.SCOPE_BASE, attrlist=["uid", "title"]))
    pending = c.search_ext(PEOPLE, ldap.SCOPE_SUBTREE, "(uid=*)", ["uid"])
    show("abandon", lambda: c.abandon_ext(pending))
    show("delete", lambda: c.delete_s("uid=zoe," + PEOPLE)[0])
    show("delete again", lambda: c.delete_s("uid=zoe," + PEOPLE)[0])
    c.unbind_s()

print("done")
