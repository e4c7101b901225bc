"""XIVE as Debian's kernel has it: who is in charge, what interrupts through it, and what the hypervisor's log says."""
# needs: programs guest
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from console import Folder, check, linux, main     # noqa: E402

CPUS = os.environ.get('CPUS', '1')
DTL = os.environ.get('B', 'build') + '/cede-dtl'
TROUBLE = r'BUG|Oops|WARNING|Call Trace|Unable to handle|Kernel panic|rcu:.*stall|soft lockup|xive:.*(fail|error)'


def counts(text, name):
    """Of each processor, in the line of /proc/interrupts that has `name`; all lines that do, together."""
    lines = [line.split() for line in text.splitlines() if name in line]
    return [sum(int(line[1 + i]) for line in lines) for i in range(int(CPUS))]


def image(path):
    with open(path, 'wb') as f:
        f.write(os.urandom(1 << 20) * 4)


def view():
    """All kinds of sources interrupt: between processors, the terminal, virtual SCSI, messages and levels of PCI."""
    with Folder() as at:
        for name in 'vscsi', 'msi', 'lsi':
            image(at(name))
        devices = ['-drive', 'file=%s,if=scsi,format=raw' % at('vscsi')]
        for name, more in ('msi', ''), ('lsi', ',vectors=0'):
            devices += ['-drive', 'file=%s,if=none,id=%s,format=raw' % (at(name), name), '-device', 'virtio-blk-pci,drive=%s%s' % (name, more)]
        with linux('-M', 'ic-mode=dual', '-d', 'guest_errors', *devices, cpus=CPUS) as m:
            m.shell()
            m.command('modprobe virtio_blk; modprobe ibmvscsi; modprobe sd_mod; while [ ! -e /dev/sda ]; do sleep 0.1; done', 60)
            for device, name in ('sda', 'vscsi'), ('vda', 'msi'), ('vdb', 'lsi'):
                with open(at(name), 'rb') as f:
                    f = f.read()
                got = m.command('md5sum </dev/%s; dd if=/dev/zero of=/dev/%s bs=64k count=4 2>/dev/null; sync' % (device, device))
                want = subprocess.run('md5sum', input=f, capture_output=True).stdout.split()[0].decode()
                check(want in got, name + '-reads', (want, got))
            if CPUS != '1':
                m.command('for c in $(seq 1 8); do (seq 1 3000 | gzip | md5sum) & done; wait', 120)
            text = m.command('cat /proc/interrupts')
            check('XIVE-IPI' in text and 'XIVE-IRQ' in text and 'XICS' not in text, 'xive', text)
            for name in 'hvc_console', 'ibmvscsi', 'virtio0-req', 'virtio1':
                check(sum(counts(text, name)) > 0, name + '-interrupts', text)
            ipis = counts(text, 'IPI-0')
            check(CPUS == '1' or all(ipis), 'all-tell-each-other', ipis)
            check(re.search(r'virtio1$', text, re.M) and re.search('Level.*virtio1', text), 'a-level', text)
            node = m.command('cd /proc/device-tree; ls -d interrupt-controller*; hexdump -ve \'1/1 "%02x"\' ibm,plat-res-int-priorities; '
                             'cat interrupt-controller*/compatible')
            check('interrupt-controller@60302031b0000' in node and '00000007000000f8' in node and 'ibm,power-ivpe' in node, 'tree', node)
            if CPUS != '1':
                hot = m.command('for i in 1 2 3; do echo 0 >/sys/devices/system/cpu/cpu1/online; echo 1 >/sys/devices/system/cpu/cpu1/online; done; '
                                'cat /sys/devices/system/cpu/online').strip()
                check(hot == '0-%d' % (int(CPUS) - 1), 'off-and-on', hot)
            bad = [line for line in m.command('dmesg', 60).splitlines() if re.search(TROUBLE, line)]
            check(not bad, 'kernel-is-content', bad[:3])
            m.send('poweroff -f\n')
            check(m.wait(60) == 0 and not m.errors, 'poweroff', m.errors)
        for name in 'vscsi', 'msi', 'lsi':
            with open(at(name), 'rb') as f:
                check(f.read(1 << 18) == bytes(1 << 18), name + '-writes')


def modes():
    """Which controller it is: what the machine has, and what the kernel asks for. A reboot asks again."""
    for mode, word, want in (('dual', '', 'XIVE'), ('dual', 'xive=off', 'XICS'), ('xive', '', 'XIVE'), ('xics', '', 'XICS')):
        with linux('-M', 'ic-mode=' + mode, '-d', 'guest_errors', append=word, ram='512M') as m:
            m.shell()
            for boot in 'first', 'second':
                text = m.command('cat /proc/interrupts')
                check(want in text and {'XIVE': 'XICS', 'XICS': 'XIVE'}[want] not in text, '%s-%s-%s' % (mode, want, boot), text)
                node = m.command('ls -d /proc/device-tree/interrupt-controller*').split()
                check(len(node) == 1 and ('@' in node[0]) == (want == 'XIVE'), '%s-%s-node' % (mode, want), node)
                if boot == 'first':
                    m.send('reboot -f\n')
                    m.shell()
            m.send('poweroff -f\n')
            check(m.wait(60) == 0 and not m.errors, '%s-%s-ends' % (mode, want), m.errors)


def log():
    """In a shared pool: a processor that has ceded wakes by an external interrupt, and the log says so. The same run twice
    ends in the same state."""
    work = 'quiet cede.cmd="for i in 1 2 3 4; do (seq 1 3000 | gzip | md5sum) & done; wait; sleep 0.1"'
    with Folder() as at:
        ends = []
        for name in 'a', 'b':
            with linux('-M', 'ic-mode=dual', '-pool', 'procs=2,load=0.5', '-rtc', 'base=2026-01-01', '-clock', 'warp', '-d', 'statehash',
                       '-dtl', at(name), append=work, cpus=CPUS) as m:
                check(m.wait(120) == 0, name + '-status', m.errors)
                ends.append((m.text, m.errors))
        check(ends[0] == ends[1] and 'statehash' in ends[0][1], 'the-same-twice', [e[1] for e in ends])
        lines = subprocess.run([DTL, '--csv', at('a')], capture_output=True, text=True).stdout.splitlines()[1:]
        woken = {line.split(',')[3] for line in lines if line.split(',')[8] == 'external' and line.split(',')[10] == 'cede'}
        check(woken == {str(i) for i in range(int(CPUS))}, 'woken-by-interrupts', woken)


if __name__ == '__main__':
    main({'view': view, 'modes': modes, 'log': log})
