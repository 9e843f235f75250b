# Makes the private Active Directory domain that tests/it/support/samba.rs starts: FOLDER ADDRESS.
# The same as `samba-tool domain provision`, but without the file shares' access control, which needs a
# file system that has it, and with nothing outside of FOLDER.
import logging
import os
import sys

from samba.auth import system_session
from samba.param import LoadParm
from samba.provision import provision

ROLE = "active directory domain controller"
folder, address = sys.argv[1:3]
scripts = f"{folder}/sysvol/example.com/scripts"
for name in ["private", "state", "cache", "lock/ncalrpc", scripts[len(folder) + 1:]]:
    os.makedirs(f"{folder}/{name}", exist_ok=True)
configuration = f"{folder}/smb.conf"
with open(configuration, "w") as file:
    file.write(f"""[global]
netbios name = DC
workgroup = EXAMPLE
realm = EXAMPLE.COM
server role = {ROLE}
server services = ldap
interfaces = {address}/8
bind interfaces only = yes
private dir = {folder}/private
state directory = {folder}/state
cache directory = {folder}/cache
lock directory = {folder}/lock
pid directory = {folder}/lock
ncalrpc dir = {folder}/lock/ncalrpc
log file = {folder}/log
xattr_tdb:file = {folder}/state/xattr.tdb
tls cafile = {folder}/ca.pem
tls certfile = {folder}/server.pem
tls keyfile = {folder}/server.key
[sysvol]
path = {folder}/sysvol
read only = no
[netlogon]
path = {scripts}
read only = no
""")
parameters = LoadParm()
parameters.load(configuration)
provision(logging.getLogger("provision"), system_session(), smbconf=configuration, lp=parameters, realm="EXAMPLE.COM",
          domain="EXAMPLE", hostname="dc", hostip=address, adminpass="Admin-secret-1", serverrole=ROLE,
          dom_for_fun_level=4, dns_backend="NONE", skip_sysvolacl=True)
