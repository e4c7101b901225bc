"""unit/rooms complains: of an include that points up, of two rooms of one line that include each other, of a folder that
nobody listed, of a path that is none, in whatever way the
include is written; each planted in a copy of the tree, beside what it complains of anyway."""
# needs: nothing
import os
import shutil
import subprocess
import sys
import tempfile

PLANTED = {'upward': [('cpu/core/planted.h', '#include "machine/core/machine.h"')],
           'upward-angle': [('cpu/core/planted.h', '#include <machine/core/machine.h>')],
           'upward-indented': [('cpu/core/planted.h', '  #include "machine/core/machine.h"')],
           'circle': [('cpu/fp/planted.h', '#include "cpu/op/planted.h"'), ('cpu/op/planted.h', '#include "cpu/fp/planted.h"')],
           'unlisted': [('machine/planted/planted.h', '#include "machine/core/machine.h"')],
           'no-whole-path': [('machine/core/planted.h', '#include "machine.h"')]}
failed = 0


def complaints(tree):
    p = subprocess.run([sys.executable, 'tests/unit/rooms.py', tree], capture_output=True, text=True, check=False)
    return {line for line in p.stdout.splitlines() if line.startswith('FAIL')}, p.returncode


def main(tree):
    global failed
    for top in 'cpu', 'machine', 'hcall', 'firmware', 'savevm', 'tools':
        shutil.copytree(top, tree + '/' + top)
    before = complaints(tree)[0]
    for name, files in PLANTED.items():
        for path, text in files:
            os.makedirs(os.path.dirname(tree + '/' + path), exist_ok=True)
            with open(tree + '/' + path, 'w') as f:
                f.write(text + '\n')
        said, status = complaints(tree)
        new = said - before
        ok = status == 1 and len(new) == len(files) and all(any(': ' + path in line for line in new) for path, _ in files)
        print('ok' if ok else 'FAIL', name, '' if ok else (status, sorted(new)))
        failed += not ok
        for path, _ in files:
            os.remove(tree + '/' + path)
    return 1 if failed else 0


with tempfile.TemporaryDirectory(prefix='cede-rooms-') as place:
    sys.exit(main(place))
