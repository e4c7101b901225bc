"""Runs one of libFuzzer's programs (tests.mk, FUZZERS) from its seeds on, with a seed of its own: the same inputs each time.

usage: libfuzzer.py NAME RUNS [SEED]; RUNS may be a time, 600s. What ended it is kept in $B/tests/log."""
# needs: fuzz
import os
import re
import subprocess
import sys
import tempfile

BUILD = os.environ.get('B', 'build')
name, many, seed = sys.argv[1], sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else '1'
timed = many.endswith('s')
runs, limit = (1000, '-max_total_time=' + many[:-1]) if timed else (int(many), '-runs=' + many)
program, corpus = BUILD + '/fuzz/' + name, BUILD + '/fuzz/corpus/' + name
if not os.path.exists(program) or not os.path.isdir(corpus):
    print('skip: ' + program + ' was not built (make fuzz)')
    sys.exit(77)
log = BUILD + '/tests/log'
os.makedirs(log, exist_ok=True)
with tempfile.TemporaryDirectory(prefix='cede-fuzz-') as found:
    p = subprocess.run([program, '-seed=' + seed, limit, '-timeout=60', '-mutate_depth=2', '-close_fd_mask=2',
                        '-artifact_prefix=%s/%s-' % (log, name), found, corpus], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
text = p.stdout.decode('utf-8', 'replace')
counts = [int(n) for n in re.findall(r'^(\d+) inputs: (\d+) (?:loaded|good)', text, re.M)[-1:] for n in n]
# A seed at least is good, and most inputs are not, or the fuzzer does not get behind the first check. How many are depends on
# libFuzzer's clock and its own addresses: of 3000 descriptions 4 to 56. So does the number of runs that are too short to be inputs.
if p.returncode or len(counts) != 2 or counts[0] < runs // 10 * 9 or not 0 < counts[1] < counts[0] // 10 * 9:
    print(text[-6000:])
    print('FAIL %s: status %d, %s' % (name, p.returncode, counts))
    sys.exit(1)
print('ok %s: %d inputs, %d good; %s' % (name, *counts, re.findall(r'cov: \d+ ft: \d+', text)[-1]))
