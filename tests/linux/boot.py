"""Linux, an unmodified Debian kernel, driven through its console."""
# needs: programs guest
# needs [installer]: guest-installer
# needs [sanitizers builds]: $B/san/cede
import hashlib
import os
import re
import signal
import sys
import termios
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from console import CEDE, GUEST, Failure, Folder, Machine, check, linux, main, need, skip   # noqa: E402

CPUS = os.environ.get('CPUS', '1')
BUILD = os.environ.get('B', 'build')
SANITIZED = BUILD + '/san/cede'
TROUBLE = r'BUG|Oops|WARNING|Call Trace|Unable to handle|Kernel panic|rcu:.*stall|soft lockup'
OVERHEAD_KIB = 100 * 1024       # what cede may need beside the guest's RAM
FIXED = ('-rtc', 'base=2026-01-31T12:00:00')


def trouble(text):
    return [line for line in text.splitlines() if re.search(TROUBLE, line)]


def shell():
    """The shell, and whether what stands behind it is right."""
    with linux(cpus=CPUS) as m:
        m.shell()
        check('Linux' in m.command('uname -a') and 'ppc64le' in m.command('uname -m'), 'uname')
        info = m.command('cat /proc/cpuinfo')
        check(len(re.findall(r'^processor\s*:', info, re.M)) == int(CPUS), 'cpuinfo-processors', info)
        check(len(re.findall(r'^cpu\s*: POWER9', info, re.M)) == int(CPUS), 'cpuinfo-POWER9', info)
        check('timebase\t: 512000000' in info, 'cpuinfo-timebase', info)
        check('pSeries' in info, 'cpuinfo-platform', info)
        online = m.command('cat /sys/devices/system/cpu/online').strip()
        check(online == ('0' if CPUS == '1' else '0-%d' % (int(CPUS) - 1)), 'online', online)
        files = m.command('ls -1 /').split()
        check({'bin', 'proc', 'sys', 'init'} <= set(files), 'ls', files)
        numbers = ''.join('%d\n' % i for i in range(1, 20001)).encode()
        for tool in 'md5', 'sha1', 'sha256', 'sha512':
            want = hashlib.new(tool, numbers).hexdigest()
            got = m.command('seq 1 20000 | %ssum' % tool)
            check(want in got, tool + 'sum', got)
        got = m.command('seq 1 20000 | gzip -9 | gunzip | md5sum')
        check(hashlib.md5(numbers).hexdigest() in got, 'gzip', got)
        # Floating point, as far as busybox has it.
        got = m.command("awk 'BEGIN { for (i = 1; i < 2000; i++) s += i / 7 * 1.25 / (i * i + .3); "
                        "printf \"%.12f %.5e\\n\", s, s / 1e30 }'").strip().splitlines()[-1]
        want = 0.0
        for i in range(1, 2000):
            want += i / 7 * 1.25 / (i * i + .3)
        check(got == '%.12f %.5e' % (want, want / 1e30), 'awk-float', (got, want))
        radix = m.command('dmesg | grep -i radix')
        check('radix' in radix.lower(), 'radix')
        if CPUS != '1':
            load(m)
        m.command('sleep 1')
        bad = trouble(m.command('dmesg', 120))
        check(not bad, 'dmesg', bad[:5])
        irqs = m.command('cat /proc/interrupts')
        check('hvc_console' in irqs, 'console-interrupt', irqs)
        m.send('poweroff -f\n')
        check(m.wait(60) == 0, 'poweroff-status', m.process.returncode)
        check(m.errors == '', 'stderr-empty', m.errors)


def load(m):
    """Every processor counts, all at once: each must get time."""
    n = int(CPUS)
    m.command("for c in $(seq 0 %d); do (taskset -c $c 2>/dev/null; "
              "taskset $(printf '%%x' $((1 << c))) sh -c 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; "
              "echo $i >/tmp/load.'$c) & done; wait" % (n - 1), 120)
    got = m.command('cat /tmp/load.*').split()
    check(got == ['20000'] * n, 'load-on-all', got)
    stat = m.command('grep ^cpu[0-9] /proc/stat')
    busy = [int(line.split()[1]) for line in stat.strip().splitlines()]
    check(len(busy) == n and all(b > 0 for b in busy), 'time-on-all', stat)
    hot = m.command('for c in $(seq 1 %d); do echo 0 >/sys/devices/system/cpu/cpu$c/online; done; '
                    'cat /sys/devices/system/cpu/online' % (n - 1)).strip()
    check(hot == '0', 'cpu-offline', hot)
    hot = m.command('for c in $(seq 1 %d); do echo 1 >/sys/devices/system/cpu/cpu$c/online; done; '
                    'cat /sys/devices/system/cpu/online' % (n - 1)).strip()
    check(hot == '0-%d' % (n - 1), 'cpu-online', hot)


def reboot():
    with linux(cpus=CPUS) as m:
        m.shell()
        m.command('echo before >/tmp/mark')
        m.send('reboot -f\n')
        m.expect(r'Booting Linux|Linux version', 60)
        m.shell()
        check(m.command('ls /tmp').strip() == '', 'nothing-left')
        check(m.command('uname -m').strip() == 'ppc64le', 'second-boot')
        m.send('poweroff -f\n')
        check(m.wait(60) == 0, 'status', m.process.returncode)
    with linux('-no-reboot', append='cede.cmd="reboot -f"') as m:
        check(m.wait(90) == 0, 'no-reboot-status', m.process.returncode)
        check(len(re.findall('cede guest ready', m.text)) == 1, 'no-reboot')


def run_once(*options, **kw):
    with open(os.devnull) as null:
        with linux(*FIXED, *options, stdin=null, **kw) as m:
            status = m.wait(240)
            return status, m.text, m.errors


LOAD = 'cede.cmd="cat /proc/cpuinfo; seq 1 3000 | sha256sum; for i in 1 2 3; do (seq 1 2000 | gzip | md5sum) & done; ' \
       'wait; dd if=/dev/urandom bs=64 count=1 2>/dev/null | md5sum; date; cat /proc/uptime; dmesg | tail -n 3"'


def determinism():
    """Same machine, same inputs: same console, same state, whatever the host does."""
    runs = [run_once('-d', 'statehash', append=LOAD, cpus=CPUS) for _ in range(2)]
    for status, text, errors in runs:
        check(status == 0 and 'cede guest status 0' in text, 'status', (status, text[-500:], errors))
    check(runs[0][1] == runs[1][1], 'same-console',
          [p for p in zip(runs[0][1].splitlines(), runs[1][1].splitlines()) if p[0] != p[1]][:3])
    check(runs[0][2] == runs[1][2] and 'statehash=' in runs[0][2], 'same-statehash', [r[2] for r in runs])
    # Sleeping as long as the guest thinks, or not at all, must not show.
    warp = run_once('-d', 'statehash', '-clock', 'warp', append=LOAD, cpus=CPUS)
    check(warp[1] == runs[0][1], 'warp-same-console')
    check(warp[2] == runs[0][2], 'warp-same-statehash', (warp[2], runs[0][2]))
    # Nor does what the host's processor has (cpu/core/host.h).
    os.environ['CEDE_HOST'] = 'baseline'
    plain = run_once('-d', 'statehash', '-clock', 'warp', append=LOAD, cpus=CPUS)
    del os.environ['CEDE_HOST']
    check(plain[1:] == runs[0][1:], 'baseline-same', plain[2])
    # And it does show when something differs.
    other = run_once('-d', 'statehash', '-seed', '7', append=LOAD, cpus=CPUS)
    check(other[2] != runs[0][2] and 'statehash=' in other[2], 'seed-shows', other[2])


def builds():
    """Two programs, one with tail calls and optimised, one without and sanitized, go through the same states."""
    need_sanitizers()
    a = run_once('-d', 'statehash', '-clock', 'warp', append=LOAD, cpus=CPUS)
    b = run_once('-d', 'statehash', '-clock', 'warp', append=LOAD, cpus=CPUS, program=SANITIZED)
    check(a[0] == 0 and b[0] == 0, 'status', (a[0], b[0], b[2][:2000]))
    check(a[1] == b[1], 'same-console')
    check(a[2] == b[2] and 'statehash=' in a[2], 'same-statehash', (a[2], b[2][:2000]))


def maps():
    """No mapping is executable but those of the program and its libraries. Also peak memory."""
    with linux() as m:
        m.shell()
        m.command('seq 1 20000 | sha256sum')
        pid = m.process.pid
        with open('/proc/%d/maps' % pid) as f:
            lines = f.read().splitlines()
        executable = [line for line in lines if 'x' in line.split()[1]]
        ours = os.path.realpath(CEDE)

        def brought(line):
            name = line.split(None, 5)[5] if len(line.split(None, 5)) > 5 else ''
            return name in (ours, '[vdso]', '[vsyscall]') or re.match(r'/\S*\.so(\.\d+)*$', name)
        check(executable, 'maps-read')
        check(all(brought(line) for line in executable), 'no-executable-mapping',
              [line for line in executable if not brought(line)])
        writable = [line for line in executable if 'w' in line.split()[1]]
        check(not writable, 'none-writable-and-executable', writable)
        m.send('poweroff -f\n')
        check(m.wait(60) == 0, 'status')


def field(text, name):
    return int(re.search(r'^%s:\s+(\d+) kB' % name, text, re.M).group(1))


def memory():
    """Peak memory: what the guest has touched of its RAM, and at most 100 MiB more."""
    ram = 1024
    with linux(ram='%dM' % ram) as m:
        m.shell()
        m.command('seq 1 100000 | sha256sum; find / -xdev >/dev/null; dd if=/dev/zero of=/tmp/f bs=1M count=64')
        pid = m.process.pid
        with open('/proc/%d/status' % pid) as f:
            peak = field(f.read(), 'VmHWM')
        with open('/proc/%d/smaps' % pid) as f:
            sections = re.split(r'^(?=[0-9a-f]+-[0-9a-f]+ )', f.read(), flags=re.M)
        # The guest's RAM is the largest mapping that can be written.
        guest = max((s for s in sections if 'Size:' in s and ' rw' in s.split('\n')[0]), key=lambda s: field(s, 'Size'))
        check(field(guest, 'Size') >= ram * 1024, 'ram-found', guest)
        resident = field(guest, 'Rss')
        check(peak - resident <= OVERHEAD_KIB, 'overhead', '%d KiB beside %d KiB of RAM' % (peak - resident, resident))
        print('peak %d KiB, guest RAM %d KiB, beside it %d KiB' % (peak, resident, peak - resident))
        m.send('poweroff -f\n')
        check(m.wait(60) == 0, 'status')


def no_storage():
    """A real address without storage: a machine check that Linux knows by name, and that ends the process alone."""
    with linux() as m:
        m.shell()
        said = m.command('devmem 0x200000000; devmem 0x200000000 32 1; echo status $?; dmesg | grep MCE:')
        check(said.count('Bus error') == 2 and 'status 135' in said, 'bus-errors', said)
        check(said.count('Real address Load/Store (foreign/control memory) DAR:') >= 2, 'machine-checks', said)
        check('Linux' in m.command('uname'), 'goes-on')
        m.send('poweroff -f\n')
        check(m.wait(60) == 0, 'status')


def terminal():
    """On a terminal: raw while the guest runs, as it was afterwards; Ctrl-A x, Ctrl-C, signals."""
    need(GUEST + '/vmlinux', GUEST + '/initrd.gz')
    with linux(terminal=True) as m:
        m.shell()
        during = termios.tcgetattr(m.slave)
        check(not during[3] & (termios.ECHO | termios.ICANON | termios.ISIG), 'raw-while-running')
        m.send('sleep 100\n')
        time.sleep(1)
        m.send('\x03')                  # for the guest, not for cede
        m.expect(r'\^C[^#]*# ', 20)
        check(m.process.poll() is None, 'ctrl-c-reaches-guest')
        m.send('\x01x')
        check(m.wait(10) == 0, 'ctrl-a-x-status', m.process.returncode)
        check(termios.tcgetattr(m.slave) == m.before, 'terminal-restored')
    for number in signal.SIGTERM, signal.SIGINT, signal.SIGHUP:
        with linux(terminal=True) as m:
            m.expect('Linux version', 30)
            m.kill(number)
            name = signal.Signals(number).name
            check(m.wait(10) == 1, name + '-status', m.process.returncode)
            check(termios.tcgetattr(m.slave) == m.before, name + '-restores')
            check(len(m.errors.splitlines()) == 1, name + '-one-line', m.errors)
    for number in signal.SIGUSR1, signal.SIGALRM, signal.SIGQUIT:       # of which nobody asked anything
        with linux(terminal=True) as m:
            m.expect('Linux version', 30)
            m.kill(number)
            check(m.wait(10) == -number and termios.tcgetattr(m.slave) == m.before, signal.Signals(number).name + '-restores')
    with linux(terminal=True) as m:
        m.shell()
        m.send('poweroff -f\n')
        check(m.wait(30) == 0, 'poweroff-status')
        check(termios.tcgetattr(m.slave) == m.before, 'poweroff-restores')


def panic():
    """A guest that gives up reboots if it wants to, and ends where the user wants it."""
    crash = 'cede.cmd="echo c >/proc/sysrq-trigger; sleep 30" panic=1'
    with linux('-action', 'panic=shutdown', append=crash) as m:
        check(m.wait(90) == 3, 'status', m.process.returncode)
        check(len(m.errors.splitlines()) == 1, 'one-line', m.errors)
    with linux(append=crash) as m:
        m.expect('Rebooting in 1 seconds', 90)
        m.expect('Linux version', 90)
        m.kill()
        m.wait(10)
        check(m.errors.startswith('cede: the guest gave up: OS panic: sysrq triggered crash\n') and
              len(m.errors.splitlines()) == 2, 'said-once', m.errors)
    with linux('-no-reboot', append=crash) as m:
        check(m.wait(90) == 0, 'no-reboot-status', m.process.returncode)
        check('Rebooting in 1 seconds' in m.text, 'no-reboot')


def warp():
    """With -clock warp a prompt that has a time-out does not wait; saved there and loaded, it does."""
    with Folder() as at:
        with linux('-clock', 'warp', '-save', at('s')) as m:
            m.shell()
            m.send('read -t 60 x || echo "[g""one]"\n')
            m.expect(r'\[gone\]', 20)
            m.kill(signal.SIGUSR1)
            until = time.monotonic() + 30
            while not os.path.exists(at('s')) and time.monotonic() < until:
                m.pump(0.1)
            check(os.path.exists(at('s')), 'saved')
        with Machine('-loadvm', at('s')) as m:
            m.send('read -t 60 x; echo "[h""as $x]"\n')
            m.expect('read -t 60', 20)
            time.sleep(2)
            m.send('it\n')
            m.expect(r'\[has it\]', 20)
            check(True, 'waits')


def refusals():
    """What nobody has plugged in cannot be had; what nobody wants back the guest may give up, and have again."""
    with linux(cpus=2) as m:
        m.shell()
        out = m.command('echo cpu add index 0x10000002 > /sys/kernel/dlpar 2>&1 || echo "[no] $?"')
        check('[no]' in out, 'no-such-core', out)
        for verb, online in ('remove', '0'), ('add', '0-1'):
            m.command('echo cpu %s index 0x10000001 > /sys/kernel/dlpar' % verb)
            check(m.command('cat /sys/devices/system/cpu/online').strip() == online, verb)
        out = m.command('dmesg')
        check('Failed to release drc' not in out, 'nothing-failed', re.findall('.*drc.*', out))


def cpu_time(pid):
    """Seconds of processor time that a process has used."""
    with open('/proc/%d/stat' % pid) as f:
        fields = f.read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def clock():
    """`sleep 3` takes three seconds, on the guest's clock and on ours."""
    with linux() as m:
        m.shell()
        t = time.monotonic()
        out = m.command('cat /proc/uptime; sleep 3; cat /proc/uptime')
        t = time.monotonic() - t
        a, b = (float(line.split()[0]) for line in out.strip().splitlines())
        check(2.98 < b - a < 4.5, 'guest-clock', out)  # uptime has two decimals
        check(2.9 <= t < 30, 'host-clock', t)
        now = int(m.command('date +%s').split()[0])
        check(abs(now - time.time()) < 30, 'time-of-day', now - time.time())
        used = cpu_time(m.process.pid)
        time.sleep(3)
        used = cpu_time(m.process.pid) - used
        check(used < 1.5, 'idle-is-cheap', '%.2f s of 3' % used)
        m.send('poweroff -f\n')
        check(m.wait(30) == 0, 'status')


def need_sanitizers():
    if not os.path.exists(SANITIZED):
        skip(SANITIZED + ' was not built (make test-sanitizers)')


def rng():
    """-device spapr-rng: the guest finds the node and takes random numbers from H_RANDOM; without, neither."""
    for device in ('-device', 'spapr-rng'), ():
        # The last two names: what a guest with the device has, and what every guest has.
        look = 'cede.cmd="ls -d /proc/device-tree/ibm,platform-facilities/ibm,random-v1 /proc/device-tree/vdevice"'
        status, text, errors = run_once('-trace', 'hcall-summary', *device, append=look)
        check(status == 0 and 'device-tree/vdevice\n' in text, 'status', (status, text[-500:]))
        check(('facilities/ibm,random-v1\n' in text) == bool(device), 'node%s' % (device,), text[-500:])
        check(('H_RANDOM' in text + errors) == bool(device), 'asked%s' % (device,), errors)


def pci():
    """The host bridge without devices, and a random number generator behind it that Linux reads by its messages."""
    look = ' cede.cmd="dmesg | grep -i -e pci -e eeh; ls /sys/bus/pci/devices; %s"'
    status, text, _ = run_once(append=look % 'true')
    check(status == 0 and 'PCI host bridge to bus 0000:00' in text and 'root bus resource [mem 0x210000000000-' in text, 'bridge', text[-1500:])
    check('0000:00:' not in text.replace('bus 0000:00', '').split('cede guest ready')[-1], 'empty', text[-1500:])
    use = ('modprobe virtio_pci; modprobe virtio-rng; cat /sys/class/misc/hw_random/rng_current; '
           'head -c 4096 /dev/hwrng | wc -c; grep virtio0 /proc/interrupts; dmesg | grep dma-window')
    status, text, _ = run_once('-device', 'virtio-rng-pci,addr=4', append=look % use)
    check(status == 0 and '0000:00:04.0' in text and 'BAR 4 [mem 0x210000000000-0x210000003fff 64bit]: assigned' in text, 'device', text[-1500:])
    check('virtio_rng.0' in text and '\n4096' in text, 'numbers', text[-1500:])
    check(re.search(r'[1-9]\d* +.*pSeries-PCI-MSI.*virtio0-input', text), 'messages', text[-1500:])
    check('create-pe-dma-window' in text and 'returned 0 (liobn = 0x80000001' in text, 'window', text[-1500:])
    check(not trouble(text) and not re.search('failed|error|not assigned', text), 'no-trouble', text[-3000:])


def sanitizers():
    """The sanitizer build boots Linux to its shell and back without a word from the sanitizers."""
    need_sanitizers()
    env = dict(os.environ, ASAN_OPTIONS='detect_leaks=1', UBSAN_OPTIONS='print_stacktrace=1')
    with linux(cpus=CPUS, program=SANITIZED, env=env) as m:
        m.shell(300)
        check('POWER9' in m.command('cat /proc/cpuinfo', 60), 'shell')
        m.command('seq 1 2000 | sha256sum; seq 1 2000 | gzip | gunzip | md5sum', 120)
        m.send('reboot -f\n')
        m.expect('Linux version', 120)
        m.shell(300)
        m.send('poweroff -f\n')
        check(m.wait(60) == 0, 'status', m.process.returncode)
        check(m.errors == '', 'sanitizers-silent', m.errors[:3000])


def installer():
    """The first screen of Debian's installer."""
    need(GUEST + '/di-vmlinux', GUEST + '/di-initrd.gz')
    with linux(kernel=GUEST + '/di-vmlinux', initrd=GUEST + '/di-initrd.gz', ram='1G', cpus=CPUS,
               terminal=True, append='priority=low') as m:
        m.expect(r'Debian installer main menu|Choose language|Select a language|C *- *No localization|\[!!\]', 200)
        check(True, 'first-screen')
        m.send('\x01x')
        check(m.wait(20) == 0, 'status')


main({f.__name__: f for f in (shell, reboot, determinism, builds, maps, memory, no_storage, terminal, panic, refusals, warp, clock, rng, pci, sanitizers,
                              installer)})
