"""A class from one snapshot: Debian is booted and logged into once, saved, and many guests go on from there at once.

usage: classroom.py [GUESTS [DISK]]

DISK (build/guest/debian.qcow2) is read: the saved state is in an overlay of it. Each guest's shell
is asked for `uptime`; the time is the host's, from the start of the first process to the last answer. Memory is the
kernel's PSS, in which a page of several processes counts for each as its share: the sum is what the class takes. Then
each writes a file, and reads its own."""
import os
import re
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'linux'))
from console import CEDE, GUEST, Machine, skip      # noqa: E402

SHELL = r'root@debian:~# '


def pss(process):
    """MB."""
    with open('/proc/%d/smaps_rollup' % process.pid) as f:
        return int(re.search(r'^Pss:\s+(\d+) kB', f.read(), re.M).group(1)) / 1000


def drive(image):
    return '-drive', 'file=%s,if=virtio,format=qcow2' % image


def login(m):
    m.expect('debian login: ', 600)
    m.send('root\n')
    m.expect('Password: ', 60)
    m.send('cede\n')
    m.expect(SHELL, 60)


def save(m, path):
    m.kill(10)
    until = time.monotonic() + 60
    while not os.path.exists(path) and time.monotonic() < until:
        m.pump(0.05)


def boot(image, path):
    """The first guest: from power on to a shell, and saved there."""
    start = time.monotonic()
    with Machine(*drive(image), '-save', path + ',layout=mapped', cpus='2', ram='2G', program=CEDE) as m:
        login(m)
        tell('boot to a shell', time.monotonic() - start, [m])
        start = time.monotonic()
        save(m, path)
        took = time.monotonic() - start
        print('%-22s %6.2f s, a file of %.0f MB' % ('saved', took, os.stat(path).st_blocks * 512 / 1e6))
        m.kill()
        m.wait(30)


def cpu(process):
    """Seconds of processor time."""
    with open('/proc/%d/stat' % process.pid) as f:
        fields = f.read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def ask(guests, command, answer):
    """The same of every shell; `%d` is the guest's number."""
    for i, m in enumerate(guests):
        m.send(command.replace('%d', str(i)) + '\n')
    for i, m in enumerate(guests):
        m.expect(answer.replace('%d', str(i)), 300)
        m.expect(SHELL, 300)


def tell(what, seconds, guests):
    sizes = [pss(m.process) for m in guests]
    print('%-22s %6.2f s, of CPU %5.2f s   %5.0f MB, each %.0f to %.0f' %
          (what, seconds, sum(cpu(m.process) for m in guests), sum(sizes), min(sizes), max(sizes)))


def class_of(count, image, path):
    guests, start = [], time.monotonic()
    try:
        for _ in range(count):
            guests.append(Machine(*drive(image), '-snapshot', '-loadvm', path, cpus='2', ram='2G', program=CEDE))
        ask(guests, 'uptime', 'load average')
        tell('%d from the snapshot' % count, time.monotonic() - start, guests)
        ask(guests, 'echo pupil-%d >name; sync; echo 3 >/proc/sys/vm/drop_caches', '')
        ask(guests, 'cat name', 'pupil-%d\n')
    finally:
        for m in guests:
            m.__exit__(None, None, None)


def main(guests='20', disk=GUEST + '/debian.qcow2'):
    if not os.path.exists(disk):
        skip(disk + ' is missing (make debian)')
    with tempfile.TemporaryDirectory(prefix='cede-class-', dir='/var/tmp') as at:
        image, path = at + '/class.qcow2', at + '/base'
        subprocess.run(['qemu-img', 'create', '-q', '-f', 'qcow2', '-b', os.path.abspath(disk), '-F', 'qcow2', image],
                       check=True)
        boot(image, path)
        with open(image, 'rb') as f:
            before = f.read()
        for count in 1, int(guests):
            class_of(count, image, path)
        with open(image, 'rb') as f:
            print('the image is as it was' if f.read() == before else 'THE IMAGE HAS CHANGED')


if __name__ == '__main__':
    main(*sys.argv[1:])
