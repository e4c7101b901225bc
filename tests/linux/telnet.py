"""Debian's kernel with its console on telnet: a shell for one client after the other, and the log of what was said."""
# needs: programs guest
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, '..', 'guest')]
from console import INITRD, KERNEL, Folder, check, main, need        # noqa: E402
from streams import DO, Cede, Client, free_port                      # noqa: E402


def shell():
    need(KERNEL, INITRD)
    port = free_port()
    with Folder() as at:
        options = ['-chardev', 'socket,id=c,port=%d,server=on,telnet=on,logfile=%s' % (port, at('log')), '-serial', 'chardev:c', '-kernel', KERNEL,
                   '-initrd', INITRD, '-append', 'console=hvc0 quiet']
        with Cede(*options, guest=False) as c:
            c.line()
            for i in range(2):
                a = Client(('127.0.0.1', port))
                check(a.until(DO + b'\0'), 'greeted-%d' % i)
                a.send(b'\xff\xfd\1\xff\xfd\3\xff\xfc\0')           # Enter is CR NUL
                check(i or a.until(b'# ', 120), 'prompt', a.said[-200:])
                a.said = b''
                a.send(b'echo it is $((6 * 7)).\r\0')
                check(a.until(b'it is 42.', 30), 'answers-%d' % i, a.said[-200:])
                a.close()
            a = Client(('127.0.0.1', port))
            a.until(DO + b'\0')
            a.send(b'poweroff -f\r\0')
            check(c.ends(30) == 0, 'ends', c.process.returncode)
        with open(at('log'), 'rb') as f:
            log = f.read()
        check(log.count(b'it is 42.') == 2 and b'cede guest ready' in log and b'\xff' not in log, 'log', log[-300:])


if __name__ == '__main__':
    main({'shell': shell})
