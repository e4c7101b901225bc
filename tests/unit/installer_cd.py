"""The CD of Debian's installer, made of packages that are made here: lists that agree with the pool, the second archive
of the initrd, the answers, and the program that looks packages up."""
# needs: programs
import gzip
import hashlib
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, 'tools/guest')
import guest_pack
import installer_cd

FOLDER = 'tools/guest/installer'
FAILED = []


def check(fact, name, detail=''):
    print(('ok ' if fact else 'FAIL ') + name + ('' if fact or not str(detail) else ': %s' % (detail,)))
    if not fact:
        FAILED.append(name)


def make_deb(folder, name, files=(), **fields):
    root = os.path.join(folder, name)
    os.makedirs(root + '/DEBIAN')
    text = ''.join('%s: %s\n' % each for each in dict(
        {'Package': name, 'Version': '1', 'Architecture': 'all', 'Maintainer': 'nobody', 'Description': 'a package'},
        **fields).items())
    with open(root + '/DEBIAN/control', 'w') as f:
        f.write(text)
    for path, data in files:
        os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
        with open(os.path.join(root, path), 'w') as f:
            f.write(data)
    deb = os.path.join(folder, name + '_1_all.deb')
    subprocess.run(['dpkg-deb', '--root-owner-group', '-b', root, deb], check=True, stdout=subprocess.DEVNULL)
    with open(deb, 'rb') as f:
        data = f.read()
    return deb, text + 'Priority: %s\nFilename: pool/main/%s/%s.deb\nSize: %d\nSHA256: %s\n' % (
        {'one': 'required'}.get(name, 'important'), name[0], name, len(data), hashlib.sha256(data).hexdigest())


def quiet(argv):
    done = subprocess.run([sys.executable, 'tools/guest/installer_cd.py'] + argv, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def lists(folder):
    """dists/ and pool/."""
    debs, texts = zip(make_deb(folder, 'one', Depends='two | three (>= 1), four:any (= 2)', **{'Pre-Depends': 'five'}),
                      make_deb(folder, 'two'))
    for name, text in (('list', '\n'.join(debs)), ('Packages', '\n'.join(texts))):
        with open(os.path.join(folder, name), 'w') as f:
            f.write(text)
    cd = os.path.join(folder, 'cd')
    status, said = quiet(['tree', folder + '/list', folder + '/Packages', 'bookworm', cd])
    check(status == 0, 'tree', said)
    at = cd + '/dists/bookworm/'
    with open(at + 'main/binary-ppc64el/Packages') as f:
        listed = [fields for _, fields in installer_cd.stanzas(f.read())]
    check([p['Package'] for p in listed] == ['one', 'two'], 'both-listed', listed)
    check(all(installer_cd.digest(os.path.join(cd, p['Filename'])) == p['SHA256'] for p in listed), 'pool-has-them')
    with open(at + 'Release') as f:
        sums = re.findall(r'^ (\w{64}) (\d+) (\S+)$', f.read(), re.M)
    check(len(sums) == 2 and all((installer_cd.digest(at + name), os.path.getsize(at + name)) == (digest, int(size))
                                 for digest, size, name in sums), 'release-sums', sums)
    packages = at + 'main/binary-ppc64el/Packages'
    with gzip.open(packages + '.gz', 'rb') as f, open(packages, 'rb') as g:
        check(f.read() == g.read(), 'compressed-is-the-same')
    with open(debs[1], 'ab') as f:
        f.write(b'\n')
    status, said = quiet(['tree', folder + '/list', folder + '/Packages', 'bookworm', cd + '2'])
    check(status == 1 and said.count('\n') == 1 and 'this very file' in said, 'another-file-is-refused', said)
    return packages


def looked_up(packages):
    """What debootstrap asks, of the list just made."""
    def ask(*argv):
        done = subprocess.run(['sh', FOLDER + '/pkgdetails', *argv], capture_output=True, text=True)
        return done.stdout.splitlines()
    one = ask('PKGS', 'file:/m', packages, 'one', 'six')
    check(len(one) == 2 and re.match(r'one 1 all file:/m pool/main/o/one.deb \w{64} \d+$', one[0]) and
          one[1] == 'six -', 'pkgdetails-pkgs', one)
    required = [line.split()[0] for line in ask('FIELD', 'Priority:', 'm', packages, 'required')]
    check(required == ['one'], 'pkgdetails-field', required)
    depends = ask('GETDEPS', packages, 'one')
    check(depends == ['two', 'four', 'five'], 'pkgdetails-depends', depends)
    check('Package: two' in ask('STANZAS', packages, 'two') and 'Package: one' not in ask('STANZAS', packages, 'two'),
          'pkgdetails-stanzas')


def initrd(folder):
    """The archive behind the first one."""
    first = guest_pack.Archive()
    status = ('Package: anna\nStatus: install ok unpacked\nVersion: 1\n\n'
              'Package: choose-mirror\nStatus: install ok unpacked\nVersion: 1\n')
    for path, text in (('lib/modules/6.1.0-1-powerpc64le/modules.dep', ''), ('var/lib/dpkg/status', status)):
        first.add(path, 0o100644, text.encode())
    guest_pack.put(folder + '/initrd.gz', guest_pack.compress(first.write()))
    status, said = quiet(['kernel', folder + '/initrd.gz'])
    check((status, said) == (0, '6.1.0-1-powerpc64le\n'), 'kernel', said)
    tool = make_deb(folder, 'tool', [('usr/sbin/debootstrap', '#!/bin/sh\n'), ('usr/bin/other', '')])[0]
    with open(folder + '/tools', 'w') as f:
        f.write(tool)
    status, said = quiet(['initrd', folder + '/initrd.gz', folder + '/tools', FOLDER, folder + '/out'])
    check(status == 0, 'initrd', said)
    with open(folder + '/out', 'rb') as f, open(folder + '/initrd.gz', 'rb') as g:
        whole, before = f.read(), g.read()
    at = len(before) + -len(before) % 4
    check(whole.startswith(before) and not whole[len(before):at].strip(b'\0'), 'first-stays')
    added = dict(installer_cd.cpio_entries(gzip.decompress(whole[at:])))
    check('usr/sbin/debootstrap' in added and 'usr/bin/other' not in added, 'tools-taken', sorted(added))
    known = re.findall(r'^Package: (\S+)', added['var/lib/dpkg/status'].decode(), re.M)
    entries = [each[0] for each in installer_cd.ENTRIES]
    check(known == ['anna'] + entries, 'status', known)
    check(all(('var/lib/dpkg/info/%s.postinst' % each) in added for each in entries), 'entries-have-scripts')


def answers():
    """Each line is one; what a script asks for has a template."""
    with open(FOLDER + '/preseed.cfg') as f:
        lines = [line for line in f.read().replace('\\\n', '').splitlines() if line and not line.startswith('#')]
    answer = r'[\w-]+ [\w/.-]+ (string|boolean (true|false)|select|password)( |$)'
    bad = [line for line in lines if not re.match(answer, line)]
    check(lines and not bad, 'answers', bad)
    with open(FOLDER + '/templates') as f:
        templates = f.read()
    known = set(re.findall(r'^Template: (\S+)\nType: \w+\nDescription: .+$', templates, re.M))
    check(len(known) == templates.count('Template:'), 'templates', known)
    asked = set()
    for name, *_ in installer_cd.ENTRIES:
        with open(os.path.join(FOLDER, name[len('cede-'):])) as f:
            asked |= set(re.findall(r'db_(?:get|set) (\S+)', f.read()))
        check('debian-installer/%s/title' % name in known, name + '-title')
    check(asked <= known, 'asked-for', asked - known)
    for name in os.listdir(FOLDER):
        if name not in ('preseed.cfg', 'templates'):
            done = subprocess.run(['sh', '-n', os.path.join(FOLDER, name)], capture_output=True, text=True)
            check(done.returncode == 0, name + '-parses', done.stderr)


def main():
    try:
        subprocess.run(['dpkg-deb', '--version'], stdout=subprocess.DEVNULL, check=True)
    except OSError:
        print('skip: dpkg-deb is missing')
        return 77
    with tempfile.TemporaryDirectory(prefix='cede-test-') as folder:
        looked_up(lists(folder))
        initrd(folder)
    answers()
    return bool(FAILED)


sys.exit(main())
