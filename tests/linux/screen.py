"""Linux on a screen: a frame buffer of its own driver, whose picture a monitor writes; runs repeat, saves continue."""
# needs: programs guest
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import grub_disk      # noqa: E402
from console import CEDE, GUEST, INITRD, KERNEL, Folder, Machine, check, linux, main, need, skip   # noqa: E402
from viewers import Monitor, Server, Viewer, free_port, read_png, read_ppm      # noqa: E402

CPUS = os.environ.get('CPUS', '1')
FIXED = ('-rtc', 'base=2026-01-31T12:00:00', '-clock', 'warp', '-d', 'statehash')
TWO_LINES = 'echo 0 >/sys/class/vtconsole/vtcon1/cursor_blink 2>/dev/null; printf "\\033[2J\\033[H\\033[?25l%s\\n" A >/dev/tty0'


def glyph(pixels, width, column, row):
    """The 8 x 16 pixels of a character, a line each."""
    return [[pixels[((row * 16 + y) * width + column * 8 + x) * 3:][:3] != b'\0\0\0' for x in range(8)] for y in range(16)]


CARDS = {'VGA': 'bochs-drmdrmfb', 'bochs-display': 'bochs-drmdrmfb', 'virtio-gpu-pci': 'virtio_gpudrmfb'}


def draws(card='VGA'):
    """A letter that Linux writes on its console can be read in the picture, in the colours that were asked for."""
    with Folder() as at, linux(*FIXED, '-device', card, '-qmp', 'unix:%s,server=on,wait=off' % at('qmp'), cpus=CPUS,
                               append='quiet fbcon=font:VGA8x16') as m:
        m.expect('cede guest ready', 120)
        qmp = Monitor(at('qmp'))
        check('error' not in qmp.run('screendump', filename=at('before')), 'screendump')
        m.send('cat /proc/fb; ' + TWO_LINES + '; echo DO""NE\n')
        m.expect('0 ' + CARDS[card], 60)
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


def saved(card='VGA'):
    """A picture, and all that the guest makes of it, is the same if it was saved and loaded on the way."""
    def run(*options):
        with linux(*FIXED, '-device', card, *options, cpus=CPUS,
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


def window():
    """What is in the window is the guest's picture; keys and pointer arrive; the window has keys of its own, and ends the machine."""
    with Folder() as at, Server(at('.')) as x:
        cede, kernel, initrd = map(os.path.abspath, (CEDE, KERNEL, INITRD))
        os.chdir(at('.'))
        with linux('-vga', 'std', '-display', 'sdl', '-device', 'virtio-keyboard-pci', '-device', 'virtio-tablet-pci', '-name', 'penguin',
                   '-qmp', 'unix:%s,server=on,wait=off' % at('qmp'), cpus=CPUS, append='quiet fbcon=font:VGA8x16', env=x.env,
                   nographic=False, program=cede, kernel=kernel, initrd=initrd) as m:
            m.expect('cede guest ready', 120)
            qmp = Monitor(at('qmp'))
            tablet = open_terminal(m)
            name = x.tool('search', '--name', 'Ctrl-Alt', 'getwindowname')
            check(name.startswith('penguin - ') and 'Ctrl-Alt-F full screen' in name, 'title', name)
            x.tool('search', '--name', 'penguin', 'windowfocus')
            x.tool('key', 'h', 'i', 'space', 'shift+a', 'Return')
            got = m.expect('got <(.*)>', 60).group(1)
            check(got == 'hi A', 'what is typed arrives', got)
            m.send('echo rea""dy; head -c 72 /dev/input/%s | od -An -v -w24 -td4; echo DO""NE\n' % tablet)
            m.expect('ready', 60)
            time.sleep(1)       # of the host: head must have opened it
            x.tool('mousemove', '60', '100')
            x.tool('mousemove', str(60 + 640), str(100 + 799))
            m.expect('DONE', 60)
            seen = re.findall(r'^ *(?:-?\d+ +){4}(\d+) +(-?\d+)$', m.text[-2000:], re.M)
            seen = [(int(word) & 0xffff, int(word) >> 16, int(value)) for word, value in seen]
            check(len(seen) == 3 and seen[-1] == (0, 0, 0) and {kind for kind, _, _ in seen} <= {0, 3}, 'where the pointer is', seen)
            time.sleep(1)       # likewise: a frame
            qmp.run('screendump', filename=at('ppm'))
            width, height, pixels = read_ppm(at('ppm'))
            check(any(pixels) and x.picture(60, 100, width, height) == pixels, 'the window shows what screendump writes', (width, height))
            x.tool('key', 'ctrl+alt+s')
            for _ in range(50):
                if os.path.exists('cede-1.png'):
                    break
                time.sleep(.1)
            check(os.path.exists('cede-1.png') and read_png('cede-1.png') == (width, height, pixels), 'its key for a picture')
            qmp.run('stop')
            qmp.run('screendump', filename=at('ppm'))
            for _ in range(50):
                name = x.tool('search', '--name', 'penguin', 'getwindowname')
                if 'stopped' in name:
                    break
                time.sleep(.1)
            check(name.startswith('penguin (stopped) - '), 'title while it stands', name)
            x.tool('key', 'x')
            check('None' in qmp.run('human-monitor-command', **{'command-line': 'info panel'})['return'], 'nobody has looked at the dispatcher')
            x.tool('key', 'ctrl+alt+p')
            time.sleep(1)       # likewise
            qmp.run('screendump', filename=at('ppm'), device='panel')
            width, height, pixels = read_ppm(at('ppm'))
            place = re.search(r'Position: (\d+),(\d+)', x.tool('search', '--name', 'penguin', 'getwindowgeometry'))
            check(x.picture(int(place.group(1)), int(place.group(2)), width, height) == pixels, 'its key for who runs where', (width, height))
            x.tool('key', 'ctrl+alt+p')
            qmp.run('cont')
            x.close(int(x.tool('search', '--name', 'penguin').split()[0]))
            check(m.wait(20) == 0, 'closed: the end', m.errors)
        run = subprocess.run([cede, '-nodefaults', '-display', 'sdl', '-kernel', kernel], stderr=subprocess.PIPE, text=True, check=False)
        check(run.returncode == 2 and 'there is no screen' in run.stderr, 'a window without a screen', run.stderr)
        env = dict(x.env, DISPLAY=':99999')
        run = subprocess.run([cede, '-display', 'sdl', '-kernel', kernel], env=env, stderr=subprocess.PIPE, text=True, check=False)
        check(run.returncode == 1 and len(run.stderr.splitlines()) == 1, 'no server: one line', run.stderr)
        env = {name: value for name, value in os.environ.items() if name not in ('DISPLAY', 'WAYLAND_DISPLAY', 'SDL_VIDEODRIVER')}
        run = subprocess.run([cede, '-display', 'sdl', '-kernel', kernel], env=env, stderr=subprocess.PIPE, text=True, check=False)
        check(run.returncode == 1 and 'there is no X or Wayland display' in run.stderr, 'no display at all', run.stderr)
        with linux('-vga', 'std', '-display', 'sdl', env=x.env, nographic=False, program=cede, kernel=kernel, initrd=initrd) as m:
            m.expect('Preparing to boot', 60)
            time.sleep(1)
            x.process.send_signal(signal.SIGSTOP)
            time.sleep(1)
            m.process.terminate()
            check(m.wait(15) is not None, 'a server that stops answering does not keep cede', m.errors)
            x.process.send_signal(signal.SIGCONT)


def open_terminal(m):
    """A terminal of the screen, whose cursor does not blink, waits for a line and says what it got. Which event device the tablet is."""
    m.send("for d in /sys/class/input/event*; do echo \"${d##*/}: $(cat $d/device/name)\"; done; openvt -c 6 -s -w sh -c '"
           'cat /proc/version; printf "\\033[?25l"; echo op""en >/dev/hvc0; read line; echo "got <$line>" >/dev/hvc0\'\n')
    tablet = m.expect(r'(event\d+): QEMU Virtio Tablet', 60).group(1)
    m.expect('open', 60)
    return tablet


def vnc():
    """Viewers of VNC see what screendump writes, and type: with capitals, whether or not they have a shift key to press."""
    port = free_port()
    while port < 5900:
        port = free_port()
    with Folder() as at, linux('-vga', 'std', '-vnc', ':%d' % (port - 5900), '-device', 'virtio-keyboard-pci', '-device',
                               'virtio-tablet-pci', '-name', 'penguin', '-qmp', 'unix:%s,server=on,wait=off' % at('qmp'), cpus=CPUS,
                               append='quiet fbcon=font:VGA8x16', nographic=False) as m:
        m.expect('Preparing to boot', 60)
        early = Viewer(port)
        m.expect('cede guest ready', 120)
        qmp = Monitor(at('qmp'))
        tablet = open_terminal(m)
        late = Viewer(port)
        check(early.result == 0 and early.name == late.name == 'penguin', 'two viewers', (early.name, late.name))
        for c in 'hi !':
            late.key(ord(c))
        late.s.sendall(struct.pack('>BBxxI', 4, 1, 0xffe1))     # shift
        late.key(ord('A'))
        late.s.sendall(struct.pack('>BBxxI', 4, 0, 0xffe1))
        time.sleep(.5)      # of the host: viewers are heard in their own order
        early.key(0xff0d)
        got = m.expect('got <(.*)>', 60).group(1)
        check(got == 'hi !A', 'what is typed arrives', got)
        m.send('echo rea""dy; head -c 144 /dev/input/%s | od -An -v -w24 -td4; echo DO""NE\n' % tablet)
        m.expect('ready', 60)
        time.sleep(1)       # of the host: head must have opened it; and a frame
        late.point(0, 1279, 0)
        late.point(4, 1279, 799)
        late.point(0, 1279, 799)
        m.expect('DONE', 60)
        seen = re.findall(r'^ *(?:-?\d+ +){4}(\d+) +(-?\d+)$', m.text[-2000:], re.M)
        seen = [(int(word) & 0xffff, int(word) >> 16, int(value)) for word, value in seen]
        check(seen == [(3, 0, 32767), (0, 0, 0), (3, 1, 32767), (1, 0x111, 1), (0, 0, 0), (1, 0x111, 0)],
              'where the pointer is, and its button', seen)
        qmp.run('screendump', filename=at('ppm'))
        wanted = read_ppm(at('ppm'))
        for name, viewer in ('early', early), ('late', late):
            check((viewer.picture(), viewer.width, viewer.height) == (wanted[2], *wanted[:2]), 'the picture: ' + name, (viewer.width, viewer.height))
        check('wants no password' in str(qmp.run('set_password', protocol='vnc', password='x')), 'no password is wanted')
        check(qmp.run('query-vnc')['return']['service'] == str(port), 'query-vnc')
        other = linux('-vga', 'std', '-vnc', '127.0.0.1:%d' % (port - 5900))
        check(other.wait(20) == 1 and len(other.errors.splitlines()) == 1 and 'cannot listen' in other.errors, 'the port is taken', other.errors)
        m.send("openvt -c 7 -s -w sh -c 'echo op\"\"en >/dev/hvc0; cat >/tmp/typed'\n")
        m.expect('open', 60)
        third = Viewer(port)
        third.s.sendall(struct.pack('>BBxxI', 4, 1, ord('z')))
        time.sleep(.2)
        third.close()       # with a key down, which Linux would repeat
        time.sleep(.5)      # the machine must still run when the key is let go
        qmp.run('stop')
        qmp.run('human-monitor-command', **{'command-line': 'sendkey q'})
        early.key(ord('w'))
        time.sleep(1)
        qmp.run('cont')
        time.sleep(1.5)
        early.key(0xff0d)
        early.s.sendall(struct.pack('>BBxxI', 4, 1, 0xffe3))    # ctrl-d
        early.key(ord('d'))
        early.s.sendall(struct.pack('>BBxxI', 4, 0, 0xffe3))
        m.send('sleep 1; echo "typed <$(cat /tmp/typed)>"\n')
        got = m.expect('typed <(z*[^$]*)>\n', 60).group(1)
        check(got == 'z', 'a viewer that goes lets its keys go; a machine that stands hears nothing', got)
        late.s.sendall(b'\6\0\0\0\xff\xff\xff\xff' + os.urandom(4096))    # a text of 4 GiB, and what is none
        late.close()
        m.send('echo still""here\n')
        m.expect('stillhere', 60)
        early.close()
        m.send('poweroff -f\n')
        check(m.wait(60) == 0, 'off', m.errors)


def vnc_password():
    """Nobody comes in before a password has been set, nor with another one."""
    port = free_port()
    while port < 5900:
        port = free_port()
    with Folder() as at, linux('-S', '-vga', 'std', '-vnc', 'localhost:%d,password=on' % (port - 5900),
                               '-qmp', 'unix:%s,server=on,wait=off' % at('qmp'), nographic=False) as m:
        until = time.monotonic() + 20
        while not os.path.exists(at('qmp')) and time.monotonic() < until:
            time.sleep(.1)
        qmp = Monitor(at('qmp'))
        check(Viewer(port, '').result != 0, 'none has been set')
        check(qmp.run('set_password', protocol='vnc', password='secret').get('return') == {}, 'set_password')
        viewers = [Viewer(port, word) for word in ('secret', 'Secret', '', 'secre')]
        check([v.kind for v in viewers] == [2] * 4 and [bool(v.result) for v in viewers] == [False, True, True, True], 'this one alone',
              [v.result for v in viewers])
        check('Error' not in qmp.run('human-monitor-command', **{'command-line': 'change vnc password other'})['return'], 'change')
        check(Viewer(port, 'secret').result != 0 and Viewer(port, 'other').result == 0, 'another one')
        check('127.0.0.1' in qmp.run('human-monitor-command', **{'command-line': 'info vnc'})['return'] or
              'localhost' in qmp.run('human-monitor-command', **{'command-line': 'info vnc'})['return'], 'info vnc')
        qmp.run('human-monitor-command', **{'command-line': 'migrate -d "exec:ls -l /proc/self/fd >%s; cat >/dev/null"' % at('fds')})
        until = time.monotonic() + 20
        while not os.path.exists(at('fds')) and time.monotonic() < until:
            time.sleep(.1)
        time.sleep(.2)
        with open(at('fds')) as f:
            text = f.read()
        check('pipe:' in text and 'socket:' not in text, 'a command gets no socket of ours', text)
        half = [socket.create_connection(('127.0.0.1', port), 20) for _ in range(3)]
        for s in half:
            s.sendall(b'RFB 0')
        begun = time.monotonic()
        check(Viewer(port, 'other').result == 0 and time.monotonic() - begun < 8, 'beside half messages another one comes in')
        half = [socket.create_connection(('127.0.0.1', port), 20) for _ in range(3)]
        for s in half:
            s.sendall(b'RFB 0')
        qmp.run('quit')
        check(m.wait(8) == 0, 'and cede ends', m.errors)


SLOF = '/usr/share/qemu/slof.bin'
# Its own banner, on its own screen: text by H_LOGICAL_MEMOP, colours by the palette.
BANNER = ('" screen" output\r', '.( done) cr\r')


def slof():
    """What SLOF draws is what it draws under QEMU: to the last pixel."""
    need(SLOF)
    if not shutil.which('qemu-system-ppc64'):
        skip('qemu-system-ppc64 is missing')
    with Folder() as at:
        pictures = []
        for program, options in ((CEDE, ['-device', 'VGA', '-vga', 'none', '-bios', SLOF, '-clock', 'warp']),
                                 ('qemu-system-ppc64', ['-device', 'VGA,romfile=', '-display', 'none', '-vga', 'none'])):
            path = at('qmp%d' % len(pictures))
            with Machine('-prom-env', 'auto-boot?=false', '-qmp', 'unix:%s,server=on,wait=off' % path, *options,
                         program=program, nographic=False) as m:
                m.expect('0 > ', 200)
                qmp = Monitor(path)
                for line in BANNER:
                    m.send(line)
                    m.expect('ok|done', 60)
                time.sleep(1)
                qmp.run('screendump', filename=at('ppm'))
                pictures.append(read_ppm(at('ppm')))
                qmp.run('quit')
                m.wait(20)
        ours, qemus = pictures
        check(ours[:2] == (800, 600) and any(ours[2]), 'something', ours[:2])
        differ = sum(a != b for a, b in zip(ours[2], qemus[2]))
        check(ours == qemus, 'as under QEMU', differ)


def settled(qmp, path, before=None):
    """The picture, once it is SLOF's, another one than before, and stays so for longer than SLOF thinks about anything."""
    last, since = None, time.monotonic()
    until = since + 200
    while time.monotonic() < until:
        qmp.run('screendump', filename=path)
        time.sleep(.3)      # QEMU answers before all is written
        picture = read_ppm(path)
        if picture != last:
            last, since = picture, time.monotonic()
        elif picture[:2] == (800, 600) and picture != before and any(picture[2]) and time.monotonic() > since + 8:
            return picture
    return last


class Both:
    """A machine with SLOF, a VGA card and a USB keyboard, under cede and then under QEMU: what is seen of them is equal."""
    PROGRAMS = ((CEDE, ['-device', 'VGA', '-bios', SLOF, '-clock', 'warp']), ('qemu-system-ppc64', ['-device', 'VGA,romfile=']))

    def __init__(self, at, *options):
        need(SLOF)
        if not shutil.which('qemu-system-ppc64'):
            skip('qemu-system-ppc64 is missing')
        self.at, self.options, self.pictures = at, options, []

    def run(self, act):
        """`act` is given each; what it returns is its pictures."""
        for program, options in self.PROGRAMS:
            path = self.at('qmp%d' % len(self.pictures))
            with Machine('-qmp', 'unix:%s,server=on,wait=off' % path, '-display', 'none', *options, '-device', 'qemu-xhci', '-device', 'usb-kbd',
                         *self.options, program=program, nographic=False) as m:
                until = time.monotonic() + 20
                while not os.path.exists(path) and time.monotonic() < until:
                    time.sleep(.1)
                self.m, self.qmp = m, Monitor(path)
                self.pictures.append(act(self))
                check('Open Firmware' not in m.text, '%s: it talks on the screen' % os.path.basename(program), m.text[-300:])
                self.qmp.run('quit')
                m.wait(20)
        for number, (ours, qemus) in enumerate(zip(*self.pictures)):
            check(ours == qemus, 'picture %d is as under QEMU' % number, (ours[:2], qemus[:2], sum(a != b for a, b in zip(ours[2], qemus[2]))))
        check(all(a != b for a, b in zip(self.pictures[0], self.pictures[0][1:])), 'each picture is another one')

    def settled(self, before=None):
        return settled(self.qmp, self.at('ppm'), before)

    def press(self, *keys):
        for key in keys:
            self.qmp.run('send-key', keys=[{'type': 'qcode', 'data': k} for k in key.split('-')])
            time.sleep(1)       # SLOF looks at one report of the keyboard at a time


def slof_types():
    """SLOF talks on a screen and a USB keyboard, where they are; what is typed is seen."""
    def act(both):
        begun = both.settled()
        both.press('2', 'spc', '3', 'spc', 'shift-equal', 'spc', 'dot', 'ret')
        return begun, both.settled(begun)
    with Folder() as at:
        Both(at, '-prom-env', 'auto-boot?=false').run(act)


def grub_menu():
    """GRUB's menu on the screen, of which SLOF is the terminal; a key of the USB keyboard goes down in it."""
    modules = GUEST + '/grub/powerpc-ieee1275'
    need(KERNEL, INITRD, modules)

    def act(both):
        begun = both.settled()
        both.press('down')
        return begun, both.settled(begun)
    with Folder() as at:
        disk = grub_disk.make(at.path, modules, KERNEL, INITRD, timeout=-1)
        Both(at, '-drive', 'file=%s,if=none,id=d,format=raw' % disk, '-device', 'virtio-blk-pci,drive=d', '-boot', 'c').run(act)


main({'slof-types': slof_types, 'grub': grub_menu, 'slof': slof, 'vnc': vnc, 'vnc-password': vnc_password, 'draws': draws, 'saved': saved, 'types': types, 'window': window})
