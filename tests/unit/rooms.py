"""Rooms: each folder of the sources may include from itself and from what stands below it in tests/unit/rooms.list, and
from nothing else. Prints the graph as it is: each room with the rooms that it includes from.

usage: rooms.py [FOLDER]     the tree to look at, instead of this one"""
# needs: nothing
import collections
import glob
import os
import re
import sys

ROOMS = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'rooms.list')
TOPS = ('cpu', 'machine', 'hcall', 'firmware', 'savevm', 'tools')
failed = 0


def check(ok, name, detail=''):
    global failed
    failed += not ok
    print(('ok %s' if ok else 'FAIL %s: %s') % ((name,) if ok else (name, detail)))


def read_floors():
    """Floor of each room: 0 is the top; rooms of one line share a floor, and know nothing of each other."""
    with open(ROOMS) as f:
        lines = [line.split('#')[0].split() for line in f]
    return {room: floor for floor, rooms in enumerate(filter(None, lines)) for room in rooms}


def read_includes():
    """(from, to) of each include, by path; those in angle brackets are ours if such a file is here."""
    for top in TOPS:
        for path in sorted(glob.glob(top + '/**/*.[ch]', recursive=True) + glob.glob(top + '/**/*.def', recursive=True)):
            with open(path) as f:
                for mark, name in re.findall(r'^\s*#\s*include\s*(["<])([^">]+)', f.read(), re.M):
                    if mark == '"' or os.path.exists(name):
                        yield path, name


def main():
    os.chdir(sys.argv[1] if len(sys.argv) > 1 else '.')
    floors, graph = read_floors(), collections.defaultdict(set)
    for path, name in read_includes():
        room, other = os.path.dirname(path), os.path.dirname(name)
        if not os.path.exists(name):
            check(False, 'whole-path: ' + path, 'includes "%s"' % name)
        elif room not in floors or other not in floors:
            check(False, 'room-is-listed: ' + path, room if room not in floors else other)
        elif room != other:
            graph[room].add(other)
            if floors[other] <= floors[room]:
                check(False, 'downward: ' + path, 'includes "%s"' % name)
    for room in sorted(floors, key=lambda r: (floors[r], r)):
        check(os.path.isdir(room), 'room %s -> %s' % (room, ' '.join(sorted(graph[room], key=lambda r: (floors[r], r))) or 'nothing'), 'no such folder')
    return 1 if failed else 0


sys.exit(main())
