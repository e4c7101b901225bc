"""Debian's gdb in the guest: a process of its own stops where a variable is written, by one of the processor's watchpoints."""
# needs: programs guest guest-gdb
import os
import re

import libraries
from console import GUEST, INITRD, KERNEL, Folder, check, linux, main, need, skip

TREE = GUEST + '/gdb'
PROGRAM = os.path.join(os.environ.get('B', 'build'), 'tests/linux/watched')
ALLOW = 'mount -t debugfs d /sys/kernel/debug; echo Y >/sys/kernel/debug/powerpc/dawr_enable_dangerous'     # POWER9: as linux/debugger
SESSION = ['watch counter', 'run', 'print counter', 'continue', 'print counter', 'delete', 'rwatch asked', 'continue', 'delete', 'stepi',
           'info program', 'continue']


def watch(model):
    need(KERNEL, INITRD, TREE)
    if not os.path.exists(PROGRAM):
        skip(PROGRAM + ' was not built: no cross compiler?')
    with Folder() as at:
        initrd = libraries.packed(at, TREE, {'bin/gdb': TREE + '/usr/bin/gdb'}, watched=PROGRAM)
        with linux('-cpu', model, initrd=initrd, append='quiet') as m:
            m.shell()
            if model == 'power9':
                m.command(ALLOW)
            said = m.command('gdb -nx -batch %s /bin/watched 2>&1' % ' '.join("-ex '%s'" % word for word in SESSION), 240)
            stops = [tuple(map(int, stop)) for stop in re.findall(r'^Hardware watchpoint 1: counter\s+Old value = (\d+)\s+New value = (\d+)\s', said, re.M)]
            check(stops == [(0, 5), (5, 10)] and re.findall(r'^\$\d = (\d+)', said, re.M) == ['5', '10'], 'where it is written', said)
            check(said.count(' in count () at tests/linux/watched.c:') == 2, 'in that function', said)
            read = re.search(r'^Hardware read watchpoint 2: asked\s+Value = (\d+)\s.* in (\w+) \(\)', said, re.M)
            check(read and read.groups() == ('9', 'ask'), 'where it is read, not where it is written', said)
            check('It stopped after being stepped.' in said, 'a step', said)
            check('counted 15' in said and 'exited with code 041' in said, 'to its end', said)
            m.send('poweroff -f\n')
            check(m.wait(60) == 0 and not m.errors, 'ends', m.errors)


if __name__ == '__main__':
    main({'watch': watch})
