"""Shared folders: what the user gets wrong with -virtfs and -fsdev is said in one line, that names it."""
# needs: programs
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../linux'))
from console import CEDE, Folder, check     # noqa: E402

GOOD = 'local,path=%s,mount_tag=t,security_model=none'
WRONG = (
    ('-virtfs synth,mount_tag=t', 'synth'), ('-virtfs proxy,socket=x,mount_tag=t', 'proxy'), ('-virtfs local', 'mount_tag'),
    ('-virtfs local,mount_tag=t,security_model=none', 'path'), ('-virtfs local,path=%s,mount_tag=t', 'security_model'),
    ('-virtfs local,path=%s,mount_tag=t,security_model=mapped-x', 'mapped-x'), ('-virtfs ' + GOOD + ',colour=blue', 'colour'),
    ('-virtfs ' + GOOD + ',readonly=perhaps', 'perhaps'), ('-virtfs ' + GOOD + ',fmode=0644', 'fmode'),
    ('-virtfs local,path=%s,mount_tag=t,security_model=mapped,dmode=0888', '0888'), ('-virtfs ' + GOOD + ',multidevs=both', 'both'),
    ('-virtfs ' + GOOD + ',writeout=later', 'later'), ('-virtfs ' + GOOD + ' -virtfs ' + GOOD, "'t'"),
    ('-virtfs local,path=/nonexistent,mount_tag=t,security_model=none', '/nonexistent'), ('-virtfs local,path=/dev/null,mount_tag=t,security_model=none', '/dev/null'),
    ('-virtfs local,path=%s,mount_tag=012345678901234567890123456789012,security_model=none', 'longer'),
    ('-fsdev local,id=f,path=%s,security_model=none,mount_tag=t', 'mount_tag'), ('-fsdev local,path=%s,security_model=none', 'id'),
    ('-device virtio-9p-pci', 'fsdev'), ('-device virtio-9p-pci,fsdev=f,mount_tag=t', 'fsdev=f'),
    ('-fsdev local,id=f,path=%s,security_model=none -device virtio-9p-pci,fsdev=f', 'mount_tag'),
)


def run(at, *options):
    argv = [CEDE, '-m', '256M', '-nodefaults', '-S', '-bios', at('bios'), '-monitor', 'stdio', *options]
    return subprocess.run(argv, input='info qtree\nquit\n', capture_output=True, text=True, timeout=20)


with Folder() as at:
    with open(at('bios'), 'wb') as f:
        f.write(b'\x48\0\0\0' * 64)
    os.mkdir(at('folder'))
    for line, names in WRONG:
        p = run(at, *line.replace('%s', at('folder')).split())
        check(p.returncode in (1, 2) and len(p.stderr.splitlines()) == 1 and names in p.stderr, line, (p.returncode, p.stderr))
    p = run(at, '-virtfs', 'local,path=%s,mount_tag=a,security_model=mapped,fmode=0644,dmode=0755,readonly,writeout=immediate,multidevs=warn,id=x' % at('folder'),
            '-fsdev', 'local,id=y,path=%s,security_model=passthrough,multidevs=forbid,readonly=off' % at('folder'), '-device', 'virtio-9p-pci,fsdev=y,mount_tag=b')
    check(p.returncode == 0 and not p.stderr and 'mount_tag = "a"' in p.stdout and 'fsdev = "x"' in p.stdout and 'mount_tag = "b"' in p.stdout,
          'all-words', (p.stdout, p.stderr))
    text = subprocess.run([CEDE, '-device', 'virtio-9p-pci,help'], capture_output=True, text=True).stdout
    check('mount_tag=<str>' in text and 'latency=<uint32>' in text, 'help', text)
    text = subprocess.run([CEDE, '-device', 'virtio-blk-pci,help'], capture_output=True, text=True).stdout
    check('bootindex=<uint32>' in text and '(default: not given)' in text and '4294967295' not in text, 'help-default', text)
    for name in ('9p', 'balloon', 'blk', 'rng', 'scsi', 'serial'):
        text = subprocess.run([CEDE, '-device', 'virtio-%s,help' % name], capture_output=True, text=True).stdout
        check(text.startswith('virtio-%s-pci options:' % name), 'alias-virtio-' + name, text)
