<?php
// A session of PHP's ldap extension, as Nextcloud and phpLDAPadmin use it: prints what it is told.
putenv('LDAPTLS_CACERT=' . getenv('LDAP_CA'));
const BASE = 'dc=example,dc=com';
const PEOPLE = 'ou=people,' . BASE;

function told(string $what, $link): void {
    ldap_get_option($link, LDAP_OPT_MATCHED_DN, $matched);
    echo $what, ' ', ldap_errno($link), ' ', ldap_error($link), ' ', $matched, "\n";
}

function delete_tree($link, string $dn): void {
    $result = ldap_delete_ext($link, $dn, [['oid' => '1.2.840.113556.1.4.805', 'iscritical' => true]]);
    ldap_parse_result($link, $result, $code);
    echo "delete the tree $code\n";
}

function show($link, $result): void {
    $entries = $result ? ldap_get_entries($link, $result) : ['count' => 0];
    $out = [];
    for ($n = 0; $n < $entries['count']; $n++) {
        $entry = $entries[$n];
        $lines = '  ' . $entry['dn'] . "\n";
        $names = array_filter(array_keys($entry), fn($name) => is_array($entry[$name]));
        sort($names);
        foreach ($names as $name) {
            $values = $entry[$name];
            unset($values['count']);
            sort($values);
            // When and by which change something was written differs between two directories.
            $moving = in_array($name, ['entryuuid', 'entrycsn', 'createtimestamp', 'modifytimestamp', 'contextcsn']);
            $lines .= "    $name: " . ($moving ? count($values) : implode(', ', array_map('addslashes', $values))) . "\n";
        }
        $out[] = $lines;
    }
    sort($out);
    echo implode('', $out);
}

function connect(bool $starttls) {
    $link = ldap_connect(($starttls ? 'ldap://127.0.0.1:' . getenv('LDAP_PORT') : 'ldaps://127.0.0.1:' . getenv('LDAPS_PORT')));
    ldap_set_option($link, LDAP_OPT_PROTOCOL_VERSION, 3);
    ldap_set_option($link, LDAP_OPT_REFERRALS, 0);
    ldap_set_option($link, LDAP_OPT_NETWORK_TIMEOUT, 20);
    if ($starttls) {
        echo 'start tls ', ldap_start_tls($link) ? 'ok' : 'no', "\n";
    }
    return $link;
}

function page($link, string $filter, array $attributes, int $size): void {
    [$cookie, $pages] = ['', 0];
    do {
        $control = [['oid' => LDAP_CONTROL_PAGEDRESULTS, 'value' => ['size' => $size, 'cookie' => $cookie], 'iscritical' => false]];
        $result = @ldap_search($link, BASE, $filter, $attributes, 0, 0, 0, LDAP_DEREF_NEVER, $control);
        told('page', $link);
        show($link, $result);
        ldap_parse_result($link, $result, $code, $matched, $message, $referrals, $answers);
        $cookie = $answers[LDAP_CONTROL_PAGEDRESULTS]['value']['cookie'] ?? '';
    } while ($cookie !== '' && ++$pages < 100);
}

error_reporting(E_ERROR);
if (($argv[1] ?? '') === 'protected') {
    $link = connect(false);
    ldap_bind($link, 'uid=alice,' . PEOPLE, 'alice-secret');
    told('bind', $link);
    show($link, ldap_search($link, BASE, '(description=salary*)'));
    told('salaries', $link);
    ldap_read($link, 'uid=e01,ou=payroll,' . BASE, '(objectClass=*)');
    told('record', $link);
    ldap_mod_replace($link, 'uid=e01,ou=payroll,' . BASE, ['description' => 'salary 9']);
    told('raise', $link);
    delete_tree($link, 'ou=payroll,' . BASE);
    ldap_bind($link, 'uid=e01,ou=payroll,' . BASE, 'x');
    told('login', $link);
    echo "done\n";
    exit(0);
}

foreach ([false, true] as $starttls) {
    $link = connect($starttls);
    // Nextcloud: what paging is like, a service bind, users by filter and by UUID, groups by memberOf; a login is a bind.
    show($link, ldap_read($link, '', '(objectClass=*)', ['namingContexts', 'supportedLDAPVersion', 'vendorName']));
    ldap_bind($link, 'cn=app,ou=services,' . BASE, 'wrong');
    told('wrong', $link);
    ldap_bind($link, 'cn=app,ou=services,' . BASE, 'app-secret');
    told('service', $link);
    page($link, '(&(|(objectclass=inetOrgPerson))(uidNumber=*))', ['entryuuid', 'nsuniqueid', 'objectguid', 'guid', 'ipauniqueid', 'dn', 'uid', 'samaccountname', 'memberof', 'mail', 'displayname', 'jpegphoto', 'quota'], 3);
    $entries = ldap_get_entries($link, ldap_search($link, BASE, '(uid=alice)', ['entryuuid']));
    $uuid = $entries[0]['entryuuid'][0];
    show($link, ldap_search($link, BASE, "(entryUUID=$uuid)", ['uid']));
    told('by uuid', $link);
    show($link, ldap_search($link, BASE, '(&(objectclass=groupOfNames)(cn=*)(member=uid=alice,' . PEOPLE . '))', ['cn', 'dn', 'member']));
    // slapd keeps memberOf of what is written while it runs.
    $crew = 'cn=crew,ou=groups,' . BASE;
    ldap_add($link, $crew, ['objectClass' => 'groupOfNames', 'cn' => 'crew', 'member' => ['uid=alice,' . PEOPLE]]);
    show($link, ldap_search($link, BASE, "(&(objectclass=inetOrgPerson)(memberof=$crew))", ['uid', 'memberof']));
    ldap_delete($link, $crew);
    told('crew', $link);
    show($link, ldap_read($link, 'uid=nobody,' . PEOPLE, '(objectClass=*)', ['dn']));
    told('nobody', $link);
    ldap_bind($link, 'uid=alice,' . PEOPLE, 'alice-secret');
    told('login', $link);
    // phpLDAPadmin: rootDSE, schema, `* +` of entries as they are (ManageDsaIT), children counted, a tree deleted.
    show($link, ldap_read($link, '', '(objectClass=*)', ['subschemaSubentry']));
    $schema = ldap_get_entries($link, ldap_read($link, 'cn=Subschema', '(objectClass=subschema)', ['attributetypes', 'objectclasses', 'ldapsyntaxes', 'matchingrules']));
    echo 'schema ', $schema[0]['attributetypes']['count'], ' ', $schema[0]['objectclasses']['count'], "\n";
    $manage = [['oid' => LDAP_CONTROL_MANAGEDSAIT, 'iscritical' => true]];
    show($link, ldap_read($link, 'cn=away,ou=elsewhere,' . BASE, '(objectClass=*)', ['*', '+'], 0, 0, 0, LDAP_DEREF_NEVER, $manage));
    told('away', $link);
    show($link, ldap_list($link, 'ou=groups,' . BASE, '(objectClass=*)', ['dn'], 0, 2));
    told('children', $link);
    $tree = 'ou=php,ou=open,ou=projects,' . BASE;
    ldap_add($link, $tree, ['objectClass' => 'organizationalUnit', 'ou' => 'php']);
    told('add', $link);
    ldap_add($link, "ou=leaf,$tree", ['objectClass' => 'organizationalUnit', 'ou' => 'leaf']);
    ldap_modify_batch($link, "ou=leaf,$tree", [['attrib' => 'description', 'modtype' => LDAP_MODIFY_BATCH_ADD, 'values' => ['x']]]);
    told('modify', $link);
    echo 'compare ', ldap_compare($link, "ou=leaf,$tree", 'description', 'x') === true ? 'true' : 'not', "\n";
    ldap_rename($link, "ou=leaf,$tree", 'ou=twig', $tree, true);
    told('rename', $link);
    delete_tree($link, $tree);
    ldap_delete($link, "ou=twig,$tree");
    ldap_delete($link, $tree);
    told('delete', $link);
    ldap_exop_passwd($link, 'uid=alice,' . PEOPLE, 'alice-secret', 'alice-secret');
    told('password', $link);
    echo 'who ', ldap_exop_whoami($link), "\n";
    ldap_unbind($link);
}
echo "done\n";
