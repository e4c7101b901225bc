"""A guest that does nothing but ask the firmware about the largest tree that it can give: cede ends when it is told to."""
# needs: programs guests
import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../linux'))
from console import Machine, check, main, skip     # noqa: E402

BUILD = os.environ.get('B', 'build')
LIMIT = 4       # seconds: 1 is the machine's, the others are the host's, if it is busy


def ends():
    for order in 'le', 'be':
        path = '%s/tests/guest/tree-%s.elf' % (BUILD, order)
        if not os.path.exists(path):
            skip(path + ' was not built: no cross compiler?')
        with Machine('-kernel', path, '-append', 'forever', ram='256M') as m:
            m.expect('ready', 20)
            time.sleep(0.5)
            start = time.monotonic()
            m.kill(signal.SIGTERM)
            status = m.wait(60)
            took = time.monotonic() - start
            check(status == 1 and took < LIMIT, 'ends-' + order, 'status %s after %.2f s' % (status, took))


main({'ends': ends})
