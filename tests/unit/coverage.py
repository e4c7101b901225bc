"""tools/dev/coverage.py: lines of a program that is counted by clang and by gcc; a header's in two objects count once."""
# needs: nothing
import os
import shutil
import subprocess
import sys
import tempfile

TOOL = os.path.abspath('tools/dev/coverage.py')
FILES = {'both.h': 'static inline int both(int n)\n{\n\tif (n)\n\t\treturn 1;\n\treturn 2;\n}\n',
         'one.c': '#include "both.h"\nint two(void);\nint main(void)\n{\n\treturn both(1) + two() - 3;\n}\n',
         'two.c': '#include "both.h"\nint two(void)\n{\n\treturn both(0);\n}\nint three(void)\n{\n\treturn 3;\n}\n'}
failed = 0


def check(ok, name, detail=''):
    global failed
    failed += not ok
    print(('ok %s' if ok else 'FAIL %s: %s') % ((name,) if ok else (name, detail)))


def shares(text):
    """(executed, all) of each file."""
    return {w[-1]: (int(w[2]), int(w[4])) for w in (line.split() for line in text.splitlines()) if len(w) == 6}


for compiler in 'clang-19', 'gcc':
    if not shutil.which(compiler):
        continue
    with tempfile.TemporaryDirectory(prefix='cede-coverage-') as folder:
        for name, text in FILES.items():
            with open(folder + '/' + name, 'w') as f:
                f.write(text)
        for name in 'one', 'two':
            subprocess.run([compiler, '--coverage', '-O0', '-c', name + '.c'], cwd=folder, check=True)
        p = subprocess.run([compiler, '--coverage', 'one.o', 'two.o', '-o', 'program'], cwd=folder, capture_output=True, text=True, check=False)
        if p.returncode and compiler != 'gcc':
            print('skip: %s has no run-time library' % compiler)
            continue
        p = subprocess.run([TOOL, '.', compiler], cwd=folder, capture_output=True, text=True, check=False)
        check(p.returncode and 'nothing in' in p.stderr, compiler + '-nothing-yet', p.stderr)
        subprocess.run(['./program'], cwd=folder, check=True)
        p = subprocess.run([TOOL, '.', compiler, '-l'], cwd=folder, capture_output=True, text=True, check=False)
        got = shares(p.stdout)
        check(not p.returncode and list(got) == ['both.h', 'one.c', 'two.c', 'all'], compiler + '-files', p.stdout + p.stderr)
        check(got['both.h'][0] == got['both.h'][1] and got['one.c'][0] == got['one.c'][1] and 0 < got['two.c'][0] < got['two.c'][1], compiler + '-lines', got)
        check('two.c:8\n' in p.stdout and 'both.h:' not in p.stdout and 'one.c:' not in p.stdout, compiler + '-never', p.stdout)
sys.exit(1 if failed else 0)
