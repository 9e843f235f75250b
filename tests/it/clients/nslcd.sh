#!/bin/bash
# nslcd with its name service and PAM modules, in a mount namespace of its own, because where it keeps configuration and
# socket cannot be chosen: FOLDER [protected]. Prints what the system is told of users and groups.
set -euo pipefail
export LC_ALL=C.UTF-8
folder=$1
mkdir "$folder/run" "$folder/run/nslcd"
cp -a /etc "$folder/etc"
cat > "$folder/etc/nslcd.conf" <<CONFIGURATION
uid root
gid root
uri ldaps://127.0.0.1:$LDAPS_PORT/
base dc=example,dc=com
binddn cn=app,ou=services,dc=example,dc=com
bindpw app-secret
tls_cacertfile $LDAP_CA
tls_reqcert demand
nss_min_uid 1000
pam_authc_ppolicy yes
threads 2
CONFIGURATION
chmod 600 "$folder/etc/nslcd.conf"
printf 'passwd: files ldap\ngroup: files ldap\nshadow: files ldap\ninitgroups: files ldap\n' > "$folder/etc/nsswitch.conf"
printf 'auth required pam_ldap.so minimum_uid=1000\naccount required pam_ldap.so minimum_uid=1000\npassword required pam_ldap.so minimum_uid=1000\n' > "$folder/etc/pam.d/tidegate"
mount --make-rprivate /
mount --bind "$folder/etc" /etc
mount --bind "$folder/run" /run
/usr/sbin/nslcd -d > "$folder/nslcd.log" 2>&1 &
nslcd=$!
trap 'kill $nslcd' EXIT
for _ in $(seq 2000); do
    [ -S /run/nslcd/socket ] && break
    sleep 0.01
done
told() { local status=0; "$@" 2>&1 | sort || status=$?; echo "$* -> $status"; }
# To root PAM does not ask for the old password.
as() { setpriv --reuid="$1" --clear-groups "${@:2}"; }
if [ "${2:-}" = protected ]; then
    told getent passwd pat
    told getent passwd 2000
    told id -nG pat
    echo pat-secret | told pamtester tidegate pat authenticate
    getent passwd | grep -c '/nest/pat' || true
    told getent group clerks
else
    told getent passwd alice
    told getent passwd 1001
    told getent passwd nobody-at-all
    getent passwd | grep :/nowhere: | sort
    told getent group crew
    getent group | grep crew
    told id -nG alice
    echo alice-secret | told pamtester tidegate alice authenticate acct_mgmt
    echo wrong | told pamtester tidegate alice authenticate
    printf 'carol-secret\nnew-secret-1\nnew-secret-1\n' | told as 1002 pamtester tidegate carol chauthtok
    echo new-secret-1 | told pamtester tidegate carol authenticate
    echo carol-secret | told pamtester tidegate carol authenticate
fi
echo done
