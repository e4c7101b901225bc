"""Linux on a screen: a frame buffer of its own driver, whose picture a monitor writes; runs repeat, saves continue."""
# needs: programs guest
import json
import os
import re
import socket
import struct
import sys
import time
import zlib

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from console import Folder, check, linux, main   # noqa: E402

CPUS = os.environ.get('CPUS', '1')
FIXED = ('-rtc', 'base=2026-01-31T12:00:00', '-clock', 'warp', '-d', 'statehash')
TWO_LINES = 'echo 0 >/sys/class/vtconsole/vtcon1/cursor_blink 2>/dev/null; printf "\\033[2J\\033[H\\033[?25l%s\\n" A >/dev/tty0'


def read_ppm(path):
    with open(path, 'rb') as f:
        data = f.read()
    magic, size, most, pixels = data.split(b'\n', 3)
    width, height = map(int, size.split())
    check(magic == b'P6' and most == b'255' and len(pixels) == width * height * 3, 'ppm', (magic, size, len(pixels)))
    return width, height, pixels


def read_png(path):
    """Of the kind that cede writes: RGB, eight bits, no filters."""
    with open(path, 'rb') as f:
        data = f.read()
    check(data[:8] == b'\x89PNG\r\n\x1a\n', 'png: signature', data[:8])
    at, chunks = 8, []
    while at < len(data):
        length, = struct.unpack_from('>I', data, at)
        kind, body = data[at + 4:at + 8], data[at + 8:at + 8 + length]
        check(struct.unpack_from('>I', data, at + 8 + length)[0] == zlib.crc32(kind + body), 'png: checksum of %s' % kind.decode())
        chunks.append((kind, body))
        at += 12 + length
    check([kind for kind, _ in chunks] == [b'IHDR', b'IDAT', b'IEND'], 'png: chunks', [kind for kind, _ in chunks])
    width, height, bits, colours = struct.unpack_from('>IIBB', chunks[0][1])
    rows = zlib.decompress(chunks[1][1])
    check(bits == 8 and colours == 2 and len(rows) == height * (1 + width * 3), 'png: rows', (bits, colours, len(rows)))
    return width, height, b''.join(rows[y * (1 + width * 3) + 1:(y + 1) * (1 + width * 3)] for y in range(height))


class Monitor:
    """QMP on a socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.file = self.socket.makefile('rw')
        self.file.readline()
        self.run('qmp_capabilities')

    def run(self, command, **arguments):
        self.file.write(json.dumps({'execute': command, 'arguments': arguments}) + '\n')
        self.file.flush()
        while True:
            answer = json.loads(self.file.readline())
            if 'event' not in answer:
                return answer


def glyph(pixels, width, column, row):
    """The 8 x 16 pixels of a character, a line each."""
    return [[pixels[((row * 16 + y) * width + column * 8 + x) * 3:][:3] != b'\0\0\0' for x in range(8)] for y in range(16)]


def draws():
    """A letter that Linux writes on its console can be read in the picture, in the colours that were asked for."""
    with Folder() as at, linux(*FIXED, '-vga', 'std', '-qmp', 'unix:%s,server=on,wait=off' % at('qmp'), cpus=CPUS,
                               append='quiet fbcon=font:VGA8x16') as m:
        m.expect('cede guest ready', 120)
        qmp = Monitor(at('qmp'))
        check('error' not in qmp.run('screendump', filename=at('before')), 'screendump')
        m.send('cat /proc/fb; ' + TWO_LINES + '; echo DO""NE\n')
        m.expect('0 bochs-drmdrmfb', 60)
        m.expect('DONE', 60)
        qmp.run('screendump', filename=at('ppm'))
        answer = qmp.run('screendump', filename=at('png'), format='png')
        width, height, pixels = read_ppm(at('ppm'))
        check((width, height) == (1280, 800), 'what the display likes best', (width, height))
        if 'without zlib' not in str(answer):
            check(read_png(at('png')) == (width, height, pixels), 'png and ppm are one picture')
        a = glyph(pixels, width, 0, 0)
        check(a[2] == [c == '#' for c in '...#....'] and sum(map(sum, a)) > 30 and not any(a[15]), 'an A',
              '\n' + '\n'.join(''.join('.#'[p] for p in line) for line in a))
        check(not any(map(any, glyph(pixels, width, 1, 0))) and not any(map(any, glyph(pixels, width, 0, 3))), 'and nothing else')
        m.send('printf "\\033[31;44m \\033[0m" >/dev/tty0; echo DO""NE\n')
        m.expect('DONE', 60)
        qmp.run('screendump', filename=at('ppm'))
        colours = read_ppm(at('ppm'))[2][16 * width * 3:][:3]
        check(colours == b'\0\0\xaa', 'blue', colours)
        check('error' in qmp.run('screendump', filename=at('no') + '/x') and 'error' in qmp.run('screendump', filename=at('x'), device='q'),
              'refused')
        m.send('poweroff -f\n')
        check(m.wait(60) == 0, 'off', m.errors)


def saved():
    """A picture, and all that the guest makes of it, is the same if it was saved and loaded on the way."""
    def run(*options):
        with linux(*FIXED, '-vga', 'std', *options, cpus=CPUS,
                   append='quiet cede.cmd="for i in $(seq 20); do cat /proc/cpuinfo >/dev/tty0; done; md5sum /dev/fb0"') as m:
            return m.wait(240), m.text, m.errors
    with Folder() as at:
        whole = run('-save', at('saved') + '@1900000000')
        again = run()
        rest = run('-loadvm', at('saved'))
        check(whole[0] == 0 and 'cede guest status 0' in whole[1], 'it-works', whole[1][-2000:] + whole[2])
        check(whole[2] == again[2] and 'hash' in whole[2], 'runs repeat', (whole[2], again[2]))
        check(rest[0] == 0 and rest[2] == whole[2], 'a load continues', (rest[2], whole[2]))


def types():
    """Keys and pointers of a monitor arrive: what is typed is read from the screen's terminal, where it is seen as well."""
    with Folder() as at, linux('-vga', 'std', '-device', 'virtio-keyboard-pci', '-device', 'virtio-tablet-pci',
                               '-qmp', 'unix:%s,server=on,wait=off' % at('qmp'), cpus=CPUS, append='quiet fbcon=font:VGA8x16') as m:
        m.expect('cede guest ready', 120)
        qmp = Monitor(at('qmp'))
        m.send('for d in /sys/class/input/event*; do echo "${d##*/}: $(cat $d/device/name)"; done; echo rea""dy; '
               "openvt -c 6 -s -w sh -c 'echo op\"\"en >/dev/hvc0; read line; echo \"got <$line>\" >/dev/hvc0'\n")
        keyboard = m.expect(r'(event\d+): QEMU Virtio Keyboard', 60).group(1)
        tablet = m.expect(r'(event\d+): QEMU Virtio Tablet', 60).group(1)
        check(keyboard != tablet, 'two devices')
        m.expect('open', 60)
        for key in 'h', 'i', 'spc', 'shift-a', 'shift-1', 'x', 'backspace':
            check('error' not in qmp.run('human-monitor-command', **{'command-line': 'sendkey ' + key}), 'sendkey ' + key)
        qmp.run('send-key', keys=[{'type': 'qcode', 'data': 'dot'}])
        qmp.run('send-key', keys=[{'type': 'number', 'data': 28}])
        got = m.expect('got <(.*)>', 60).group(1)
        check(got == 'hi A!.', 'what is typed arrives', got)
        m.send('echo rea""dy; head -c 144 /dev/input/%s | od -An -v -w24 -td4; echo DO""NE\n' % tablet)
        m.expect('ready', 60)
        m.expect('\n', 10)
        time.sleep(1)       # likewise
        answer = qmp.run('input-send-event', events=[
            {'type': 'abs', 'data': {'axis': 'x', 'value': 100}}, {'type': 'abs', 'data': {'axis': 'y', 'value': 32767}},
            {'type': 'btn', 'data': {'down': True, 'button': 'left'}}])
        check(answer.get('return') == {}, 'input-send-event', answer)
        qmp.run('input-send-event', events=[{'type': 'btn', 'data': {'down': False, 'button': 'left'}}])
        m.expect('DONE', 60)
        seen = [tuple(map(int, line)) for line in re.findall(r'^ *(?:-?\d+ +){4}(\d+) +(-?\d+)$', m.text[-2000:], re.M)]
        seen = [(word & 0xffff, word >> 16, value) for word, value in seen]
        check(seen == [(3, 0, 100), (3, 1, 32767), (1, 0x110, 1), (0, 0, 0), (1, 0x110, 0), (0, 0, 0)],
              'where it points, and its button', seen)
        for bad in ({'type': 'abs', 'data': {'axis': 'z', 'value': 1}}, {'type': 'abs', 'data': {'axis': 'x', 'value': 32768}},
                    {'type': 'key', 'data': {'down': True, 'key': {'type': 'qcode', 'data': 'nokey'}}}, {'type': 'x'}, {}):
            check('error' in qmp.run('input-send-event', events=[bad]), 'refused: %s' % bad)
        check('Error' in qmp.run('human-monitor-command', **{'command-line': 'sendkey a-nokey'})['return'], 'no such key')
        m.send('poweroff -f\n')
        check(m.wait(60) == 0, 'off', m.errors)


main({'draws': draws, 'saved': saved, 'types': types})
