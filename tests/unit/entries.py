"""Holds the table "Where bytes come in" of tests/README.md to the sources: each hypercall, RTAS call, client service, method,
section, option, command and tool has its place in it and nothing else has, each file:function() that checks is there, and each
test that attacks is in tests.list.

usage: entries.py [README]"""
# needs: nothing
import fnmatch
import glob
import os
import re
import sys

HEADING = '## Where bytes come in'
failed = 0


def check(ok, name, detail=''):
    global failed
    failed += not ok
    print(('ok %s' if ok else 'FAIL %s: %s') % ((name,) if ok else (name, detail)))


def read(path):
    with open(path) as f:
        return f.read()


def every(*patterns):
    return '\n'.join(read(path) for pattern in patterns for path in sorted(glob.glob(pattern)))


def table(text):
    """(kind, names, functions, tests) of each row."""
    part = text.split(HEADING, 1)[1].split('\n## ', 1)[0]
    for line in part.splitlines():
        cells = [c.strip() for c in line.strip('|').split('|')]
        if not line.startswith('| ') or cells[0] == 'from' or len(cells) != 4:
            continue
        quoted = [re.findall(r'`([^`]+)`', c) for c in cells]
        yield cells[0].split('`')[0].strip(' :'), quoted[0], quoted[2], quoted[3]


def options():
    return re.findall(r'^OPT\("([^"]+)"', read('machine/run/options.def'), re.M)


def sections():
    """Those of snapshot.c's rows and of the devices' tables; a device's own one is named after it, memory's is savevm's own."""
    variables = re.findall(r'^\t\{ &(\w+),\s+(?:ONCE|EACH_CPU|EACH_DRIVE),', read('machine/snapshot/snapshot.c'), re.M)
    variables += re.findall(r'^\t\{ \.state = &(\w+)', every('machine/*/*.c'), re.M)
    names = [re.search(r'\bstruct vmstate %s = \{\s*\.name = "([^"]+)"' % v, every('*/*/*.c', '*/*.c')).group(1) for v in variables]
    return names + re.findall(r'^\t\.node = "([^"]+)"', every('machine/*/*.c'), re.M) + re.findall(r'\.name = "([^"]+)", \.version', read('savevm/ram.c') + read('savevm/htab.c'))


def tools():
    return sorted('cede-' + re.search(r'cede_(\w+)\.c$', f).group(1) for f in glob.glob('tools/*/cede_*.c')) + \
        ['cede-snap ' + name for name in re.findall(r'^\t\{ "([a-z]+)", "FILE', read('tools/snap/cede_snap.c').replace('"A B"', '"FILE'), re.M)]


def environment():
    names = set()
    for folder in ('cpu', 'machine', 'hcall', 'firmware', 'savevm', 'tools'):
        for path in glob.glob(folder + '/**/*.c', recursive=True):
            names |= set(re.findall(r'\bgetenv\("([^"]+)"', read(path)))
    return sorted(names)


SOURCES = {
    'hypercalls': lambda: re.findall(r'^HCALL(?:_PRIVATE)?\((\w+)', read('hcall/hcall.def'), re.M),
    'RTAS': lambda: re.findall(r'^RTAS(?:_OR_MORE)?\(\w+,\s*"([^"]+)"', read('machine/rtas/rtas.def'), re.M),
    'client services': lambda: re.findall(r'^\t\{ "([^"]+)", .*\bsvc_\w+,', read('firmware/client.c'), re.M),
    'methods': lambda: re.findall(r'^\t\{ (?:"[^"]+"|ANY_NODE), "([^"]+)", .*\bmethod_\w+ \}', read('firmware/method.c'), re.M),
    'sections': sections,
    'options': options,
    'monitor': lambda: re.findall(r'^\t\{ "([\w-]+)", "', read('machine/monitor/hmp.c'), re.M),
    'QMP': lambda: re.findall(r'\{ "([a-z][\w-]+)", \w+(?:, \w+)* \}', read('machine/monitor/qmp.c')),
    'tools': tools,
    'environment': environment,
}


def same_names(rows):
    for kind, names_of in SOURCES.items():
        there, written = names_of(), [n for k, names, _, _ in rows if k == kind for n in names]
        check(len(there) > 0, kind + '-found')
        check(not set(there) - set(written), kind + '-all-in-the-table', 'not there: ' + ', '.join(sorted(set(there) - set(written))))
        check(not set(written) - set(there), kind + '-no-others', 'only there: ' + ', '.join(sorted(set(written) - set(there))))


def functions_exist(rows):
    for kind, names, checks, _ in rows:
        bad, path = [], None
        for word in checks:
            path = word if '/' in word else path
            if '/' in word:
                bad += [] if os.path.exists(word) else [word]
            elif not path or not os.path.exists(path) or not re.search(r'\b%s\(' % re.escape(word.rstrip('()')), read(path)):
                bad.append('%s: %s' % (path, word))
        check(not bad, 'checked-by: %s' % ' '.join([kind] + names[:1]), bad)


def tests_exist(rows, listed):
    for kind, names, _, tests in rows:
        bad = [t for t in tests if not fnmatch.filter(listed, t)]
        check(tests and not bad, 'attacked-by: %s' % ' '.join([kind] + names[:1]), bad or 'no test')


def fuzzer_knows_services():
    """fuzz/guest calls by a list of its own."""
    known = set(re.findall(r'\{ "([a-z-]+)", "[a-z]*", \d \}', read('tests/fuzz/attack.c')))
    missing = set(SOURCES['client services']()) - known
    check(not missing, 'attack.c-calls-each-service', ', '.join(sorted(missing)))


def main():
    rows = list(table(read(sys.argv[1] if len(sys.argv) > 1 else 'tests/README.md')))
    listed = re.findall(r'^([\w-]+/[\w-]+)\s', read('tests/tests.list'), re.M)
    same_names(rows)
    functions_exist(rows)
    tests_exist(rows, listed)
    fuzzer_knows_services()
    return 1 if failed else 0


sys.exit(main())
