"""The timing models against what others have measured: loops on the bare machine, and a ladder of footprints.

usage: probes.py [MODEL...]             prints all, writes probes.json and two pictures into the build folder
       probes.py check MODEL            the test: a line for each figure that must be right

probes.tsv has the figures and their sources, tests/guest/probes.def the loops.
"""
# needs: $B/cede $B/tests/guest/probes-le.elf
import json
import math
import os
import subprocess
import sys

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', '..')
BUILD = os.environ.get('B', 'build')
CEDE = os.environ.get('CEDE', BUILD + '/cede')
IMAGE = BUILD + '/tests/guest/probes-le.elf'
OUT = BUILD + '/bench/timing'
MODELS = ('power8', 'power9', 'power10')
LOOSE = 10              # percent by which a known deviation may move before the table has to say so


def read_table():
    names = ('name', 'model', 'what', 'published', 'source', 'certain', 'tolerance', 'now', 'why')
    with open(os.path.join(TOP, 'tests/bench/timing/probes.tsv')) as f:
        rows = [dict(zip(names, line.rstrip('\n').split('\t'))) for line in f if line.strip() and line[0] != '#']
    for row in rows:
        if row['certain'] not in ('yes', 'no'):
            sys.exit('probes.tsv: %s of %s is certain: "%s"?' % (row['name'], row['model'], row['certain']))
        for field in ('published', 'tolerance', 'now'):
            row[field] = None if row[field] == '-' else float(row[field])
    return rows


def run(model):
    """Cycles by name of the loop, and by footprint in KiB."""
    argv = [CEDE, '-M', 'pseries', '-m', '512M', '-nodefaults', '-nographic', '-serial', 'stdio', '-clock', 'warp',
            '-action', 'panic=shutdown', '-timing', model, '-kernel', IMAGE]
    out = subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, encoding='ascii').stdout
    words = [line.split() for line in out.splitlines()]
    if ['done', '1'] not in words:
        sys.exit('probes.py: the guest never came to its end:\n' + out)
    return ({w[1]: int(w[2]) / 1000 for w in words if w and w[0] == 'probe'},
            {int(w[1]): int(w[2]) / 1000 for w in words if w and w[0] == 'ladder'})


def evaluate(what, probes, ladder):
    def knee(first, second):
        middle = math.sqrt(ladder[first] * ladder[second])
        return max(kib for kib in ladder if first <= kib <= second and ladder[kib] < middle)

    return eval(what, {'__builtins__': {}}, {**probes, 'at': ladder.get, 'knee': knee})


def judge(row, value):
    """(deviation in percent or None, verdict): ok, off, known, moved; beside a figure that is not certain, unsure."""
    if row['published'] is None:
        return None, ''
    deviation = 100 * (value / row['published'] - 1)
    if abs(deviation) <= row['tolerance'] + 1e-9:
        return deviation, 'ok' if row['now'] is None else 'better'
    if row['now'] is not None:
        return deviation, 'known' if abs(value / row['now'] - 1) * 100 <= LOOSE else 'moved'
    return deviation, 'off' if row['certain'] == 'yes' else 'unsure'


def results(model, table):
    probes, ladder = run(model)
    rows = []
    for row in (r for r in table if r['model'] == model):
        value = evaluate(row['what'], probes, ladder)
        deviation, verdict = judge(row, value)
        rows.append({**row, 'value': value, 'deviation': deviation, 'verdict': verdict})
    return {'rows': rows, 'probes': probes, 'ladder': ladder}


def check(model):
    if not os.path.exists(IMAGE):
        print('skip: %s was not built: no cross compiler?' % IMAGE)
        sys.exit(77)
    failed = False
    for r in results(model, read_table())['rows']:
        wrong = r['verdict'] in ('off', 'moved')
        failed |= wrong
        if r['published'] is not None and (r['certain'] == 'yes' or wrong):
            print('%s %s: %.2f, published %g, %+.1f %%, %s' % ('FAIL' if wrong else 'ok', r['name'], r['value'], r['published'],
                                                           r['deviation'], r['verdict']))
    sys.exit(failed)


# ---- Pictures ----

COLOURS = {'power8': '#b40', 'power9': '#06a', 'power10': '#283'}
HEAD = '<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">' \
       '<rect width="100%%" height="100%%" fill="white"/>'


def write_ladder(path, report):
    """Cycles of a load by footprint, and the published plateaus as dashes over the footprints that they are for."""
    width, height, edge = 760, 460, 50
    low, high, top = 3, 17, 9           # of logarithms to base 2: KiB, cycles

    def x(kib):
        return edge + (math.log2(kib) - low) / (high - low) * (width - 2 * edge)

    def y(cycles):
        return height - edge - (math.log2(cycles) - 1) / (top - 1) * (height - 2 * edge)

    out = [HEAD % (width, height), '<text x="%d" y="20">Cycles of a load that waits for the one before, by footprint (dashes: published)</text>' % edge]
    for k in range(low, high + 1, 2):
        size = '%d KiB' % 2 ** k if k < 10 else '%d MiB' % 2 ** (k - 10)
        out.append('<path d="M%.1f %d V%d" stroke="#ddd"/><text x="%.1f" y="%d">%s</text>' % (x(2 ** k), edge, height - edge, x(2 ** k) - 16, height - 30, size))
    for k in range(1, top + 1):
        out.append('<path d="M%d %.1f H%d" stroke="#ddd"/><text x="20" y="%.1f">%d</text>' % (edge, y(2 ** k), width - edge, y(2 ** k) + 4, 2 ** k))
    out.append('<text x="%d" y="%d" text-anchor="middle">footprint</text>' % (width // 2, height - 10))
    out.append('<text transform="translate(12 %d) rotate(-90)" text-anchor="middle">cycles</text>' % (height // 2))
    for n, (model, r) in enumerate(report.items()):
        points = sorted((int(k), v) for k, v in r['ladder'].items())
        out.append('<path d="M%s" fill="none" stroke="%s" stroke-width="1.5"/>' % (' L'.join('%.1f %.1f' % (x(k), y(v)) for k, v in points), COLOURS[model]))
        out.append('<text x="%d" y="%d" fill="%s">%s</text>' % (edge + 12, edge + 16 + 16 * n, COLOURS[model], model))
        for row in r['rows']:
            if row['what'].startswith('at(') and row['published']:
                kib = int(row['what'][3:-1])
                out.append('<path d="M%.1f %.1f h60" stroke="%s" stroke-width="3" stroke-dasharray="6 3" stroke-opacity=".5"/>' % (
                    max(edge, min(x(kib) - 30, width - edge - 60)), y(row['published']), COLOURS[model]))
    with open(path, 'w') as f:
        f.write('\n'.join(out + ['</svg>', '']))


def write_deviations(path, report):
    """A dot for each figure, full if it is certain; the line through it is the tolerance."""
    rows = [(m, r) for m, found in report.items() for r in found['rows'] if r['deviation'] is not None]
    width, left, right, step, most = 760, 190, 30, 15, 60
    height = 60 + step * len(rows)

    def x(percent):
        return left + (max(-most, min(most, percent)) + most) / (2 * most) * (width - left - right)

    out = [HEAD % (width, height), '<text x="%d" y="20">Deviation from what is published, in percent (grey: tolerance; at the edge: more)</text>' % left]
    for p in range(-most, most + 1, 20):
        out.append('<path d="M%.1f 40 V%d" stroke="%s"/><text x="%.1f" y="36">%+d</text>' % (x(p), height - 10, '#ddd' if p else '#888', x(p) - 10, p))
    for n, (model, r) in enumerate(rows):
        y = 50 + step * n
        fill = COLOURS[model] if r['certain'] == 'yes' else 'white'
        out.append('<text x="10" y="%d" font-size="11" fill="%s">%s %s</text>' % (y + 4, COLOURS[model], model, r['name']))
        out.append('<path d="M%.1f %d H%.1f" stroke="#bbb" stroke-width="5"/>' % (x(-r['tolerance']), y, x(r['tolerance'])))
        out.append('<circle cx="%.1f" cy="%d" r="4" stroke="%s" fill="%s"/>' % (x(r['deviation']), y, COLOURS[model], fill))
    with open(path, 'w') as f:
        f.write('\n'.join(out + ['</svg>', '']))


def main():
    if sys.argv[1:2] == ['check']:
        check(sys.argv[2])
    os.makedirs(OUT, exist_ok=True)
    table, report = read_table(), {}
    for model in sys.argv[1:] or MODELS:
        report[model] = results(model, table)
        for r in report[model]['rows']:
            print('%-8s %-18s %9.2f  %s' % (model, r['name'], r['value'], '' if r['deviation'] is None else '%7g %-3s %+6.1f %%  %s' % (
                r['published'], r['source'], r['deviation'], r['verdict'])))
    with open(OUT + '/probes.json', 'w') as f:
        json.dump(report, f, indent=1)
    write_ladder(OUT + '/probes-ladder.svg', report)
    write_deviations(OUT + '/probes-deviations.svg', report)


if __name__ == '__main__':
    main()
