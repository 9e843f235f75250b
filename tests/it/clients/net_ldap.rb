# A session of net-ldap (Ruby) as GitLab has it: reads the rootDSE, pages every search without saying that it must, opens a
# connection for each operation or one for several, binds as whoever logs in. Prints what it is told.
require "net/ldap"

BASE = "dc=example,dc=com"
PEOPLE = "ou=people,#{BASE}"

def ldap(who, password, method)
  port = Integer(ENV.fetch(method == :start_tls ? "LDAP_PORT" : "LDAPS_PORT"))
  tls = { verify_mode: OpenSSL::SSL::VERIFY_PEER, ca_file: ENV.fetch("LDAP_CA") }
  auth = { method: :simple, username: who, password: password }
  Net::LDAP.new(host: "127.0.0.1", port: port, base: BASE, auth: auth, encryption: { method: method, tls_options: tls })
end

def told(what, ldap)
  result = ldap.get_operation_result
  puts "#{what} #{result.code} #{result.message} #{result.matched_dn}"
end

def show(entries)
  (entries || []).sort_by(&:dn).each do |entry|
    puts "  #{entry.dn}"
    entry.attribute_names.sort.each { |name| puts "    #{name}: #{entry[name].sort.join(', ')}" }
  end
end

if ARGV[0] == "protected"
  app = ldap("cn=app,ou=services,#{BASE}", "app-secret", :simple_tls)
  puts "login #{app.bind_as(filter: Net::LDAP::Filter.eq('uid', 'e01'), password: 'x').inspect}"
  puts "users #{app.search(filter: '(description=salary*)').size}"
  told("users", app)
  app.search(base: "uid=e01,ou=payroll,#{BASE}", scope: Net::LDAP::SearchScope_BaseObject)
  told("record", app)
  app.replace_attribute("uid=e01,ou=payroll,#{BASE}", :description, "salary 9")
  told("raise", app)
  puts "done"
  exit
end

%i[simple_tls start_tls].each do |method|
  app = ldap("cn=app,ou=services,#{BASE}", "app-secret", method)
  root = app.search_root_dse
  puts "contexts #{root[:namingcontexts].join(' ')}"
  puts "paged #{app.paged_searches_supported?}"
  puts "bind #{app.bind}"
  # A login: find the user, bind as the user, read the groups.
  user = app.bind_as(filter: Net::LDAP::Filter.eq("uid", "alice"), password: "alice-secret")
  puts "login #{user && user.first.dn}"
  puts "wrong #{app.bind_as(filter: Net::LDAP::Filter.eq('uid', 'alice'), password: 'wrong').inspect}"
  puts "nobody #{app.bind_as(filter: Net::LDAP::Filter.eq('uid', 'nobody'), password: 'wrong').inspect}"
  told("nobody", app)
  app.open do |open|
    filter = Net::LDAP::Filter.construct("(&(objectClass=inetOrgPerson)(uidNumber=*))")
    show(open.search(filter: filter, attributes: %w[dn uid cn mail userAccountControl], size: 1))
    told("one", open)
    show(open.search(filter: filter, attributes: %w[dn uid cn mail memberof userAccountControl]))
    told("all", open)
    show(open.search(filter: "(&(objectClass=groupOfNames)(member=uid=alice,#{PEOPLE}))", attributes: %w[dn cn member]))
    show(open.search(base: "uid=alice,#{PEOPLE}", scope: Net::LDAP::SearchScope_BaseObject, attributes: %w[uid]))
    open.search(base: "uid=nobody,#{PEOPLE}", scope: Net::LDAP::SearchScope_BaseObject)
    told("absent", open)
  end
  dn = "uid=ruby,#{PEOPLE}"
  app.add(dn: dn, attributes: { objectclass: %w[inetOrgPerson], uid: "ruby", cn: "R", sn: "R" })
  told("add", app)
  app.modify(dn: dn, operations: [[:add, :mail, "r@example.com"], [:replace, :sn, "S"]])
  told("modify", app)
  app.rename(olddn: dn, newrdn: "uid=rubin", delete_attributes: true)
  told("rename", app)
  app.delete(dn: "uid=rubin,#{PEOPLE}")
  told("delete", app)
  app.delete(dn: "uid=rubin,#{PEOPLE}")
  told("again", app)
end
puts "done"
