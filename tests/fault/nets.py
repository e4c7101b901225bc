"""Networks: what the user gets wrong with -netdev, -nic and -net is said in one line, that names it; what is right is there."""
# needs: programs
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'linux'))
from console import CEDE, Folder, check, skip     # noqa: E402

WRONG = (
    ('-netdev user', "'id' is missing"), ('-netdev id=x', "'type' is missing"), ('-netdev tapp,id=x', "'tapp'"), ('-netdev user,id=1x', "'id'"),
    ('-netdev user,id=a -netdev user,id=a', "Duplicate ID 'a'"), ('-netdev user,id=a,colour=blue', "Invalid parameter 'colour'"),
    ('-netdev user,id=a,restrict=perhaps', "'restrict'"), ('-netdev user,id=a,ipv4=off,ipv6=off', 'IPv4 and IPv6 disabled'),
    ('-netdev user,id=a,ipv4=off,net=10.0.0.0/8', 'IPv4 disabled'), ('-netdev user,id=a,net=10.0.2.0/33', 'netmask'),
    ('-netdev user,id=a,net=10.0.2.0/x', 'netmask'), ('-netdev user,id=a,host=1.2.3.4', "'host'"), ('-netdev user,id=a,host=here', 'host'),
    ('-netdev user,id=a,dns=10.0.3.3', "'dns'"), ('-netdev user,id=a,dhcpstart=10.0.2.255', "'dhcpstart'"),
    ('-netdev user,id=a,dns=10.0.2.2', 'the same'), ('-netdev user,id=a,ipv6-prefixlen=127', 'ipv6-prefixlen'),
    ('-netdev user,id=a,ipv6-net=fec0', 'ipv6-net'), ('-netdev user,id=a,hostname=' + 'x' * 256, 'hostname'),
    ('-netdev user,id=a,smb=/tmp', 'SMB'), ('-netdev user,id=a,hostfwd=tcp', '(No : separators)'),
    ('-netdev user,id=a,hostfwd=sctp::1-:2', '(Bad protocol name)'), ('-netdev user,id=a,hostfwd=tcp:x', '(Missing : separator)'),
    ('-netdev user,id=a,hostfwd=tcp:here:1-:2', '(Bad host address)'), ('-netdev user,id=a,hostfwd=tcp::1:2', '(Bad host port separator)'),
    ('-netdev user,id=a,hostfwd=tcp::65536-:2', '(Bad host port)'), ('-netdev user,id=a,hostfwd=tcp::1-2', '(Missing guest address)'),
    ('-netdev user,id=a,hostfwd=tcp::1-x:2', '(Bad guest address)'), ('-netdev user,id=a,hostfwd=tcp::1-:0', '(Bad guest port)'),
    ('-nic user,hostfwd=tcp:192.0.2.1:1-:2', 'Could not set up host forwarding rule'),
    ('-netdev user,id=a,guestfwd=tcp:10.0.2.100:7-tcp:1.2.3.4:5', 'Invalid guest forwarding rule'),
    ('-netdev user,id=a,guestfwd=tcp:10.9.2.100:7-cmd:cat', "'guestfwd'"), ('-nic user,model=e1000', 'e1000'), ('-nic user,mac=1:2', "'1:2'"),
    ('-nic tapp', "'tapp'"), ('-net nic,colour=blue', 'colour'), ('-net nic,netdev=n', "can't find value 'n'"), ('-net nic,x', 'KEY=VALUE'),
    ('-net hubport,hubid=1', 'hubport'), ('-net id=x', "'type'"), ('-net socket', 'exactly one'),
    ('-netdev socket,id=a', 'exactly one'), ('-netdev socket,id=a,listen=:1,connect=:2', 'exactly one'), ('-netdev socket,id=a,udp=h:1', 'mandatory'),
    ('-netdev socket,id=a,listen=:1,localaddr=h', 'localaddr'), ('-netdev socket,id=a,listen=1', "doesn't contain ':'"),
    ('-netdev socket,id=a,listen=h:', 'not HOST:PORT'), ('-netdev socket,id=a,fd=x', "'fd'"), ('-netdev socket,id=a,fd=77', 'descriptor'),
    ('-netdev socket,id=a,fd=1', '0 to 2'), ('-netdev socket,id=a,mcast=127.0.0.1:1', 'group'), ('-netdev socket,id=a,connect=127.0.0.1:1', 'refused'),
    ('-netdev socket,id=a,listen=192.0.2.1:1', '192.0.2.1:1'), ('-netdev stream,id=a', "'addr' is missing"),
    ('-netdev stream,id=a,addr.host=h', "'addr.type' is missing"), ('-netdev stream,id=a,addr.type=vsock', 'vsock'),
    ('-netdev stream,id=a,addr.type=inet,addr.host=h', 'needs host and port'), ('-netdev stream,id=a,addr.type=unix', 'needs path'),
    ('-netdev stream,id=a,addr.type=unix,addr.path=' + 'x' * 108, 'addr.path'), ('-netdev stream,id=a,addr.type=unix,addr.path=/nonexistent/s', '/nonexistent/s'),
    ('-netdev stream,id=a,addr.type=unix,addr.path=x,addr.host=h', 'type=inet'), ('-netdev stream,id=a,addr.type=unix,addr.path=x,addr.abstract=on', 'abstract'),
    ('-netdev stream,id=a,server=on,addr.type=unix,addr.path=x,reconnect=1', 'incompatible'), ('-netdev stream,id=a,reconnect=1,reconnect-ms=1', 'exclusive'),
    ('-netdev stream,id=a,server=on,addr.type=unix,addr.path=/nonexistent/s', '/nonexistent/s'), ('-netdev dgram,id=a', 'local='),
    ('-netdev dgram,id=a,local.type=unix,local.path=x', 'remote'), ('-netdev dgram,id=a,local.type=unix,local.path=x,remote.type=inet,remote.host=h,remote.port=1', 'the same'),
    ('-netdev dgram,id=a,local.type=fd,local.str=99', 'descriptor'), ('-netdev hubport,id=a', "'hubid' is missing"),
    ('-netdev hubport,id=a,hubid=1,netdev=n', "'n' not found"), ('-netdev user,id=n -netdev hubport,id=a,hubid=1,netdev=n -netdev hubport,id=b,hubid=1,netdev=n', 'in use'),
    ('-netdev user,id=n -netdev hubport,id=a,hubid=1,netdev=n -device virtio-net-pci,netdev=n', "it's in use"),
    ('-netdev hubport,id=a,hubid=1 -netdev hubport,id=b,hubid=1,netdev=a', 'a port itself'), ('-netdev tap,id=a,script=/bin/true', 'script=no'),
    ('-netdev tap,id=a,ifname=averyverylongname', "'ifname'"), ('-netdev tap,id=a,vhost=on', 'vhost'), ('-netdev user,id=a,queues=0', "'queues'"), ('-netdev user,id=a,queues=257', "'queues'"), ('-netdev socket,id=a,listen=127.0.0.1:65536', 'no port 65536'),
    ('-gdb tcp::65536', 'no port 65536'), ('-s -gdb tcp::9', 'one already'), ('-gdb tcp', "'tcp'"),
    ('-netdev tap,id=a,ifname=x,fd=7', 'exclusive'), ('-netdev tap,id=a,fd=88', 'descriptor'), ('-device virtio-net-pci,netdev=n', "can't find value 'n'"),
    ('-object rng-random,id=r', 'filter-dump'), ('-object filter-dump,id=d,netdev=n', 'needs'), ('-object filter-dump,id=d,file=x,netdev=n', "no netdev 'n'"),
    ('-object filter-dump,id=d,colour=x', 'colour'), ('-object filter-dump,id=d,maxlen=0', 'maxlen'),
    ('-nic user,id=n -object filter-dump,id=d,file=/nonexistent/x,netdev=n', '/nonexistent/x'),
    ('-nic user,id=n -object filter-dump,id=d,file=/dev/null,netdev=n', 'not a regular file'),
    ('-netdev user,id=a -device virtio-net-pci,netdev=a -device virtio-net-pci,netdev=a', "it's in use"),
)


def run(at, *options, commands='info qtree\n'):
    argv = [CEDE, '-m', '256M', '-nodefaults', '-S', '-bios', at('bios'), '-monitor', 'stdio', *options]
    return subprocess.run(argv, input=commands + 'quit\n', capture_output=True, text=True, timeout=20)


with Folder() as at:
    with open(at('bios'), 'wb') as f:
        f.write(b'\x48\0\0\0' * 64)
    if 'without libslirp' in run(at, '-nic', 'user').stderr:
        skip('this cede was built without libslirp')
    for line, names in WRONG:
        p = run(at, *line.split())
        check(p.returncode in (1, 2) and len(p.stderr.splitlines()) == 1 and names in p.stderr, line, (p.returncode, p.stderr))
    p = run(at, '-net', 'none', '-nic', 'none')
    check(p.returncode == 0 and not p.stderr and 'virtio' not in p.stdout, 'none', (p.stdout, p.stderr))
    p = run(at, '-nic', 'user,hostname=h,dnssearch=a.b,dnssearch=c.d,domainname=e,tftp=/tmp,bootfile=f,tftp-server-name=g,net=192.168.7.9,host=192.168.1.1,'
            'dns=192.168.1.2,dhcpstart=192.168.9.1,restrict=y,ipv6-net=fd00::/48,ipv6-host=fd00::7,ipv6-dns=fd00::8,guestfwd=:192.168.9.7:1-cmd:cat',
            '-nic', 'user,model=virtio,mac=02:00:00:00:00:01,ipv6=off', '-netdev', 'type=user,id=n.x_y-1,restrict', '-device', 'virtio-net-pci,netdev=n.x_y-1')
    check(p.returncode == 0 and not p.stderr, 'all-words', p.stderr)
    for text in ('netdev = "__org.qemu.nic0"', 'mac = "52:54:00:12:34:56"', 'netdev = "__org.qemu.nic1"', 'mac = "02:00:00:00:00:01"', 'netdev = "n.x_y-1"',
                 'mac = "52:54:00:12:34:57"'):
        check(text in p.stdout, text, p.stdout)
    # Without rights: one line that says so.
    os.chmod(at.path, 0o755)
    if os.geteuid() == 0 and os.path.exists('/dev/net/tun'):
        p = subprocess.run(['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', CEDE, '-nodefaults', '-bios', at('bios'), '-S', '-nic', 'tap,ifname=x'], capture_output=True, text=True)
        if p.returncode != 127:
            check(p.returncode == 1 and len(p.stderr.splitlines()) == 1 and '/dev/net/tun' in p.stderr, 'tap-without-rights', p.stderr)
    p = run(at, '-nic', 'user,model=spapr-vlan', '-nic', 'user,model=ibmveth,mac=00:02:00:00:00:01', commands='info network\ninfo qtree\n')
    for text in ('l-lan@71000001: index=0,type=nic,model=spapr-vlan,macaddr=52:54:00:12:34:56\n \\ __org.qemu.nic0: index=0,type=user',
                 'l-lan@71000002: index=0,type=nic,model=spapr-vlan,macaddr=00:02:00:00:00:01', 'dev: spapr-vlan, id ""', 'netdev = "__org.qemu.nic1"'):
        check(text in p.stdout.replace('\r', ''), text, p.stdout)
    p = run(at, '-netdev', 'user,id=alone')
    check(p.returncode == 0 and len(p.stderr.splitlines()) == 1 and 'no card' in p.stderr, 'a-network-without-a-card', p.stderr)
    for option, text in ('-netdev', 'user'), ('-nic', 'virtio-net-pci'):
        p = subprocess.run([CEDE, option, 'help'], capture_output=True, text=True)
        check(p.returncode == 0 and text in p.stdout, option + '-help', p.stdout)
