"""Decimal floating point for a process of Linux: what the compiler makes of _Decimal64 and _Decimal128, and SIGFPE."""
# needs: programs guest linux-programs
import decimal
import os
import re
import subprocess
import sys
from decimal import Decimal

from console import INITRD, KERNEL, Folder, check, linux, main, need, skip

PROGRAM = os.path.join(os.environ.get('B', 'build'), 'tests/linux/decimal')
FPE_FLTUND = 5


def wanted():
    """The same as tests/linux/decimal.c, by Python's numbers."""
    decimal.setcontext(decimal.Context(prec=16))
    balance = Decimal('1000.00')
    for _ in range(120):
        balance = (balance * Decimal('1.0045')).quantize(Decimal('0.01'), decimal.ROUND_HALF_EVEN)
    decimal.setcontext(decimal.Context(prec=34))
    total = sum((1 / Decimal(i) for i in range(1, 1001)), Decimal(0))
    whole, rest = divmod(total * Decimal(10) ** 17, 1)
    return {'dfp': 1, 'cents': int(balance * 100), 'sum': int(whole), 'rest': round(rest * Decimal(10) ** 16), 'less': 1,
            'signal': 8, 'code': FPE_FLTUND}


def numbers():
    """Values, the hardware capability, and the signal of an enabled underflow."""
    need(KERNEL, INITRD)
    if not os.path.exists(PROGRAM):
        skip(PROGRAM + ' was not built: no cross compiler?')
    with Folder() as folder:
        subprocess.run([sys.executable, 'tools/guest/guest_pack.py', 'add', INITRD, folder('initrd.gz'), 'bin/decimal=' + PROGRAM],
                       check=True)
        with linux(initrd=folder('initrd.gz'), append='quiet cede.cmd=decimal') as m:
            m.expect('cede guest status 0', 120)
            got = {name: int(v) for name, v in re.findall(r'^(\w+) (\d+)\r?$', m.text, re.M)}
            for name, want in wanted().items():
                check(got.get(name) == want, name, (got.get(name), want))
            check(m.wait(60) == 0, 'ends', m.errors)


main({'numbers': numbers})
