"""The Makefile and its scripts, given what users give them: flags of their own, folders with a blank, sources that
cannot be written to, a compiler that lacks a library, a machine where nothing can be installed. Nearly nothing is
built: `make -n` says what would be done.
"""
# needs: $B/tests/unit/savevm
import glob
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import time

TOP = os.getcwd()
EXACT = {'-std=c17', '-fno-strict-aliasing', '-ffp-contract=off', '-fno-math-errno', '-I.', '-D_GNU_SOURCE='}
# What computes with the guest's rounding mode stands in cpu/fp/, and all of that folder does.
ROUNDING = {'cpu/fp/' + name + '.c' for name in ('op_float', 'op_vsx_scalar', 'op_vsx_vector', 'op_vmx_float', 'op_vsx_quad',
                                                 'fpscr', 'fp_exact')}
# What make and the scripts take from PATH, besides what a test puts there.
TOOLS = ('sh', 'make', 'awk', 'basename', 'cat', 'cmp', 'cut', 'dirname', 'echo', 'env', 'find', 'grep', 'install', 'mkdir', 'paste', 'printf',
         'rm', 'sed', 'sort', 'tail', 'tr', 'python3')
failed = 0


def check(ok, name, detail=''):
    global failed
    failed += not ok
    print(('ok %s' if ok else 'FAIL %s: %s') % ((name,) if ok else (name, str(detail)[-1500:])))


def clean_env(**more):
    """Without what the make that runs the tests has told us."""
    env = {k: v for k, v in os.environ.items() if k not in ('MAKEFLAGS', 'MFLAGS', 'MAKEOVERRIDES', 'MAKELEVEL', 'B', 'CC', 'CFLAGS',
                                                            'CPPFLAGS', 'LDFLAGS', 'LDLIBS', 'GUEST_DIR', 'CI', 'MODE', 'T')}
    return dict(env, LC_ALL='C', **more)


def run(words, cwd=TOP, **env):
    p = subprocess.run(words, cwd=cwd, env=clean_env(**env), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, timeout=100)
    return p.returncode, p.stdout.decode(), p.stderr.decode()


def make(*words, cwd=TOP, **env):
    return run(['make', *words], cwd, **env)


def commands(*words, **env):
    """What would compile, by source, and what would link, by program: the flags as a set."""
    status, out, err = make('-n', 'V=1', *words, **env)
    if status:
        raise AssertionError(err)
    # A guest's program has flags of its own.
    lines = [line.split() for line in out.splitlines() if ' -o ' in line and not re.search(r'powerpc|tests/guest/', line)]
    return ({w[-1]: w[:-4] for w in lines if '-c' in w}, {w[w.index('-o') + 1]: w for w in lines if '-c' not in w})


# ---- Flags ----

def flags(folder):
    """What a user says is added, and takes nothing away: from no source, and from no program."""
    plain, programs = commands('B=' + folder, 'all', 'test-programs')
    sources = {f for d in ('cpu', 'machine', 'hcall', 'firmware', 'savevm') for f in glob.glob(d + '/**/*.c', recursive=True)}
    check(sources - set(plain) <= {'cpu/engine/profile.c'} and len(sources) > 50, 'every-source', sorted(sources - set(plain)))
    bad = [s for s in plain if not EXACT <= set(plain[s]) or ('-frounding-math' in plain[s]) != s.startswith('cpu/fp/')]
    check(not bad and ROUNDING <= set(plain), 'every-source-exact', bad)
    for said in ('CFLAGS=-O3', 'CPPFLAGS=-DMINE', 'LDFLAGS=-Wl,-O1', 'LDLIBS=-lmine'):
        name, flag = said.split('=', 1)
        for how, words, env in (('command', [said], {}), ('environment', [], {name: flag})):
            there, linked = commands('B=' + folder, 'all', 'test-programs', *words, **env)
            both = [(plain, there)] * (name in ('CFLAGS', 'CPPFLAGS')) + [(programs, linked)] * (name != 'CPPFLAGS')
            bad = [k for old, new in both for k in old if sorted(new[k]) != sorted(old[k] + [flag])]
            check(not bad, '%s-%s' % (name, how), bad[:5] or linked)
    check(make('-n', 'B=' + folder, 'all', 'test-programs')[2] == '', 'rules-without-warnings')
    there = commands('B=' + folder, 'all', 'CFLAGS=-O3')[0]
    check(all(w.index('-O3') > w.index('-O2') and w.index('-O3') < w.index('-ffp-contract=off') for w in there.values()),
          'CFLAGS-wins-but-over-results', there.get('cpu/fp/op_float.c'))
    for flag in ('-ffast-math', '-Ofast', '-funsafe-math-optimizations'):
        status, _, err = make('-n', 'B=' + folder, 'CFLAGS=-O2 ' + flag)
        check(status and flag in err and err.count('\n') == 1, 'refused' + flag, err)


def other_flags(folder):
    """What was built with other flags, or by another compiler, is built again; what only warns is not."""
    one = folder + '/obj/tools/dtl/dtl_table.o'

    def built(*words):
        status, out, err = make('B=' + folder, *words, one)
        if status:
            raise AssertionError(err)
        return 'dtl_table.c' in out

    made = [built(), built(), built('CFLAGS=-O1'), built('CFLAGS=-O1'), built('CFLAGS=-O1', 'WERROR=1'), built()]
    check(made == [True, False, True, False, False, True], 'other-flags-other-objects', made)


# ---- Modes ----

# What a mode's commands have and no other's.
MODES = {'release': '-fno-plt', 'debug': '-O0', 'san': '-fsanitize=address,undefined', 'tsan': '-fsanitize=thread', 'cov': '--coverage',
         'profile': '-DCEDE_PROFILE', 'fuzz': '-fsanitize=fuzzer-no-link,address,undefined'}


def compiled(text):
    """Flags and object of each source that the text compiles."""
    lines = [line.split() for line in text.splitlines() if ' -c ' in line]
    return {w[-1]: (set(w), w[w.index('-o') + 1]) for w in lines}


def modes(folder):
    """Each mode has flags of its own, in a folder of its own, with short forms for some; there are no others."""
    path = bin_with(folder, 'compilers', clang_19='', gcc='')
    for mode, flag in MODES.items():
        there = 'build/obj/' if mode == 'release' else 'build/%s/obj/' % mode
        status, out, err = make('-nB', 'V=1', 'MODE=' + mode, there.replace('obj/', 'cede'), PATH=path)
        all_of_it = compiled(out)
        bad = [s for s, (flags_of, at) in all_of_it.items() if flag not in flags_of or not at.startswith(there) or not EXACT <= flags_of]
        check(not status and len(all_of_it) > 50 and not bad, 'mode-' + mode, err or bad)
        others = [m for m, f in MODES.items() if m != mode and any(f in w for w, _ in all_of_it.values())]
        check(not others, 'mode-%s-alone' % mode, others)
        check(all(('-DCEDE_NO_TAIL' in w) == (mode != 'release') for w, _ in all_of_it.values()), 'engine-of-' + mode)
        check(('cpu/engine/profile.c' in all_of_it) == (mode == 'profile'), 'sources-of-' + mode)
        short = {'san': 'SAN=1', 'fuzz': 'FUZZ=1', 'profile': 'PROFILE=1'}.get(mode)
        if short:
            check(make('-nB', 'V=1', short, there.replace('obj/', 'cede'), PATH=path) == (status, out, err), short)
    for words in ('MODE=pgo',), ('PGO=1',):
        status, out, err = make('-n', 'V=1', *words, 'build/pgo/cede-dtl', PATH=bin_with(folder, 'none-' + words[0], clang_19='exit 1\n', gcc=''))
        check(not status and 'has no effect' in out and '-o build/pgo/cede-dtl' in out, words[0] + '-without-lld', out[-300:] + err)
    status, out, err = make('-n', 'MODE=fast')
    check(status == 2 and not out and err.count('\n') == 1 and all(m in err for m in MODES), 'no-such-mode', err)


# ---- Folders ----

def blanks(folder):
    status, out, err = make('-n', 'install', 'B=' + TOP + '/build', "DESTDIR=%s/a b'c" % folder)
    lines = [line for line in out.splitlines() if line.startswith('install ')]
    check(not status and len(lines) == 3, 'install-commands', out + err)
    os.makedirs(folder + '/build')
    for name in ('cede', 'cede-dtl', 'cede-prof', 'cede-snap'):
        open(folder + '/build/' + name, 'w').close()
    for line in lines:
        run(['sh', '-c', line.replace(TOP + '/build/', folder + '/build/')])
    there = sorted(f for _, _, files in os.walk(folder + "/a b'c") for f in files)
    check(there == sorted(['cede', 'cede-dtl', 'cede-prof', 'cede-snap'] + [f for f in os.listdir('tools/man') if f.endswith('.1')]), 'DESTDIR-with-a-blank', there)
    status, _, err = make('-n', 'B=%s/a b' % folder)
    check(status and 'blank' in err and err.count('\n') == 1, 'B-with-a-blank', err)


def tree(folder):
    return sorted((os.path.join(d, f), os.stat(os.path.join(d, f)).st_mtime_ns) for d, _, files in os.walk(folder) for f in files)


def elsewhere(folder):
    """Sources that cannot be written to. As root they can: hence the look at what is there afterwards."""
    copy, out = folder + '/source', folder + '/out'
    for name in ('cpu', 'machine', 'hcall', 'firmware', 'savevm', 'tools', 'tests'):
        shutil.copytree(name, copy + '/' + name, ignore=shutil.ignore_patterns('__pycache__'))
    shutil.copy('Makefile', copy)
    before = tree(copy)
    for d, _, files in os.walk(copy):
        for path in [d] + [os.path.join(d, f) for f in files]:
            os.chmod(path, stat.S_IMODE(os.stat(path).st_mode) & ~0o222)
    status, _, err = make('B=' + out, out + '/cede-dtl', out + '/compile_commands.json', cwd=copy)
    check(not status and os.path.exists(out + '/cede-dtl') and os.path.exists(out + '/compile_commands.json'), 'read-only-sources', err)
    status, text, err = make('-n', 'V=1', 'B=' + out, 'all', 'test-programs', 'test-sanitizers', 'test-fuzz', cwd=copy)
    places = re.findall(r'(?: -o |>>? ?|mkdir -p )(\S+)', text)
    bad = [p for p in places if not p.startswith(out + '/') and not p.startswith(('/dev/', '&'))]
    check(not status and len(places) > 200 and not bad, 'B-is-where-all-goes', bad[:10] or err)
    check(tree(copy) == before, 'sources-untouched', set(tree(copy)) ^ set(before))
    for d, _, _ in os.walk(copy):
        os.chmod(d, 0o755)


# ---- What other programs learn of the build ----

def compile_commands(folder):
    """Every source is in it, as the rules compile it; where there is no cross compiler, too."""
    path = bin_with(folder, 'no-cross', clang_19='', gcc='')
    for name, env in ('here', {}), ('without-cross-compilers', {'PATH': path}):
        file = '%s/%s/compile_commands.json' % (folder, name)
        status, _, err = make('B=' + os.path.dirname(file), 'CFLAGS=-DMINE', file, **env)
        if status:
            check(False, 'compile-commands-' + name, err)
            continue
        with open(file) as f:
            entries = {e['file']: e for e in json.load(f)}
        sources = {f for d in ('cpu', 'machine', 'hcall', 'firmware', 'savevm', 'tools', 'tests') for f in glob.glob(d + '/**/*.c', recursive=True)}
        check(sources <= set(entries) and len(sources) > 200, 'every-source-' + name, sorted(sources - set(entries)))
        check(all(e['directory'] == TOP and e['arguments'][-2:] == ['-c', s] and sum(w.endswith(('.c', '.S')) for w in e['arguments']) == 1
                  for s, e in entries.items()), 'one-source-each-' + name)
        ours = [s for s in entries if s.split('/')[0] in ('cpu', 'machine', 'hcall', 'firmware', 'savevm')]
        bad = [s for s in ours if not EXACT | {'-DMINE'} <= set(entries[s]['arguments'])
               or ('-frounding-math' in entries[s]['arguments']) != s.startswith('cpu/fp/')]
        check(not bad, 'flags-' + name, bad)
        bad = [s for s in entries if ('powerpc64' in entries[s]['arguments'][0]) != s.startswith(('tests/guest/', 'tests/linux/', 'tests/bench/programs/',
                                                                                                 'tests/insn/oracle.c', 'tests/insn/p10.c'))]
        check(not bad, 'compilers-' + name, bad)


def checked(folder):
    """`make check` builds what the tests that it runs find built, and no more."""
    def sources(tests, *words):
        status, out, err = make('-n', 'V=1', 'B=' + folder, 'check', 'T=' + tests, *words)
        if status:
            raise AssertionError(err)
        return set(re.findall(r'(?<= )tests/\S+\.c\b', out)) - {'tests/guest/lib.c'}, '-fsanitize' in out, out

    there, sanitized, out = sources('unit/xics')
    check(there == {'tests/unit/xics.c'} and not sanitized and out.rstrip().endswith("tests/run 'unit/xics'"), 'check-one', (there, out[-300:]))
    there, sanitized, _ = sources('unit/clock san/xics')
    check(there == {'tests/unit/clock.c', 'tests/unit/xics.c'} and sanitized, 'check-two', there)
    there, sanitized, _ = sources('unit/entries')
    check(not there and not sanitized, 'check-what-needs-nothing', there)
    there, _, out = sources('guest/radix-*e')
    check((there == {'tests/guest/radix.c'} or 'powerpc' not in out) and 'machine/run/main.c' in out, 'check-pattern', there)
    status, _, err = make('-n', 'B=' + folder, 'check', 'T=nothing/such')
    check(status == 2 and 'no test matches' in err, 'check-no-such-test', err)
    check(make('B=' + folder, 'check')[0] == 2, 'check-nothing')
    goals = run(['tests/run', '-n', '-g', 'all'], B=folder)[1].split()
    check('test-programs' not in goals, 'each-script-says-what-it-needs', goals)
    status, _, err = make('-n', 'B=' + folder, *[g for g in goals if not g.startswith((folder + '/san/', folder + '/debug/', folder + '/tests/guest/'))])
    check(not status and len(goals) > 50, 'needs-are-goals', err)


# ---- What is missing ----

def bin_with(folder, name, **scripts):
    """A folder for PATH: the tools above, and scripts."""
    place = '%s/%s' % (folder, name)
    os.makedirs(place)
    for tool in TOOLS:
        path = shutil.which(tool)
        if path:
            os.symlink(path, place + '/' + tool)
    for script, text in scripts.items():
        path = place + '/' + script.replace('_', '-')
        if os.path.lexists(path):
            os.remove(path)
        with open(path, 'w') as f:
            f.write('#!/bin/sh\n' + text)
        os.chmod(path, 0o755)
    return place


NO_LIBRARY = 'case " $* " in *-fsanitize*" -o "*) echo "no such library" >&2; exit 1;; esac\n'


def sanitizers(folder):
    """Said before the first file is compiled; another compiler only where the user has not chosen."""
    path = bin_with(folder, 'no-library', clang_19=NO_LIBRARY, gcc='')
    status, out, err = make('-n', 'V=1', 'SAN=1', 'B=' + folder + '/o', folder + '/o/cede-dtl', PATH=path)
    said = [line for line in out.splitlines() if line.startswith('cede: ')]
    check(not status and len(said) == 1 and 'libclang-rt-19-dev' in said[0], 'sanitizers-by-gcc', out[:500] + err)
    check(re.search(r'^gcc .*-fsanitize=address,undefined.* -c ', out, re.M) and 'clang-19 ' not in out.split('\n', 1)[1], 'gcc-compiles', out[:500])
    status, out, err = make('-n', 'SAN=1', 'B=' + folder + '/o', 'CC=clang-19', PATH=path)
    check(status == 2 and err.count('\n') == 1 and 'libclang-rt-19-dev' in err and not out, 'sanitizers-refused', out[:200] + err)
    path = bin_with(folder, 'no-library-at-all', clang_19=NO_LIBRARY, gcc=NO_LIBRARY)
    status, out, err = make('-n', 'test-sanitizers', 'test-fuzz', 'B=' + folder + '/o', PATH=path)
    check(not status and 'no run-time library for sanitizers' in out and 'no libFuzzer' in out and ' -c ' not in out,
          'tests-without-sanitizers', out[:500] + err)


ROOT, NOBODY = 'echo 0\n', 'echo 1000\n'
OFFERED = 'echo "  Candidate: 1"\n'
FAILS = 'case "$*" in *install*) echo "E: no network" >&2; exit 100;; esac\n'


def deps(folder):
    """What cannot be installed is named in one line, and stops only what cannot do without."""
    def run_deps(name, what, **scripts):
        path = bin_with(folder, name + '-' + what, **scripts)
        return run(['tools/dev/deps.sh', what], PATH=path, B=folder + '/log-' + name)

    status, out, err = run_deps('no-apt', 'build')
    check(status == 2 and not out and err.count('\n') == 1 and 'a C compiler' in err and 'libfdt-dev' in err and 'no apt' in err, 'no-apt-no-compiler', err)
    status, out, err = run_deps('no-apt-but-all', 'build', gcc='')
    check(status == 0 and not out + err, 'no-apt-but-compiler', err)
    status, out, err = run_deps('no-apt', 'test', gcc='')
    check(status == 1 and not out and err.count('\n') == 1 and 'qemu-user' in err, 'no-apt-tests', err)
    apt = {'dpkg_query': 'echo "gcc installed"\n', 'apt_cache': OFFERED, 'apt_get': FAILS, 'gcc': ''}
    status, out, err = run_deps('no-sudo', 'build', id=NOBODY, **apt)
    check(status == 1 and not out and err.count('\n') == 1 and 'going on without clang-19' in err and 'sudo' in err, 'no-sudo-goes-on', err)
    status, out, err = run_deps('no-sudo-no-gcc', 'build', id=NOBODY, **dict(apt, gcc='exit 1\n'))
    check(status == 2 and 'libfdt' in err and err.count('\n') == 1, 'no-sudo-cannot-build', err)
    status, out, err = run_deps('no-network', 'test', id=ROOT, **apt)
    check(status == 1 and 'no network' in err and 'qemu-user' in err and err.count('\n') == 1, 'no-network-tests', err)
    all_there = 'for p in clang-19 lld-19 libc6-dev make pkg-config libfdt-dev libclang-rt-19-dev libcapstone-dev libzstd-dev libnbd-dev libslirp-dev zlib1g-dev libsdl2-dev libvncserver-dev ' \
                'python3 debian-archive-keyring debootstrap; do echo $p installed; done\n'
    status, out, err = run_deps('all-there', 'build', id=ROOT, **dict(apt, dpkg_query=all_there, apt_get='echo asked; exit 1\n'))
    check(status == 0 and not out + err, 'all-there-asks-nobody', out + err)


def order():
    """`make test` installs, then another make builds and runs; .ci/run is that and no more."""
    for target in ('test', 'test-long'):
        status, out, err = make('-n', target, 'TESTS=unit/bits')
        places = [out.find(s) for s in ('tools/dev/deps.sh build', 'tools/dev/deps.sh test', 'test-all', 'tests/run')]
        check(not status and -1 not in places and places == sorted(places), target + '-installs-first', err or places)
    check(' -g all unit/bits' in out, 'test-long-is-all', out[-300:])
    with open('.ci/run') as f:
        text = f.read()
    check('deps.sh test' not in text and re.search(r'^exec timeout .* make .* test$', text, re.M), 'ci-is-make-test', text)


def processes():
    """(pid, parent) of all that live."""
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open('/proc/%s/stat' % pid) as f:
                state, parent = f.read().rsplit(')', 1)[1].split()[:2]
        except OSError:
            continue
        if state not in 'ZX':
            yield int(pid), int(parent)


def wait_for(what, seconds):
    for _ in range(seconds * 20):
        if what():
            return True
        time.sleep(0.05)
    return False


def ended():
    """tests/run, cut off as .ci/run would do it: the line with the counts, and nothing left behind."""
    build = os.environ.get('B', 'build')
    if not os.path.exists(build + '/tests/unit/savevm'):
        return
    p = subprocess.Popen(['tests/run', '-j1', 'unit/savevm', 'unit/vmstate'], env=clean_env(B=build), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    kids = set()
    wait_for(lambda: kids.update(k for k, parent in processes() if parent == p.pid) or kids or p.poll() is not None, 30)
    p.terminate()
    out = p.communicate(timeout=30)[0].decode()
    check(p.returncode == 1 and 'ended by a signal' in out and re.search(r'^\d passed, 1 failed, 0 skipped$', out, re.M), 'run-says-what-it-came-to', out)
    check(kids and wait_for(lambda: not kids & {k for k, _ in processes()}, 10), 'run-leaves-nothing', kids)


def shown(folder):
    """A fact that fails early is shown, however many hold after it."""
    os.mkdir(folder + '/tests')
    shutil.copy('tests/run', folder + '/tests/run')
    with open(folder + '/tests/tests.list', 'w') as f:
        f.write('early script 1 60 unit $T/early.py\n')
    with open(folder + '/tests/early.py', 'w') as f:
        f.write('# needs: nothing\nprint("FAIL first\\n" + "ok later\\n" * 100)\n')
    status, out, _ = run(['tests/run', 'early'], cwd=folder)
    check(status == 1 and '| FAIL first\n' in out and out.count('\n') < 60, 'run-shows-what-failed', out)


def main():
    with tempfile.TemporaryDirectory(prefix='cede-make-') as folder:
        for test in (flags, other_flags, modes, blanks, elsewhere, compile_commands, checked, shown, sanitizers, deps):
            place = '%s/%s' % (folder, test.__name__)
            os.mkdir(place)
            test(place)
        order()
        ended()
    return 1 if failed else 0


sys.exit(main())
