"""Initrds that are large: they lie where Linux finds room for what it takes below 768 MiB, or a line says how much fits.
What is behind the archive is zero, and a hole in the file: Linux skips it."""
# needs: programs guest
import os
import re
import shutil
import subprocess
import sys
import tempfile

from console import CEDE, INITRD, KERNEL, Machine, check, main, need

MIB = 1 << 20
TAKEN_OVER = r'Booting Linux via __start'       # Linux has its memory from the firmware by then


def padded(folder, size):
    path = os.path.join(folder, 'initrd-%d' % size)
    shutil.copy(INITRD, path)
    os.truncate(path, size)
    return path


def boot(folder, size, *options, append='', **kw):
    return Machine('-kernel', KERNEL, '-initrd', padded(folder, size), '-append', ('console=hvc0 ' + append).strip(), *options, **kw)


def room(folder, ram):
    """Bytes that fit, as the refusal of a file as large as RAM says."""
    argv = [CEDE, '-m', ram, '-nodefaults', '-nographic', '-kernel', KERNEL, '-initrd', padded(folder, 3 << 30)]
    p = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30, check=False)
    text = p.stderr.decode()
    found = re.search(r'does not fit: %d bytes, .* there is room for (\d+)$' % (3 << 30), text.strip())
    check(p.returncode == 1 and len(text.splitlines()) == 1 and found, 'refused-' + ram, text)
    return int(found[1]) if found else 0


def high():
    """It would end above 768 MiB, and boots from there."""
    need(KERNEL, INITRD)
    with tempfile.TemporaryDirectory() as folder, boot(folder, 724 * MIB, append='cede.cmd=true quiet', ram='2G') as m:
        m.expect('cede guest status 0', 280)
        check(m.wait(60) == 0, 'boots', m.errors)


def limits():
    """What just fits leaves room for the largest tree and RTAS; a byte more is refused, or lies higher."""
    need(KERNEL, INITRD)
    with tempfile.TemporaryDirectory() as folder:
        low = room(folder, '1G')
        for ram, sizes in ('256M', ()), ('1G', ()), ('2G', (low, low + 1)), ('4G', ()):
            most = room(folder, ram)
            for size in sizes + (most,):
                with boot(folder, size, ram=ram, cpus='64') as m:
                    m.expect(TAKEN_OVER, 60)
                    check(True, 'room-%s-%d' % (ram, size))
            with boot(folder, most + 1, ram=ram) as m:
                check(m.wait(30) == 1 and 'does not fit' in m.errors, 'no-room-%s' % ram, m.errors)


main({f.__name__: f for f in (high, limits)})
