// A session of JNDI's LDAP provider (Jenkins, Keycloak, Spring): a pooled connection, referrals ignored, which
// adds ManageDsaIT to every operation, critical paging. Prints what it is told, so that two runs can be compared.
import java.io.FileInputStream;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.*;
import javax.naming.*;
import javax.naming.directory.*;
import javax.naming.ldap.*;
import javax.net.ssl.*;

public class Jndi {
    static final String BASE = "dc=example,dc=com", PEOPLE = "ou=people," + BASE, PAYROLL = "ou=payroll," + BASE;

    static LdapContext connect(String who, String password) throws NamingException {
        Hashtable<String, Object> env = new Hashtable<>();
        env.put(Context.INITIAL_CONTEXT_FACTORY, "com.sun.jndi.ldap.LdapCtxFactory");
        env.put(Context.PROVIDER_URL, "ldaps://localhost:" + System.getenv("LDAPS_PORT"));
        env.put(Context.SECURITY_AUTHENTICATION, "simple");
        env.put(Context.SECURITY_PRINCIPAL, who);
        env.put(Context.SECURITY_CREDENTIALS, password);
        env.put(Context.REFERRAL, "ignore");
        env.put("com.sun.jndi.ldap.connect.pool", "true");
        env.put("com.sun.jndi.ldap.connect.timeout", "20000");
        env.put("com.sun.jndi.ldap.read.timeout", "20000");
        env.put("java.naming.ldap.attributes.binary", "entryUUID objectGUID");
        return new InitialLdapContext(env, null);
    }

    interface Step { Object run() throws Exception; }

    static void told(String what, Step step) {
        try {
            System.out.println(what + " " + step.run());
        } catch (NamingException e) {
            String code = String.valueOf(e.getMessage()).replaceAll("(?s).*error code (\\d+).*", "$1");
            System.out.println(what + " " + e.getClass().getSimpleName() + " " + code);
        } catch (Exception e) {
            System.out.println(what + " " + e);
        }
    }

    static Object search(LdapContext context, String base, int scope, String filter, String... attributes) throws Exception {
        SearchControls controls = new SearchControls();
        controls.setSearchScope(scope);
        controls.setReturningAttributes(attributes);
        TreeSet<String> found = new TreeSet<>();
        NamingEnumeration<SearchResult> results = context.search(base, filter, controls);
        while (results.hasMore()) {
            SearchResult result = results.next();
            TreeSet<String> values = new TreeSet<>();
            for (Attribute attribute : Collections.list(result.getAttributes().getAll()))
                for (Object value : Collections.list(attribute.getAll()))
                    values.add(attribute.getID() + "=" + (value instanceof byte[] octets ? octets.length + " octets" : value));
            found.add("\n  " + result.getNameInNamespace() + " " + values);
        }
        return found.size() + " " + found;
    }

    static Object pages(LdapContext context, int size) throws Exception {
        byte[] cookie = null;
        int pages = 0;
        TreeSet<String> found = new TreeSet<>();
        SearchControls controls = new SearchControls();
        controls.setSearchScope(SearchControls.SUBTREE_SCOPE);
        controls.setReturningAttributes(new String[] {"uid"});
        do {
            context.setRequestControls(new Control[] {new PagedResultsControl(size, cookie, Control.CRITICAL)});
            NamingEnumeration<SearchResult> results = context.search(BASE, "(&(objectClass=inetOrgPerson)(uidNumber=*))", controls);
            while (results.hasMore()) found.add(results.next().getNameInNamespace());
            cookie = null;
            Control[] answers = context.getResponseControls();
            if (answers != null)
                for (Control answer : answers)
                    if (answer instanceof PagedResultsResponseControl page) cookie = page.getCookie();
            pages++;
        } while (cookie != null && cookie.length > 0);
        context.setRequestControls(null);
        return (pages > 1) + " " + found;
    }

    public static void main(String[] arguments) throws Exception {
        KeyStore trusted = KeyStore.getInstance(KeyStore.getDefaultType());
        trusted.load(null);
        try (FileInputStream file = new FileInputStream(System.getenv("LDAP_CA"))) {
            trusted.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(file));
        }
        TrustManagerFactory factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        factory.init(trusted);
        SSLContext tls = SSLContext.getInstance("TLS");
        tls.init(null, factory.getTrustManagers(), null);
        SSLContext.setDefault(tls);

        String app = "cn=app,ou=services," + BASE, alice = "uid=alice," + PEOPLE;
        LdapContext context = connect(app, "app-secret");
        int sub = SearchControls.SUBTREE_SCOPE, base = SearchControls.OBJECT_SCOPE;
        if (arguments.length > 0) {
            told("salaries", () -> search(context, BASE, sub, "(description=salary*)", "uid"));
            told("pages", () -> pages(context, 3).toString().contains("payroll"));
            told("record", () -> search(context, "uid=e01," + PAYROLL, base, "(objectClass=*)", "uid"));
            told("raise", () -> { context.modifyAttributes("uid=e01," + PAYROLL, DirContext.REPLACE_ATTRIBUTE, new BasicAttributes("description", "salary 9")); return ""; });
            told("login", () -> { connect("uid=e01," + PAYROLL, "x").close(); return ""; });
            System.out.println("done");
            return;
        }
        told("root", () -> context.getAttributes("", new String[] {"namingContexts", "supportedLDAPVersion"}).size());
        told("root", () -> context.getAttributes("", new String[] {"namingContexts"}).get("namingContexts"));
        told("user", () -> search(context, BASE, sub, "(&(objectClass=inetOrgPerson)(uid=alice))", "uid", "mail", "memberOf", "entryUUID", "modifyTimestamp".substring(0, 0) + "cn"));
        told("groups", () -> search(context, BASE, sub, "(&(objectClass=groupOfNames)(member=" + alice + "))", "cn", "member"));
        told("login", () -> { connect(alice, "alice-secret").close(); return "ok"; });
        told("wrong", () -> { connect(alice, "wrong").close(); return "ok"; });
        told("nobody", () -> { connect("uid=nobody," + PEOPLE, "x").close(); return "ok"; });
        told("pages", () -> pages(context, 3));
        // A referral is an entry here, because ManageDsaIT says so.
        told("away", () -> search(context, "ou=elsewhere," + BASE, sub, "(objectClass=*)", "ref"));
        told("absent", () -> search(context, "uid=nobody," + PEOPLE, base, "(objectClass=*)", "uid"));
        BasicAttributes entry = new BasicAttributes(true);
        for (String[] pair : new String[][] {{"objectClass", "inetOrgPerson"}, {"cn", "J"}, {"sn", "J"}, {"uid", "jay"}}) entry.put(pair[0], pair[1]);
        String jay = "uid=jay," + PEOPLE;
        told("add", () -> { context.createSubcontext(jay, entry).close(); return "ok"; });
        told("again", () -> { context.createSubcontext(jay, entry).close(); return "ok"; });
        told("modify", () -> { context.modifyAttributes(jay, new ModificationItem[] {new ModificationItem(DirContext.ADD_ATTRIBUTE, new BasicAttribute("mail", "j@example.com"))}); return "ok"; });
        told("compare", () -> search(context, jay, base, "(mail={0})".replace("{0}", "j@example.com"), "mail"));
        told("rename", () -> { context.rename(jay, "uid=jan," + PEOPLE); return "ok"; });
        told("delete", () -> { context.destroySubcontext("uid=jan," + PEOPLE); return "ok"; });
        told("schema", () -> context.getSchema("").lookup("AttributeDefinition/uid") != null);
        context.close();
        // From the pool: the connection that was given back.
        told("pooled", () -> search(connect(app, "app-secret"), BASE, sub, "(uid=bob)", "uid"));
        System.out.println("done");
    }
}
