"""Records paths that a guest runs, for compare.py: ten workloads, a million instructions each.

usage: record.py [--insns N] [DIRECTORY]      wants build/cede and the guest (make guest)

The guest is run once and saved in the middle of each workload (it is deterministic: the cycles below are places in its
commands); what follows each is run again with -d exec,in_asm.
"""
import argparse
import os
import re
import struct
import subprocess
import sys
import tempfile

BUILD = os.environ.get('B', 'build')
CEDE = os.environ.get('CEDE', BUILD + '/cede')
GUEST = os.environ.get('GUEST_DIR', 'build/guest')
# Each prints the seconds since boot first: the middle of a workload is looked up in the run's output.
WORKLOADS = (
    ('sha256sum', 'sha256sum /bin/busybox /bin/busybox'),
    ('gzip', 'gzip -c /bin/busybox >/tmp/b.gz'),
    ('gunzip', 'gunzip -c /tmp/b.gz >/dev/null'),
    ('awk', "seq 1 20000 | awk '{s+=$1*$1; n[$1%17]++} END{print s,n[3]}'"),
    ('shell', 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done'),
    ('sort', 'seq 1 20000 | sort -r | md5sum'),
    ('forkexec', 'i=0; while [ $i -lt 200 ]; do /bin/busybox true; i=$((i+1)); done'),
    ('grep', 'strings /bin/busybox | grep -c e'),
)
BOOT = {'boot1': 60000000, 'boot2': 250000000, 'boot3': 1050000000}
CLOCK = 1000000000    # cycles in a second of the guest


def guest(*options, log=None, **how):
    command = '; '.join('echo at-%s $(cat /proc/uptime); %s' % w for w in WORKLOADS) + '; echo at-end $(cat /proc/uptime)'
    start = [] if '-loadvm' in options else ['-kernel', GUEST + '/vmlinux', '-initrd', GUEST + '/initrd.gz', '-append',
                                             'console=hvc0 quiet "cede.cmd=%s"' % command]
    return subprocess.Popen([CEDE, '-m', '1G', '-nographic', '-seed', '1', *start, *options], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding='utf-8', errors='replace', **how)


def places():
    """(name, cycle) in the middle of each workload."""
    out = guest('-d', 'statehash').communicate()[0]
    times = re.findall(r'^at-(\w+) ([\d.]+)', out, re.M)
    # The kernel's clock starts later than the machine.
    end, cycles = float(re.search(r'\[ *([\d.]+)\] reboot', out)[1]), int(re.search(r'cycles=(\d+)', out)[1])
    found = dict(BOOT)
    for (name, start), (_, stop) in zip(times, times[1:]):
        found[name] = int(cycles - (end - (float(start) + float(stop)) / 2) * CLOCK)
    return found


def record(snapshot, path, insns):
    """Runs on from a snapshot and writes what ran, until that many instructions."""
    words, total, last = {}, 0, None
    read, write = os.pipe()
    run = guest('-loadvm', snapshot, '-d', 'exec,in_asm', '-D', '/dev/fd/%d' % write, pass_fds=(write,))
    os.close(write)
    with open(path, 'wb') as out, os.fdopen(read, encoding='ascii', errors='replace') as log:
        for line in log:
            m = re.match(r'(\d+) cpu0 (?:0x([0-9a-f]+): ([0-9a-f]{8})|block 0x([0-9a-f]+) (\d+))', line)
            if not m:
                continue
            if m[2]:
                words[int(m[2], 16)] = int(m[3], 16)
                continue
            if last:
                # A block may be left early: the next one's cycle says how far it came.
                n = min(last[2], int(m[1]) - last[0])
                code = [words.get(last[1] + 4 * i, 0) for i in range(n)]
                if n and 0 not in code:
                    out.write(struct.pack('<QI%dI' % n, last[1], n, *code))
                    total += n
            last = int(m[1]), int(m[4], 16), int(m[5])
            if total >= insns:
                break
    run.kill()
    run.communicate()
    return total


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--insns', type=int, default=1000000)
    parser.add_argument('directory', nargs='?', default=BUILD + '/bench/timing/traces')
    args = parser.parse_args()
    os.makedirs(args.directory, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix='cede-record-') as folder:
        found = places()
        saves = sum((['-save', '%s/%s@%d' % (folder, name, cycle)] for name, cycle in found.items()), [])
        guest(*saves).communicate()
        for name in found:
            print('%-10s cycle %11d, %d instructions' % (name, found[name], record(
                '%s/%s' % (folder, name), '%s/trace.%s' % (args.directory, name), args.insns)), flush=True)


if __name__ == '__main__':
    sys.exit(main())
