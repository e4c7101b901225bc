"""Those who see a screen, and type on it: a monitor's pictures, an X server whose screen is a file, a viewer of VNC. Not a test."""
import json
import os
import shutil
import socket
import struct
import subprocess
import zlib

from console import check, skip


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


class Server:
    """An X server whose screen is a file."""

    def __init__(self, at):
        if not shutil.which('Xvfb') or not shutil.which('xdotool'):
            skip('Xvfb or xdotool is missing')
        read, write = os.pipe()
        self.process = subprocess.Popen(['Xvfb', '-displayfd', str(write), '-screen', '0', '1400x1000x24', '-nolisten', 'tcp', '-fbdir', at],
                                        stderr=subprocess.DEVNULL, pass_fds=[write])
        os.close(write)
        with os.fdopen(read) as number:
            self.env = dict(os.environ, DISPLAY=':' + number.readline().strip(), SDL_VIDEODRIVER='x11')
        self.file = os.path.join(at, 'Xvfb_screen0')

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.kill()
        self.process.wait()

    def tool(self, *words):
        return subprocess.run(['xdotool', *words], env=self.env, stdout=subprocess.PIPE, text=True, check=False).stdout

    def close(self, window):
        """Says to it what a window manager says when a user closes it. X Window System Protocol; ICCCM, WM_DELETE_WINDOW."""
        with socket.socket(socket.AF_UNIX) as s:
            s.connect('/tmp/.X11-unix/X' + self.env['DISPLAY'][1:])
            s.sendall(struct.pack('<BxHHHHxx', ord('l'), 11, 0, 0, 0))
            head = s.recv(8, socket.MSG_WAITALL)
            s.recv(4 * struct.unpack('<H', head[6:8])[0], socket.MSG_WAITALL)
            atoms = []
            for name in b'WM_PROTOCOLS', b'WM_DELETE_WINDOW':
                padded = name + b'\0' * (-len(name) % 4)
                s.sendall(struct.pack('<BBHHxx', 16, 0, 2 + len(padded) // 4, len(name)) + padded)
                atoms.append(struct.unpack_from('<I', s.recv(32, socket.MSG_WAITALL), 8)[0])
            event = struct.pack('<BBHII5I', 33, 32, 0, window, atoms[0], atoms[1], 0, 0, 0, 0)
            s.sendall(struct.pack('<BBHII', 25, 0, 11, window, 0) + event)
            s.sendall(struct.pack('<BxH', 43, 1))       # whose answer comes when all has been done
            s.recv(32, socket.MSG_WAITALL)

    def picture(self, left, top, width, height):
        """Part of the screen, as RGB; the file is in xwd's format."""
        with open(self.file, 'rb') as f:
            data = f.read()
        head = struct.unpack('>25I', data[:100])
        at, stride, little = head[0] + 12 * head[19], head[12], head[7] == 0
        rows = []
        for y in range(top, top + height):
            row = data[at + y * stride + 4 * left:][:4 * width]
            pixels = bytearray(3 * width)
            for i in range(3):
                pixels[i::3] = row[2 - i if little else 1 + i::4]
            rows.append(bytes(pixels))
        return b''.join(rows)


class Viewer:
    """A viewer of VNC. RFC 6143."""

    def __init__(self, port, password=None):
        self.s = socket.create_connection(('127.0.0.1', port), 20)
        version = self.get(12)
        self.s.sendall(version)
        kinds = self.get(self.get(1)[0])
        self.kind = 1 if 1 in kinds else 2
        self.s.sendall(bytes([self.kind]))
        if self.kind == 2:
            challenge = self.get(16)
            self.s.sendall(challenge if password is None else encrypt(password, challenge))
        self.result = struct.unpack('>I', self.get(4))[0]
        if self.result:
            return
        self.s.sendall(b'\1')
        head = self.get(24)
        self.width, self.height = struct.unpack_from('>HH', head)
        self.name = self.get(struct.unpack_from('>I', head, 20)[0]).decode()
        # Pixels of four bytes, blue first; as they are, and screens of another size.
        self.s.sendall(struct.pack('>BxxxBBBBHHHBBBxxx', 0, 32, 24, 0, 1, 255, 255, 255, 16, 8, 0))
        self.s.sendall(struct.pack('>BxHii', 2, 2, 0, -223))

    def get(self, n):
        data = b''
        while len(data) < n:
            more = self.s.recv(n - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def key(self, keysym):
        for down in 1, 0:
            self.s.sendall(struct.pack('>BBxxI', 4, down, keysym))

    def point(self, buttons, x, y):
        self.s.sendall(struct.pack('>BBHH', 5, buttons, x, y))

    def picture(self):
        """All of it, as RGB."""
        self.s.sendall(struct.pack('>BBHHHH', 3, 0, 0, 0, self.width, self.height))
        image, left = bytearray(self.width * self.height * 3), self.width * self.height
        while left > 0:
            if self.get(1) != b'\0':
                raise EOFError
            count = struct.unpack('>xH', self.get(3))[0]
            for _ in range(count):
                x, y, w, h, kind = struct.unpack('>HHHHi', self.get(12))
                if kind == -223:        # another size: once more
                    self.width, self.height = w, h
                    return self.picture()
                for row in range(y, y + h):
                    data = self.get(4 * w)
                    for i in range(3):
                        image[(row * self.width + x) * 3 + i:(row * self.width + x + w) * 3:3] = data[2 - i::4]
                left -= w * h
        return bytes(image)

    def close(self):
        self.s.close()


def encrypt(password, challenge):
    """DES, each byte of the key the other way round: by openssl."""
    key = bytes(int('{:08b}'.format(c)[::-1], 2) for c in password.encode()[:8].ljust(8, b'\0'))
    return subprocess.run(['openssl', 'enc', '-des-ecb', '-provider', 'legacy', '-provider', 'default', '-K', key.hex(), '-nopad', '-nosalt'],
                          input=challenge, stdout=subprocess.PIPE, check=True).stdout


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]
