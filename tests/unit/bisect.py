"""tools/dev/bisect: with a guest that draws a random number at a known cycle, and with a program in cede's place that
differs from cycle D on, ends at cycle E and, if told so, forgets its difference when it is loaded."""
# needs: programs
import os
import re
import struct
import subprocess
import sys
import tempfile

CEDE = os.path.abspath(os.environ.get('CEDE', 'build/cede'))
LOOPS = 0x10000
# lis r4, LOOPS >> 16; mtctr r4; bdnz .; li r3, H_RANDOM; sc 1; b .
GUEST = (0x3c800000 | LOOPS >> 16, 0x7c8903a6, 0x42000000, 0x38600300, 0x44000022, 0x48000000)
DRAWN = 2 + LOOPS + 2           # cycles, after which r4 has the number
FAKE = '''#!/bin/sh
differs=$1 end=$2 forgets=$3 loaded=0 other=0
for word; do
    case $word in
    -loadvm) loaded=1 ;;
    *,quit=on) word=${word%,quit=on} at=${word##*@} path=${word%@*} ;;
    *.log) : >"$word" ;;
    esac
done
if [ "$at" -le "$end" ]; then : >"$path"; else at=$end; fi
[ "$at" -lt "$differs" ] || [ $((forgets * loaded)) = 1 ] || other=1
echo "cede: statehash=$at$other cycles=$at instructions=0" >&2
'''
FAKE_SNAP = '#!/bin/sh\necho "cpu 0: field: 1, 2"; exit 1\n'
NEVER = 1 << 60
failed = 0


def check(ok, name, detail=''):
    global failed
    failed += not ok
    print(('ok %s' if ok else 'FAIL %s: %s') % ((name,) if ok else (name, detail)))


def bisect(*words):
    p = subprocess.run(['tools/dev/bisect', *words], capture_output=True, text=True, check=False)
    return p.returncode, p.stdout + p.stderr


def by_cede(folder):
    with open(folder + '/guest', 'wb') as f:
        f.write(bytes(0x100) + b''.join(struct.pack('>I', w) for w in GUEST))
    argv = [CEDE, '-bios', folder + '/guest', '-m', '256M', '-nodefaults', '-nographic', '-serial', 'null', '-rtc', 'base=2026-01-01']
    two, limit = [*argv, '--', *argv, '-seed', '1'], ['-e', '100000']
    known = ['-x', 'rng_state', '-x', 'fdt_blob', '-x', '^ram ']
    status, text = bisect(*limit, *two)
    check(status == 1 and 'first difference at cycle 0' in text and 'fdt_blob' in text, 'from-the-beginning', (status, text))
    for name, how in ('from-states', []), ('from-power-on', ['-f']):
        status, text = bisect(*how, *limit, *known, *two)
        check(status == 1 and 'first difference at cycle %d\n' % DRAWN in text, name, (status, text))
        check(re.findall(r'^(\S+ \d+: \S+): ', text, re.M) == ['cpu 0: env.gpr[4]'], name + '-field', text)
    status, text = bisect(*limit, *known, *two)
    check(len(re.findall(r'^[ab]: cpu0 .*: 44000022  sc', text, re.M)) == 2, 'instruction', text)
    status, text = bisect(*limit, *argv, '--', *argv)
    check(status == 0 and 'no difference up to cycle 100000' in text, 'no-difference', (status, text))
    status, text = bisect(*limit, *argv, '-no-such-option', '--', *argv)
    check(status == 2 and 'no-such-option' in text, 'no-run', (status, text))


def by_another(folder):
    for name, text in ('cede', FAKE), ('cede-snap', FAKE_SNAP):
        with open(folder + '/' + name, 'w') as f:
            f.write(text)
        os.chmod(folder + '/' + name, 0o755)

    def fake(differs, end=NEVER, forgets=0):
        return [folder + '/cede', str(differs), str(end), str(forgets)]

    for differs in 1, (1 << 20) + 1, 3000000:
        status, text = bisect(*fake(NEVER), '--', *fake(differs))
        check(status == 1 and 'first difference at cycle %d\n' % differs in text and 'cpu 0: field: 1, 2' in text, 'at-%d' % differs, (status, text))
        status, text = bisect(*fake(NEVER, 5000000), '--', *fake(differs, 5000000, 1))
        check(status == 1 and 'first difference at cycle %d\n' % differs in text and ('a load hides it' in text) == (differs > 1 << 20), 'hidden-at-%d' % differs, (status, text))
    status, text = bisect(*fake(NEVER, 5000000), '--', *fake(NEVER, 5000000))
    check(status == 0 and 'ran to the same end' in text, 'same-end', (status, text))
    status, text = bisect(*fake(NEVER, 5000000), '--', *fake(NEVER, 6000000))
    check(status == 1 and 'first difference at cycle 5000001\n' in text and '(ended)' in text, 'another-end', (status, text))
    status, text = bisect('-k', folder + '/kept', '-e', '1000', *fake(NEVER), '--', *fake(3))
    check(status == 1 and {'a@2', 'b@2', 'a@3', 'b@3'} <= set(os.listdir(folder + '/kept')), 'kept', os.listdir(folder + '/kept'))
    for words in (), ('x',), ('x', '--'), ('--', 'x'), ('-e', 'soon', 'x', '--', 'x'):
        check(bisect(*words)[0] == 2, 'usage: ' + ' '.join(words))


with tempfile.TemporaryDirectory(prefix='cede-bisect-test-') as place:
    by_cede(place)
    by_another(place)
sys.exit(1 if failed else 0)
