"""What nobody else tries: files of NVRAM that hold anything or are no files, and an environment that means harm.

usage: strangers.py"""
# needs: programs
import os
import random
import struct
import subprocess
import sys
import tempfile

CEDE = os.path.abspath(os.environ.get('CEDE', 'build/cede'))
failed = 0


def check(ok, name, detail=''):
    global failed
    failed += not ok
    print(('ok %s' if ok else 'FAIL %s: %s') % ((name,) if ok else (name, str(detail)[-600:])))


def endless(path):
    """An ELF kernel that does nothing, for ever."""
    head = b'\x7fELF\x02\x02\x01' + bytes(9) + struct.pack('>HHIQQQIHHHHHH', 2, 21, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    with open(path, 'wb') as f:
        f.write(head + struct.pack('>IIQQQQQQ', 1, 7, 120, 0, 0, 4096, 4096, 0x10000) + b'\x48\0\0\0' * 1024)


def run(folder, *args, env=None):
    """Saves after some cycles and ends, if it is not refused."""
    argv = [CEDE, '-nodefaults', '-serial', 'null', '-m', '256M', '-kernel', 'endless', '-save', 'saved@100000,quit=on', *args]
    p = subprocess.run(argv, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    return p.returncode, p.stdout, p.stderr.decode('utf-8', 'replace')


def saved(folder):
    path = os.path.join(folder, 'saved')
    with open(path, 'rb') as f:
        data = f.read()
    os.remove(path)
    return data


def nvram(folder):
    """Any contents are the guest's business, and stay as they are; the size and the kind of file are ours."""
    r = random.Random(7)
    path = os.path.join(folder, 'nvram')
    for size, right in ((0, False), (1, False), (8191, False), (8192, True), (8193, False), (65536, True), (1 << 20, True), ((1 << 20) + 16, False), (1 << 33, False)):
        data = r.randbytes(min(size, 1 << 20))
        with open(path, 'wb') as f:
            f.write(data)
            f.truncate(size)
        status, out, err = run(folder, '-drive', 'if=pflash,format=raw,file=nvram', '-rtc', 'base=2026-01-31')
        with open(path, 'rb') as f:
            same = f.read(len(data) + 1)[:len(data)] == data
        if right:
            check(status == 0 and not err and data in saved(folder), 'nvram-%d' % size, (status, err))
        else:
            check(status == 1 and err.count('\n') == 1 and '8 KiB to 1 MiB' in err and not out, 'nvram-%d-refused' % size, (status, err))
        check(same and os.path.getsize(path) == size, 'nvram-%d-untouched' % size)
    for name, kind in (('.', 'folder'), ('/dev/null', 'device'), ('/dev/zero', 'endless-device')):
        status, _, err = run(folder, '-drive', 'if=pflash,format=raw,file=' + name)
        check(status == 1 and err.count('\n') == 1 and 'NVRAM file' in err, 'nvram-is-a-' + kind, (status, err))


def environment(folder):
    """Nothing in it changes the guest, or is believed."""
    options = ('-rtc', 'base=2026-01-31', '-smp', '4')
    status, _, err = run(folder, *options, env={})
    check(status == 0 and not err, 'no-environment', err)
    plain = saved(folder)
    long = 'x' * 100000
    for name, env in (('CEDE_HOST', {'CEDE_HOST': long}), ('baseline', {'CEDE_HOST': 'baseline'}), ('CEDE_PROFILE', {'CEDE_PROFILE': '/nowhere/' + long}),
                      ('TZ', {'TZ': ':/etc/passwd'}), ('TZ-long', {'TZ': 'A' * 5000 + '99:99:99'}), ('names', {'PATH': long, 'HOME': '', 'TMPDIR': '/nowhere', 'LC_ALL': 'xx', 'TERM': long})):
        status, _, err = run(folder, *options, env=env)
        check(status == 0 and not err and saved(folder) == plain, 'environment-' + name, (status, err))
    status, _, err = run(folder, '-rtc', 'base=localtime', env={'TZ': ':/etc/passwd'})
    check(status == 0 and not err, 'localtime-nowhere', (status, err))


def main():
    with tempfile.TemporaryDirectory(prefix='cede-strangers-') as folder:
        endless(os.path.join(folder, 'endless'))
        nvram(folder)
        environment(folder)
    return 1 if failed else 0


sys.exit(main())
