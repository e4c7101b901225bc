"""Each header is guarded by a macro named after its path, and compiles alone and twice, with the build's flags, under
clang and under gcc; a guest's under the cross compiler. A header that cannot says "Not alone:" and why. A table (.def) is no header.

usage: headers.py [FOLDER]     the tree to look at, instead of this one"""
# needs: commands
import concurrent.futures
import glob
import json
import os
import re
import shutil
import subprocess
import sys

TOPS = ('cpu', 'machine', 'hcall', 'firmware', 'savevm', 'tools', 'tests')
COMPILERS = ('clang-19', 'gcc')
NOT_ALONE = 'Not alone:'
BUILD = os.environ.get('B', 'build')
COMMANDS = 'compile_commands.json' if BUILD == 'build' else BUILD + '/compile_commands.json'
failed = 0


def check(ok, name, detail=''):
    global failed
    failed += not ok
    print(('ok %s' if ok else 'FAIL %s: %s') % ((name,) if ok else (name, detail)))


def nearest_flags(entries, header):
    """Those of the first source of its folder, or of the folder above that has one."""
    folder = os.path.dirname(header)
    while folder:
        for e in entries:
            if e['file'].startswith(folder + '/') and e['file'].endswith('.c'):
                return e['arguments'][:-2]
        folder = os.path.dirname(folder)
    return None


def compile_alone(flags, header):
    """What the compiler complains of."""
    text = '#include "%s"\n' % header * 2 + 'extern int nothing;\n'
    p = subprocess.run([*flags, '-I.', '-Werror', '-fsyntax-only', '-x', 'c', '-'], input=text, capture_output=True, text=True, check=False)
    return p.stderr.strip() if p.returncode else ''


def main():
    with open(COMMANDS) as f:
        entries = json.load(f)
    if len(sys.argv) > 1:
        os.chdir(sys.argv[1])
    headers = sorted(h for top in TOPS for h in glob.glob(top + '/**/*.h', recursive=True))
    jobs = []
    for header in headers:
        with open(header) as f:
            text = f.read()
        guard, reason = re.sub('[^A-Z0-9]', '_', header.upper()), text.partition(NOT_ALONE)[1:]
        check('#ifndef %s\n#define %s\n' % (guard, guard) in text, 'guard: ' + header, 'not ' + guard)
        if reason[0]:
            check(len(reason[1].split()) > 3, 'says-why: ' + header, reason[1][:80])
            continue
        flags = nearest_flags(entries, header)
        cross = 'powerpc64' in flags[0]
        jobs += [(header, [c, *flags[1:]]) for c in ([flags[0]] if cross else COMPILERS) if shutil.which(c)]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for (header, flags), said in zip(jobs, pool.map(lambda job: compile_alone(job[1], job[0]), jobs)):
            check(not said, 'alone: %s %s' % (os.path.basename(flags[0]), header), said.replace('\n', ' ')[:400])
    check(len(jobs) > len(headers) > 50, 'headers', len(jobs))
    return 1 if failed else 0


if not os.path.exists(COMMANDS):
    print('skip: make has not written', COMMANDS)
    sys.exit(77)
sys.exit(main())
