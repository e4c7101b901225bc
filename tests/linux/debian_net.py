"""The installed Debian (make debian) on a network of the host's: packages out of a repository there, ssh in, a gigabyte each way.

    debian_net.py [MIB]     so much each way: 1024
"""
# needs: programs guest
import functools
import hashlib
import http.server
import os
import shutil
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from console import GUEST, Folder, Machine, check, need, skip     # noqa: E402

DISK = os.path.abspath(GUEST + '/debian.qcow2')
TEXT = 'from the host'


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def make_repository(at):
    """One package, and the list of it."""
    os.makedirs(at + '/tree/DEBIAN')
    with open(at + '/tree/DEBIAN/control', 'w') as f:
        f.write('Package: cede-sample\nVersion: 1\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\nDescription: a sample\n')
    os.makedirs(at + '/tree/usr/share/cede-sample')
    with open(at + '/tree/usr/share/cede-sample/text', 'w') as f:
        f.write(TEXT + '\n')
    os.mkdir(at + '/www')
    subprocess.run(['dpkg-deb', '--root-owner-group', '-b', at + '/tree', at + '/www/cede-sample_1_all.deb'], check=True, stdout=subprocess.DEVNULL)
    with open(at + '/www/Packages', 'w') as f:
        subprocess.run(['dpkg-scanpackages', '.'], cwd=at + '/www', check=True, stdout=f, stderr=subprocess.DEVNULL)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


def serve(folder):
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), functools.partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def digest(path):
    h = hashlib.sha256()
    with open(path, 'rb') as f:
        while data := f.read(1 << 20):
            h.update(data)
    return h.hexdigest()


def main(mib):
    for program in 'ssh', 'scp', 'ssh-keygen', 'qemu-img', 'dpkg-deb', 'dpkg-scanpackages':
        if not shutil.which(program):
            skip(program + ' is missing')
    if not os.path.exists(DISK):
        skip(DISK + ' is missing (make debian)')
    need(DISK)
    with Folder() as folder:
        at = folder('.')
        port = free_port()
        make_repository(at)
        www = serve(at + '/www')
        key = at + '/key'
        subprocess.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', key], check=True)
        with open(key + '.pub') as f:
            public = f.read().strip()
        subprocess.run(['qemu-img', 'create', '-q', '-f', 'qcow2', '-b', DISK, '-F', 'qcow2', at + '/disk'], check=True)
        options = ['-q', '-i', key, '-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null', '-o', 'BatchMode=yes']
        ssh = ['ssh', *options, '-p', str(port), 'root@127.0.0.1']
        with Machine('-drive', 'file=%s,format=qcow2,if=virtio' % (at + '/disk'), '-nic', 'user,hostfwd=tcp:127.0.0.1:%d-:22' % port, cpus='2',
                     ram='2G') as m:
            m.log_in()
            m.command('mkdir -p -m 700 .ssh && echo "%s" >.ssh/authorized_keys && chmod 600 .ssh/authorized_keys' % public, 60)
            m.command('until ip -4 addr show scope global | grep -q inet; do sleep 1; done', 120)
            m.command('echo "deb [trusted=yes] http://10.0.2.2:%d ./" >/etc/apt/sources.list; rm -f /etc/apt/sources.list.d/*' % www, 60)
            text = m.command('apt-get -q update 2>&1 && apt-get -q -y install cede-sample 2>&1', 600)
            check('Setting up cede-sample' in text, 'apt-get installs from a repository of the host', text[-500:])
            check(m.command('cat /usr/share/cede-sample/text').strip() == TEXT, 'what it brought')
            p = subprocess.run(ssh + ['uname -m; cat /usr/share/cede-sample/text'], stdin=subprocess.DEVNULL, capture_output=True, text=True)
            check(p.stdout == 'ppc64le\n%s\n' % TEXT, 'ssh -p PORT', p.stdout + p.stderr)
            with open(at + '/sent', 'wb') as f:
                for _ in range(mib):
                    f.write(os.urandom(1 << 20))
            for name, words in (('in', [at + '/sent', 'scp://root@127.0.0.1:%d/big' % port]),
                                ('out', ['scp://root@127.0.0.1:%d/big' % port, at + '/back'])):
                begun = time.monotonic()
                p = subprocess.run(['scp', *options, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True)
                check(p.returncode == 0, 'scp %s: %d MiB, %.1f MB/s' % (name, mib, mib * 1.048576 / (time.monotonic() - begun)), p.stderr)
            there = subprocess.run(ssh + ['sha256sum big'], stdin=subprocess.DEVNULL, capture_output=True, text=True).stdout.split()
            sums = {digest(at + '/sent'), digest(at + '/back'), *there[:1]}
            check(len(sums) == 1, 'the same bytes on either side', sums)
            m.send('systemctl poweroff\n')
            check(m.wait(300) == 0, 'off', m.errors)


main(int(sys.argv[1]) if len(sys.argv) > 1 else 1024)
