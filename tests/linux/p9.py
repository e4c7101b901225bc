"""A folder shared with Debian's kernel: files both ways, a save in the middle, what QEMU makes of it."""
# needs: programs guest
import hashlib
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, '..', 'snapshot')]
from console import Folder, GUEST, INITRD, KERNEL, CEDE, Machine, check, linux, main, need, skip        # noqa: E402

RAM = '512M'
MOUNT = 'mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 %s /mnt'
MODELS = 'mapped-xattr', 'mapped-file', 'none', 'passthrough'


def share(path, model, tag='laptop', more=''):
    return '-virtfs', 'local,path=%s,mount_tag=%s,security_model=%s%s' % (path, tag, model, more)


def make(path, size, seed=1):
    data = random.Random(seed).randbytes(size)
    with open(path, 'wb') as f:
        f.write(data)
    return hashlib.md5(data).hexdigest()


def md5(path):
    with open(path, 'rb') as f:
        return hashlib.md5(f.read()).hexdigest()


def has_xattrs(path):
    try:
        os.setxattr(path, 'user.probe', b'1')
        os.removexattr(path, 'user.probe')
        return True
    except OSError:
        return False


def files():
    """Both interfaces bind the driver; files go both ways, in each model; what a guest may not, it may not."""
    with Folder() as at:
        models = [m for m in MODELS if m != 'mapped-xattr' or has_xattrs(at.path)]
        options, sums = [], {}
        for model in models:
            os.mkdir(at(model))
            sums[model] = make(at(model + '/down'), 1234567, model)
            options += share(at(model), model, model)
        os.mkdir(at('outside'))
        make(at('outside/secret'), 10)
        os.symlink('../outside', at('none/away'))
        options += ['-fsdev', 'local,id=ro,path=%s,security_model=none,readonly=on' % at('none'),
                    '-device', 'virtio-9p-pci,fsdev=ro,mount_tag=ro,disable-modern=on']
        with linux(*options, '-d', 'guest_errors', ram=RAM) as m:
            m.shell()
            m.command('modprobe 9p; mkdir /mnt/x')
            for model in models:
                m.command(MOUNT % model)
                check(m.command('md5sum </mnt/down').split()[0] == sums[model], 'down-' + model)
                m.command('cp /mnt/down /mnt/up && mkdir /mnt/d && mv /mnt/up /mnt/d/file && sync')
                check(md5(at(model + '/d/file')) == sums[model], 'up-' + model)
                m.command('cd /mnt/d; chown 12:34 file; chmod 4751 file; ln -s ../down l; mkfifo f; ln file g; echo more >>g; cd /')
                seen = m.command('stat -c "%n %f %u %g %s" /mnt/d/*')
                check('/mnt/d/file 89e9 12 34 1234572' in seen and '/mnt/d/g 89e9 12 34 1234572' in seen and '/mnt/d/f 11a4 0 0 0' in seen,
                      'attributes-' + model, seen)
                check(m.command('readlink /mnt/d/l; md5sum </mnt/d/l').split()[:2] == ['../down', sums[model]], 'link-' + model)
                check(os.path.islink(at(model + '/d/l')) == (model in ('none', 'passthrough')), 'link-on-the-host-' + model)
                m.command('cd /mnt; exec 5>open; rm open; echo text >&5; exec 5>&-; cd /')
                m.command('for i in $(seq 10); do echo $i >/mnt/d/n$i; done; rm -r /mnt/d; umount /mnt')
                check(not os.path.exists(at(model + '/d')), 'gone-' + model)
            m.command(MOUNT % 'none')
            text = m.command('readlink /mnt/away; ls /mnt/away/ 2>&1 || true; umount /mnt')
            check('../outside' in text and 'secret' not in text, 'not-outside', text)
            m.command(MOUNT % 'ro')
            text = m.command('md5sum </mnt/down; touch /mnt/new 2>&1 || true')
            check(sums['none'] in text and 'Read-only' in text, 'readonly', text)
            m.send('poweroff -f\n')
            check(m.wait() == 0 and not m.errors, 'silent', m.errors)


def script(at, lines):
    """An initrd with /cede/work, which a guest runs and then is off."""
    with open(at('work'), 'w') as f:
        f.write('modprobe 9p\n%s || exit 9\n%s\n' % (MOUNT % 'laptop', lines))
    subprocess.run([sys.executable, os.path.join(HERE, '../../tools/guest/guest_pack.py'), 'add', INITRD, at('initrd'), 'cede/work=' + at('work')], check=True)


def saved():
    """Saved with the folder mounted and files open, it goes on; twice the same state; a save for QEMU names the tag."""
    need(KERNEL, INITRD)
    with Folder() as at:
        script(at, 'cd /mnt; exec 5<down 6>up; dd bs=1000 count=500 <&5 >&6 2>/dev/null; echo saving\n'
                   'i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done; echo more >&6; cat <&5 >&6; exec 6>&-; md5sum up; cat late; ls')
        model = 'mapped-xattr' if has_xattrs(at.path) else 'mapped-file'

        def run(*options):
            argv = [CEDE, '-m', RAM, '-nographic', '-nodefaults', '-serial', 'stdio', '-clock', 'warp', '-rtc', 'base=2026-01-01', '-d', 'statehash',
                    *share(at('f'), model), *options]
            p = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=200)
            text = p.stdout + p.stderr
            return text, re.findall(r'\b[0-9a-f]{32}  up', text), re.search(r'statehash=\w+ cycles=(\d+)', text)

        def fresh():
            shutil.rmtree(at('f'), ignore_errors=True)
            os.mkdir(at('f'))
            make(at('f/down'), 1000000)
            with open(at('f/late'), 'w') as f:
                f.write('late\n')
            for name in '', '/down', '/late':
                os.utime(at('f' + name), (1, 1))
        boot = '-kernel', KERNEL, '-initrd', at('initrd'), '-append', 'console=hvc0 quiet cede.script=work'
        fresh()
        text, first, end = run(*boot)
        check(len(first) == 1 and end, 'a-sum', text[-2000:])
        with open(at('f/down'), 'rb') as f:
            data = f.read()
        want = hashlib.md5(data[:500000] + b'more\n' + data[500000:]).hexdigest()
        check(first == [want + '  up'], 'it-is-the-files', first)
        # Somewhere in the loop behind the first half: a cycle found from the end.
        cycles = int(end.group(1))
        found = None
        for back in 30, 45, 20, 60, 80, 12:
            fresh()
            text, sums, _ = run(*boot, '-save', at('snap') + '@%d,quit=on' % (cycles - back * 1000000))
            if 'saving' in text and not sums and os.path.getsize(at('f/up')) == 500000:
                found = back
                break
        check(found, 'saved-in-the-middle', text[-500:])
        text, sums, _ = run('-loadvm', at('snap'))
        check(sums == first and 'late' in text, 'it-goes-on', text[-2000:])
        os.unlink(at('f/up'))
        text, sums, _ = run('-loadvm', at('snap'))
        check(not sums and ('Stale' in text or 'No such' in text) and 'late' in text, 'what-is-gone-is-stale', text[-2000:])
        fresh()
        text, _, _ = run(*boot, '-save', at('qemu') + '@%d,target=qemu' % (cycles - found * 1000000))
        check("'laptop', which QEMU has no place for" in text and not os.path.exists(at('qemu')), 'for-qemu-it-is-refused', text[-500:])


def qemu(model):
    """The same folder in turns: each sees what the other has made, to owners, modes and devices."""
    from qemu import BOARD, QEMU
    if not QEMU:
        skip('no qemu-system-ppc64')
    need(KERNEL, INITRD)
    look = ('cd /mnt; find . | sort | xargs stat -c "SEEN %n %f %u %g %s %t %T %h" | sed "s/SEEN . .*/SEEN root/"; '
            'stat -c "ROOT %f %u %g" .; find . -type l | sort | xargs -n 1 readlink; find . -type f | sort | xargs md5sum; cd /; umount /mnt')
    work = ('cd /mnt; mkdir W W/sub; echo text >W/f; chown 1000:1001 W/f; chmod 2640 W/f; ln -s ../away/W W/l; mkfifo W/p; mknod W/b b 8 17; '
            'mknod W/c c 300 70000; ln W/f W/sub/hard; chown 5:6 W/sub; chmod 1777 W/sub; echo x >W/gone; rm W/gone; echo y >W/m; chmod 600 W/m; '
            'mv W/m W/sub/m; cp /bin/busybox W/big; [ ! -e V ] || { mv V/f V/g; chown 9:9 V/g; rm V/c; mv V/sub V/sub2; rmdir V/none; }; '
            'mkdir W/none; chown 77:88 .; chmod 1755 .')
    with Folder() as at:
        if model == 'mapped-xattr' and not has_xattrs(at.path):
            skip('no extended attributes in ' + at.path)
        os.mkdir(at('f'))

        def run(program, board, what, *v):
            script(at, what)
            argv = [program, '-M', board, '-m', RAM, '-nographic', '-nodefaults', '-serial', 'stdio', '-kernel', KERNEL, '-initrd', at('initrd'),
                    '-append', 'console=hvc0 quiet cede.script=work', *share(at('f'), model)]
            p = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=250)
            text = p.stdout.replace('\r', '')
            check('cede guest status 0' in text, 'runs', text[-2000:] + p.stderr)
            return [line for line in text.split('\n') if re.match(r'SEEN|ROOT|\.|[0-9a-f]{32} ', line)]
        both = (QEMU, BOARD), (CEDE, 'pseries')
        run(*both[0], work.replace('W', 'Q').replace('V', 'none') + '; cd /; umount /mnt')
        seen = [run(*who, look) for who in both]
        check(seen[0] == seen[1] and len(seen[0]) > 12, "cede-sees-qemu's", list(zip(*seen)))
        run(*both[1], work.replace('W', 'C').replace('V', 'Q') + '; cd /; umount /mnt')
        seen = [run(*who, look) for who in both]
        check(seen[0] == seen[1] and len(seen[0]) > 24, "qemu-sees-cede's", list(zip(*seen)))
        run(*both[0], work.replace('W', 'R').replace('V', 'C') + '; cd /; umount /mnt')
        seen = [run(*who, look) for who in both]
        check(seen[0] == seen[1] and len(seen[0]) > 36, "and-so-on", list(zip(*seen)))


if __name__ == '__main__':
    main({'files': files, 'saved': saved, 'qemu': qemu})
