"""Linux on each model of processor, with each MMU and each interrupt controller that it has, on one processor and on several.

usage: matrix.py boots KERNEL [MODEL...]      KERNEL: 12, 13-4k or 13-64k, of that Debian

A boot that falls back to another MMU or controller looks like a good one, so the guest is asked which it has.
"""
# needs: programs
# needs [12]: guest
# needs [13-4k 13-64k]: guest-kernel-13
import itertools
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from console import GUEST, check, linux, main     # noqa: E402

TROUBLE = r'BUG|Oops|WARNING|Call Trace|Unable to handle|Kernel panic|rcu:.*stall|soft lockup|xive:.*(fail|error)'
# What the kernel says of a processor at its own level, and what of it there is to choose from.
MODELS = {
    'power8': ('POWER8 (architected)', ('hash',), ('xics',)),
    'power9': ('POWER9 (architected)', ('radix', 'hash'), ('xics', 'xive')),
    'power10': ('POWER10 (architected)', ('radix', 'hash'), ('xics', 'xive')),
}
MMU = {     # in the log, in /proc/cpuinfo, on the kernel's command line; POWER8 has one MMU, and nothing to be told
    'radix': ('radix-mmu: Page sizes from device-tree', 'Radix', ''),
    'hash': ('hash-mmu: Initializing hash mmu with SLB', 'Hash', 'disable_radix '),
}
# Processes that wake each other on all processors, and what the guest says of its machine.
WORK = ('for i in 1 2 3 4 5 6 7 8; do (seq $i 1500 | gzip | gunzip | md5sum >/tmp/out.$i) & done; wait; cat /tmp/out.* | md5sum; '
        'cat /proc/cpuinfo /proc/interrupts; dmesg')


def boots(debian, *models):
    """All that is said of each is compared to what was asked for; that all of them do the same work, to the first."""
    at = GUEST if debian == '12' else '%s/%s' % (GUEST, debian)
    sums = {}
    for model in models or MODELS:
        says, mmus, controllers = MODELS[model]
        for mmu, controller, cpus in itertools.product(mmus, controllers, (1, 4)):
            name = '%s-%s-%s-%d' % (model, mmu, controller, cpus)
            line, word, append = MMU[mmu]
            append = append if len(mmus) > 1 else ''
            with linux('-cpu', model, '-M', 'ic-mode=' + controller, '-d', 'guest_errors', kernel=at + '/vmlinux',
                       initrd=at + '/initrd.gz', cpus=cpus, ram='512M',
                       append=append + 'quiet cede.cmd="%s"' % WORK) as m:
                ends = m.wait(120)
            text = m.text
            check(ends == 0 and not m.errors and 'cede guest status 0' in text, name + '-ends', (ends, m.errors, text[-300:]))
            check(re.findall(r'^cpu\s*: (.*?),', text, re.M) == [says] * cpus, name + '-cpu', re.findall(r'^cpu\s*:.*', text, re.M))
            check(re.findall(r'^MMU\s*: (\w+)', text, re.M) == [word] and
                  [each for each in MMU if MMU[each][0] in text] == [mmu], name + '-mmu', re.findall(r'.*(?:-mmu|MMU).*', text))
            found = set(re.findall(r'\b(XICS|XIVE)', ''.join(re.findall(r'^ *\d+:.*', text, re.M))))
            check(found == {controller.upper()}, name + '-controller', found)
            ipis = re.findall(r'^ *\d+:((?: +\d+)+) .*\bIPI', text, re.M)
            check(cpus == 1 or all(map(any, zip(*(map(int, line.split()) for line in ipis)))) and ipis, name + '-wake-each-other', ipis)
            check(not re.findall(TROUBLE, text), name + '-kernel-is-content', re.findall('.*(?:%s).*' % TROUBLE, text)[:3])
            sums[name] = re.findall(r'^[0-9a-f]{32}', text, re.M)
    first = next(iter(sums.values()))
    check(len(first) == 1 and all(s == first for s in sums.values()), 'same-work', sums)


if __name__ == '__main__':
    main({'boots': boots})
