"""Where the models differ from LLVM's on purpose: rows of cpu/timing/power*.def whose figures are not LLVM's, by source.

usage: differences.py [MODEL...]; prints the list and writes it to differences.txt in the build folder.
"""
import os
import re
import sys

AT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', '..', 'cpu', 'timing')
OUT = os.path.join(os.environ.get('B', 'build'), 'bench', 'timing')
ROW = re.compile(r'^COST\((\w+), (\w+), (\w+), \d+, \w+, (\d+), FIGURES\(([\d, ]+)\), FIGURES\(([\d, ]+)\)', re.M)
FIGURES = 'slots', 'latency', 'latency of CR', 'farther by'


def sources():
    """What the abbreviations stand for, as cost.h says."""
    with open(AT + '/cost.h') as f:
        return dict(re.findall(r'SRC_(\w+),\s*/\* (.*?) \*/', f.read()))


def differences(model):
    """{source: {what differs: [mnemonics]}}; rows that LLVM has no figures for are not among them."""
    found = {}
    with open('%s/%s.def' % (AT, model)) as f:
        rows = ROW.findall(f.read())
    for name, variant, source, hold, ours, llvms in rows:
        ours, llvms = ([int(n) for n in figures.split(',')] for figures in (ours, llvms))
        if not any(llvms):
            continue
        what = ['%s %d, LLVM %d' % (figure, a, b) for figure, a, b in zip(FIGURES, ours, llvms) if a != b]
        if int(hold):
            what.append('nothing dispatched for %s cycles' % hold)
        if what:
            found.setdefault(source, {}).setdefault('; '.join(what), []).append(name if variant == 'plain' else '%s(%s)' % (name, variant))
    return found


def main():
    lines = []
    for model in sys.argv[1:] or ['power8', 'power9', 'power10']:
        for source, groups in differences(model).items():
            lines.append('%s, by %s:' % (model, sources()[source]))
            lines += ['  %s: %s' % (what, ' '.join(names)) for what, names in groups.items()]
    os.makedirs(OUT, exist_ok=True)
    with open(OUT + '/differences.txt', 'w') as f:
        f.write('\n'.join(lines) + '\n')
    print('\n'.join(lines))


main()
