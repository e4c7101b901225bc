#!/usr/bin/env python3
"""Draws the rooms of the sources as README.md shows them: a floor for each line of tests/unit/rooms.list, the roof first. What a
room holds is said by the tables of the folders' READMEs.

usage: rooms_svg.py > tools/man/rooms.svg"""
import glob
import html
import os
import re

COLOURS = {'machine': '#dbe9f6', 'firmware': '#e6e0f5', 'hcall': '#fbe3d1', 'cpu': '#dff0d8', 'savevm': '#f6ecc4', 'tools': '#ececec'}
WIDTH, HIGH, GAP = 860, 24, 4


def read_floors():
    with open('tests/unit/rooms.list', encoding='utf-8') as f:
        lines = [line.split('#')[0].split() for line in f]
    return [rooms for rooms in lines if rooms]


def read_contents():
    """What each room holds, in a few words."""
    holds = {'firmware': 'what runs before the kernel', 'hcall': 'hypercalls, dispatcher, dispatch logs', 'savevm': 'streams, state descriptions, files'}
    for path in sorted(glob.glob('*/README.md')):
        with open(path, encoding='utf-8') as f:
            holds.update(re.findall(r'^\| `([a-z/]+)` \| ([^|]+?) (?:\(\[|\|)', f.read(), re.M))
    return holds


def main():
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), '../..'))
    floors, holds = read_floors(), read_contents()
    height = len(floors) * (HIGH + GAP) + GAP
    print(f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
          ' font-family="DejaVu Sans, Verdana, Helvetica, Arial, sans-serif" font-size="12" fill="#222">')
    print(f'<title>The rooms of the sources</title>\n<rect width="{WIDTH}" height="{height}" fill="#fff"/>')
    for floor, rooms in enumerate(floors):
        box = (WIDTH - GAP) / len(rooms) - GAP
        y = GAP + floor * (HIGH + GAP)
        for place, room in enumerate(rooms):
            x = GAP + place * (box + GAP)
            print(f'<rect x="{x:g}" y="{y}" width="{box:g}" height="{HIGH}" rx="3" fill="{COLOURS[room.split("/")[0]]}" stroke="#999"/>')
            print(f'<text x="{x + 8:g}" y="{y + 16}"><tspan font-weight="bold">{room}</tspan>'
                  f'<tspan dx="10" font-size="11" fill="#555">{html.escape(holds.get(room, ""), quote=False)}</tspan></text>')
    print('</svg>')


main()
