"""Holds README.md, the folders' README.md and the manual pages to the program: sizes, links and names of files, options,
targets of make and tests that they name; with "samples", what the commands of README.md print.

usage: readme.py [samples] [FOLDER]     the tree to look at, instead of this one"""
# needs: programs
# needs [samples]: guest
import fnmatch
import glob
import os
import re
import subprocess
import sys
import tempfile

B = os.path.abspath(os.environ.get('B', 'build'))
GUEST_DIR = os.path.abspath(os.environ.get('GUEST_DIR', 'build/guest'))
FOLDERS = ('cpu', 'machine', 'hcall', 'firmware', 'savevm', 'tests', 'tests/bench', 'tools')
TREES = ('cpu', 'machine', 'hcall', 'firmware', 'savevm', 'tests', 'tools')
TOP_SIZE, PAGE_SIZE = 16384, 8192
LONG_TABLE = '## Where bytes come in'         # of tests/README.md: as long as it must be, see entries.py
GUEST = '-m 1G -nographic -kernel build/guest/vmlinux -initrd build/guest/initrd.gz'
PARSE_ONLY = 'G="%s"; W=; A=; cede() { build/cede "$@" -version >/dev/null; }\n' % GUEST
failed = 0


def check(ok, name, detail=''):
    global failed
    failed += not ok
    print(('ok %s' if ok else 'FAIL %s: %s') % ((name,) if ok else (name, detail)))


def none_of(wrong, name):
    """A fact that everything is right: says what is not."""
    check(not wrong, name, '; '.join(sorted(wrong)))


def read(path):
    with open(path, encoding='utf-8') as f:
        return f.read()


def shell(command, folder='.', limit=60):
    """(status, output with errors) of a command without input."""
    done = subprocess.run(['sh', '-c', command], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=limit, check=False)
    return done.returncode, done.stdout.decode('utf-8', 'replace')


# ---- What a page is made of ----

def pages():
    return ['README.md'] + sorted(p for top in TREES for p in glob.glob(top + '/**/*.md', recursive=True))


def without_blocks(text):
    return re.sub(r'^    .*$', '', text, flags=re.M)


def inline(text):
    """What stands between backticks, outside of blocks."""
    return re.findall(r'`([^`\n]+)`', without_blocks(text))


def samples(text):
    """(command, lines that it prints) of each line that begins with $, in order; a backslash goes on in the next line."""
    found, more = [], False
    for line in re.findall(r'^    (.*)$|^(\S.*|)$', text, re.M):
        if line[1]:
            found.append((None, []))            # the block is over: what follows is not output
        elif more or line[0].startswith('$ '):
            part = line[0] if more else line[0][2:]
            more = part.endswith('\\')
            if found and found[-1][0] and found[-1][0].endswith('\n'):
                found[-1] = (found[-1][0] + part.rstrip('\\') + '\n' * more, [])
            else:
                found.append((part.rstrip('\\') + '\n' * more, []))
        elif found:
            found[-1][1].append(line[0])
    return [(command.replace('\n', ''), lines) for command, lines in found if command]


def commands(text):
    return [command for command, _ in samples(text)] + inline(text)


def anchors(path):
    heads = re.findall(r'^#+ (.*)$', without_blocks(read(path)), re.M)
    return {re.sub(r'[^\w -]', '', head.lower()).replace(' ', '-') for head in heads}


# ---- What it is held to ----

def sizes():
    check(len(read('README.md').encode()) <= TOP_SIZE, 'size README.md', 'more than %d bytes' % TOP_SIZE)
    for folder in FOLDERS:
        path = folder + '/README.md'
        text = read(path).split(LONG_TABLE)[0] if os.path.exists(path) else ''
        check(0 < len(text.encode()) <= PAGE_SIZE, 'size ' + path, 'not there, or more than %d bytes' % PAGE_SIZE)


def links(path, text):
    wrong = set()
    for target in re.findall(r'\]\(([^)\s]+)\)', without_blocks(text)):
        name, _, anchor = target.partition('#')
        name = os.path.normpath(os.path.join(os.path.dirname(path), name)) if name else path
        if not os.path.exists(name) or anchor and anchor not in anchors(name):
            wrong.add(target)
    none_of(wrong, 'links of ' + path)


def source_names():
    """Each source file's path, and every end of it that begins with a name."""
    names = set()
    for top in TREES:
        for path in glob.glob(top + '/**/*.*', recursive=True):
            parts = path.split('/')
            names |= {'/'.join(parts[i:]) for i in range(len(parts))}
    return names


def files(path, text):
    """Paths from the top, source files by any end of their path, and names of tests."""
    rows = re.findall(r'^([\w-]+/\S+)', read('tests/tests.list'), re.M)
    names = source_names()
    wrong = {name for name in re.findall(r'(?<![\w./*])[a-z][a-z0-9_/*]*\.(?:[ch]|def|py|sh|list)\b', text)
             if not fnmatch.filter(names, name)}
    for name in inline(text):
        name = name.split(' ')[0]
        if re.fullmatch(r'(?:%s)/[\w.*/-]+' % '|'.join(TREES), name) and not glob.glob(name):
            wrong.add(name)
        if re.fullmatch(r'(?:unit|insn|linux|san|splpar)/[\w-]+', name) and name not in rows:
            wrong.add(name)
    none_of(wrong, 'files and tests of ' + path)


def targets(path, text):
    there = set(re.findall(r'^([\w-]+(?: [\w-]+)*):(?!=)', '\n'.join(map(read, ['Makefile'] + glob.glob('t*/**/*.mk', recursive=True))), re.M))
    there = set(' '.join(there).split())
    wrong = set()
    for command in commands(text):
        words = command.split('#')[0].split()
        if words[:1] == ['make']:
            wrong |= {w for w in words[1:] if re.fullmatch(r'[a-z][a-z-]*', w) and w not in there}
    none_of(wrong, 'targets of ' + path)


def names_of_options():
    names = set(re.findall(r'^OPT(?:_LATER)?\("([^"]+)"', read('machine/run/options.def'), re.M))
    for tool in ('cede-dtl', 'cede-prof', 'cede-snap'):
        names |= set(re.findall(r'--([a-z-]+)', shell(B + '/' + tool + ' --help')[1]))
    for script in glob.glob('tools/dev/*'):
        names |= set(re.findall(r'^-([a-z])\b', read(script), re.M))
    return names | {'O', 'g'}                   # the compiler's


def refused(lines):
    """Those of these command lines that the programs' parsers refuse."""
    wrong = set()
    with tempfile.TemporaryDirectory() as folder:
        os.symlink(B, folder + '/build')
        for line in lines:
            status, output = shell(PARSE_ONLY + re.sub(r'^\w+=\w+ |\.\.\.', '', line).replace('build/cede ', 'cede '), folder)
            if status == 2 and 'No such file' not in output:
                wrong.add(line + ': ' + output.strip())
    return wrong


def options(path, text):
    """Options by themselves, and whole command lines, which the programs' own parsers see."""
    names, wrong = names_of_options(), set()
    for word in inline(text):
        for name in re.findall(r'^--?([A-Za-z][a-z-]*)', word):
            if name not in names:
                wrong.add(word)
    wrong |= refused(c for c in commands(text) if re.search(r'\bbuild/cede\S* ', c) and not re.search(r'; echo|^make', c))
    none_of(wrong, 'options of ' + path)


def rooms():
    """A room is a row of its folder's table, and has its place in the picture."""
    listed = {r for line in read('tests/unit/rooms.list').splitlines() for r in line.split('#')[0].split()}
    tables = {top: set(re.findall(r'^\| `([\w/]+)` \|', read(top + '/README.md'), re.M)) for top in ('cpu', 'machine', 'tools')}
    none_of({r for r in listed if '/' in r and r not in tables[r.split('/')[0]]}, 'each room is in its README')
    none_of({r for rows in tables.values() for r in rows if not os.path.isdir(r)}, 'each room of a README is there')
    check(shell('python3 tools/dev/rooms_svg.py')[1] == read('tools/man/rooms.svg'), 'tools/man/rooms.svg',
          'is not what tools/dev/rooms_svg.py prints')


def plain(roff):
    return re.sub(r'\\f.', '', roff.replace('\\-', '-'))


def manuals():
    """Each option and command has its place in the manual page, and nothing else has."""
    text = plain(read('tools/man/cede.1'))
    known = set(re.findall(r'^OPT\("([^"]+)"', read('machine/run/options.def'), re.M))
    heads = set(' '.join(re.findall(r'^\.TP\n\.[BI]+R? (.*)$', text, re.M)).replace('"', ' ').replace(',', ' ').split())
    heads = {h[1:] for h in heads if re.fullmatch(r'-[A-Za-z][a-z-]*', h)}
    none_of({'-' + n for n in heads - known}, 'cede.1 has no option that cede lacks')
    none_of({'-' + n for n in known if not re.search(r'-%s(?![\w-])' % re.escape(n), text)}, 'cede.1 has all options')
    for page in sorted(glob.glob('tools/man/*.1')):
        examples = re.findall(r'^(cede(?:-\w+)? -*\w.*)$', plain(read(page)).split('.SH EXAMPLES')[1], re.M)
        none_of(refused('build/' + line for line in examples), 'examples of ' + page)
        check(len(examples) > 3, page + ' has examples', examples)
    for tool in ('cede-dtl', 'cede-prof'):
        named = set(re.findall(r'--[a-z-]+', shell(B + '/%s --help' % tool)[1])) - {'--help'}
        written = set(re.findall(r'--[a-z]+(?:-[a-z]+)*', plain(read('tools/man/%s.1' % tool)))) - {'--help'}
        none_of(named ^ written, 'options of %s.1' % tool)
    help_ = shell(B + '/cede-snap --help')[1]
    named = set(re.findall(r'^  ([a-z]+) ', help_, re.M))
    heads = set(re.findall(r'^\.TP\n\.BI "?([a-z]+) "? ?"?(?:FILE|A B)', plain(read('tools/man/cede-snap.1')), re.M))
    none_of(named ^ heads, 'commands of cede-snap.1')


# ---- Samples ----

def runs_alone(command):
    """Nothing is built, no other program is asked, and the guest switches off by itself."""
    if command.startswith('build/cede ') and '-device help' not in command:
        return re.search(r'cede\.cmd|"\$A"|; echo', command)
    return re.match(r'build/|grep |tail |mkdir |cat |[A-Z]=', command)


def lacks_line(output, lines):
    """The first that is not in the output, in this order; "..." is anything. None: all are there."""
    rest = iter([' '.join(line.split()) for line in output.split('\n')])
    return next((line for line in lines if line not in ('...', '') and ' '.join(line.split()) not in rest), None)


def run_samples(path, folder):
    before = 'G="%s"\n' % GUEST
    for command, lines in samples(read(path)):
        if not runs_alone(command):
            continue
        if re.match(r'\w+=', command):
            before += command + '\n'
            continue
        status, output = shell(before + command, folder, 300)
        lacking = lacks_line(output, lines)
        check(status == 0 and lacking is None, 'sample of %s: %s' % (path, command), 'status %d, no line %r' % (status, lacking))


def check_samples():
    kernel = re.search(r'#1 SMP (Debian \S+ \(.*?\))', read('README.md')).group(1)
    image = GUEST_DIR + '/vmlinux'
    if not os.path.exists(image):
        print('skip: no guest: make guest')
        return 77
    with open(image, 'rb') as f:
        if kernel.encode() not in f.read():
            print('skip: the guest is not the kernel of the samples, %s' % kernel)
            return 77
    packed = shell('cat tools/guest/guest_pack.py tools/guest/guest_init | cksum')[1]
    if packed != read(GUEST_DIR + '/kernel.stamp'):
        print('skip: the guest was packed by other scripts than these: make guest')
        return 77
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(folder + '/build')
        os.symlink(GUEST_DIR, folder + '/build/guest')
        for program in ('cede', 'cede-dtl', 'cede-prof', 'cede-snap'):
            os.symlink(B + '/' + program, folder + '/build/' + program)
        for path in pages():
            run_samples(path, folder)
        check(read(folder + '/late.svg') == read('tools/dtl/late.svg'), 'tools/dtl/late.svg', 'is not what the sample writes')
        check(os.path.exists(folder + '/s'), 'a snapshot was written')
    return 1 if failed else 0


def main():
    arguments = sys.argv[1:]
    mine = arguments[:1] == ['samples']
    os.chdir((arguments[mine:] or ['.'])[0])
    if mine:
        return check_samples()
    sizes()
    for path in pages():
        text = read(path)
        for fact in (links, files, targets, options):
            fact(path, text)
    rooms()
    manuals()
    return 1 if failed else 0


sys.exit(main())
