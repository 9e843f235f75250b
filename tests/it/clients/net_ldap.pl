# A session of Net::LDAP (Perl): prints what it is told, so that two runs can be compared. "protected" as
# argument: what it is told of what is protected.
use strict;
use warnings;
use Net::LDAP;
use Net::LDAP::Constant qw(LDAP_CONTROL_PAGED);
use Net::LDAP::Control::Paged;
use Net::LDAP::Control::ManageDsaIT;
use Net::LDAP::Control::PasswordPolicy;
use Net::LDAP::Control::Sort;
use Net::LDAP::Extension::SetPassword;
use Net::LDAP::Extension::WhoAmI;

my $base = "dc=example,dc=com";
my $people = "ou=people,$base";
my %tls = (verify => "require", cafile => $ENV{LDAP_CA});

sub told {
    my ($what, $result) = @_;
    print "$what ", $result->code, " ", $result->error_name, " ", $result->dn // "", "\n";
    return $result;
}

sub entries {
    for my $entry (sort { $a->dn cmp $b->dn } $_[0]->entries) {
        print "  ", $entry->dn, "\n";
        for my $name (sort $entry->attributes) {
            print "    $name: ", join(", ", sort $entry->get_value($name)), "\n";
        }
    }
}

if (($ARGV[0] // "") eq "protected") {
    my $ldap = Net::LDAP->new("ldaps://127.0.0.1:$ENV{LDAPS_PORT}", %tls) or die $@;
    told("bind", $ldap->bind("uid=alice,$people", password => "alice-secret"));
    my $found = told("salaries", $ldap->search(base => $base, filter => "(description=salary*)"));
    print "found ", $found->count, "\n";
    told("record", $ldap->search(base => "uid=e01,ou=payroll,$base", scope => "base", filter => "(objectClass=*)"));
    told("raise", $ldap->modify("uid=e01,ou=payroll,$base", replace => { description => "salary 9" }));
    told("dismiss", $ldap->delete("uid=e01,ou=payroll,$base"));
    told("compare", $ldap->compare("uid=e01,ou=payroll,$base", attr => "description", value => "salary 1000"));
    print "done\n";
    exit 0;
}

for my $starttls (0, 1) {
    my $url = $starttls ? "ldap://127.0.0.1:$ENV{LDAP_PORT}" : "ldaps://127.0.0.1:$ENV{LDAPS_PORT}";
    my $ldap = Net::LDAP->new($url, $starttls ? () : %tls) or die $@;
    told("start tls", $ldap->start_tls(%tls)) if $starttls;
    print "contexts ", join(", ", $ldap->root_dse->get_value("namingContexts")), "\n";
    my $policy = Net::LDAP::Control::PasswordPolicy->new;
    told("wrong password", $ldap->bind("uid=alice,$people", password => "wrong", control => [$policy]));
    told("no password", $ldap->bind("uid=alice,$people", password => ""));
    told("bind", $ldap->bind("uid=alice,$people", password => "alice-secret", control => [$policy]));
    print "who ", $ldap->who_am_i->response, "\n";
    my $schema = $ldap->schema;
    print "schema ", $schema->attribute("uid")->{oid}, " ", scalar($schema->all_objectclasses) > 20 ? "whole" : "cut", "\n";
    my $accounts = "(&(objectClass=posixAccount)(uidNumber>=1001)(!(uid=root*)))";
    entries(told("search", $ldap->search(base => $base, filter => $accounts, attrs => ["uid", "mail", "memberOf"])));
    entries(told("nobody", $ldap->search(base => "uid=x,$people", filter => "(uid=*)")));
    my $sort = Net::LDAP::Control::Sort->new(order => "-uidNumber");
    my $sorted = told("sorted", $ldap->search(base => $people, filter => "(uid=*)", attrs => ["uid"], control => [$sort]));
    print "order ", join(" ", map { $_->get_value("uid") } $sorted->entries), "\n";
    my ($page, @seen) = (Net::LDAP::Control::Paged->new(size => 3));
    while (1) {
        my $found = told("page", $ldap->search(base => $base, filter => "(uidNumber=*)", attrs => ["1.1"], control => [$page]));
        push @seen, map { $_->dn } $found->entries;
        my ($answer) = $found->control(LDAP_CONTROL_PAGED) or last;
        my $cookie = $answer->cookie or last;
        $page->cookie($cookie);
    }
    print "seen ", join(" ", sort @seen), "\n";
    my $dn = "uid=per,$people";
    my @entry = (objectClass => ["inetOrgPerson"], uid => "per", cn => "Per", sn => "P", jpegPhoto => "\x00\xff\xfe");
    told("add", $ldap->add($dn, attrs => \@entry));
    told("again", $ldap->add($dn, attrs => \@entry));
    told("modify", $ldap->modify($dn, add => { mail => "p\@example.com" }, replace => { sn => "Q" }, delete => ["jpegPhoto"]));
    told("compare", $ldap->compare($dn, attr => "mail", value => "p\@example.com"));
    told("rename", $ldap->moddn($dn, newrdn => "uid=pia", newsuperior => "ou=open,ou=projects,$base", deleteoldrdn => 1));
    my $pia = "uid=pia,ou=open,ou=projects,$base";
    told("password", $ldap->set_password(user => $pia, newpasswd => "pia-secret"));
    told("rebind", $ldap->bind($pia, password => "pia-secret"));
    my $manage = Net::LDAP::Control::ManageDsaIT->new(critical => 1);
    told("delete", $ldap->delete($pia, control => [$manage]));
    told("gone", $ldap->search(base => $pia, scope => "base", filter => "(objectClass=*)"));
    $ldap->unbind;
}
print "done\n";
