"""Rooms as the linker sees them: what an object uses stands in its own room or below. An include cannot hide that, nor a
declaration written out by hand. Left out: the functions that a table in a lower room names (their rows are the
interface), and those that UPWARD lists, each with the reason."""
# needs: programs
import collections
import glob
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get('B', 'build')
# Handlers and hooks of insn.def, bodies of hcall.def.
TABLES = re.compile(r'(op|decode|hcall_H)_\w+$')
INTERFACE = 'what cpu/core/cpu.h promises to all who have a processor: its parts are spread over the rooms of cpu/'
MONITOR = 'what cpu/core/pmu.h promises to the engine: where a counter overflows it has to look'
RAISING = 'dispatch.h has for handlers what excp.c does; the TLB raises storage interrupts, too'
UPWARD = {
    'cpu_interrupt': INTERFACE, 'cpu_machine_check': INTERFACE, 'cpu_deliver_pending': INTERFACE, 'cpu_trace': INTERFACE,
    'cpu_trace_completed': INTERFACE,
    'cpu_operand_address': INTERFACE, 'fp_enter': INTERFACE, 'fp_leave': INTERFACE, 'fpscr_set': INTERFACE,
    'fp_exception_waits': INTERFACE,
    'pmu_look': MONITOR, 'pmu_enter': MONITOR, 'pmu_leave': MONITOR, 'pmu_ran': MONITOR,
    'raise_interrupt': RAISING, 'raise_program': RAISING, 'raise_no_storage': RAISING,
    'fuse_block': 'decoding ends with fusing, and the sequences are made of handlers',
    'fuse_first': 'a block that is cut short needs the op that a sequence begins with',
    'trace_rtas_name': 'only RTAS can tell its calls\' names; -trace takes them',
}


def upward(floors, objects):
    """(source, symbol, source that defines it) of each use that points up, or to the side. objects: source -> (symbols
    used, symbols defined)."""
    home = {symbol: source for source, (_, defined) in objects.items() for symbol in defined}
    for source, (used, _) in sorted(objects.items()):
        for symbol in sorted(used & set(home)):
            room, other = os.path.dirname(source), os.path.dirname(home[symbol])
            if room != other and floors[other] <= floors[room] and not TABLES.match(symbol):
                yield source, symbol, home[symbol]


def read_objects(floors):
    paths = {}
    for path in glob.glob(BUILD + '/obj/**/*.o', recursive=True):
        source = os.path.relpath(path, BUILD + '/obj')[:-2] + '.c'
        if os.path.dirname(source) in floors and os.path.exists(source) and not source.startswith('tools/'):
            paths[path] = source
    objects = {source: (set(), set()) for source in paths.values()}
    for line in subprocess.check_output(['nm', '-A', *paths], text=True).splitlines():
        kind, symbol = line.split()[-2:]
        if kind in 'UTDBR':
            objects[paths[line.partition(':')[0]]][kind != 'U'].add(symbol)
    return objects


def read_floors():
    with open(os.path.join(HERE, 'rooms.list')) as f:
        lines = [line.split('#')[0].split() for line in f]
    return {room: floor for floor, rooms in enumerate(filter(None, lines)) for room in rooms}


def main():
    failed = collections.Counter()

    def check(ok, name, detail=''):
        failed[ok] += 1
        print(('ok %s' if ok else 'FAIL %s: %s') % ((name,) if ok else (name, detail)))

    floors = read_floors()
    objects = read_objects(floors)
    found = list(upward(floors, objects))
    for source, symbol, other in found:
        if symbol not in UPWARD:
            check(False, 'downward: ' + source, 'uses %s() of %s' % (symbol, other))
    for symbol in UPWARD:
        check(symbol in {f[1] for f in found}, 'still-upward: ' + symbol, 'no longer: take it from the list')
    planted = {**objects, 'cpu/core/planted.c': ({'machine_free'}, set())}
    new = set(upward(floors, planted)) - set(found)
    check(new == {('cpu/core/planted.c', 'machine_free', 'machine/board/pseries.c')}, 'planted-is-found', new)
    check(len(objects) > 100, 'objects', len(objects))
    return 1 if failed[False] else 0


sys.exit(main())
