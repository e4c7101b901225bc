"""Debian's kernel started by SLOF: it hands over a tree of its own making, which is taken."""
# needs: programs guest
import re
import tempfile

from console import check, linux, need

SLOF = '/usr/share/qemu/slof.bin'
need(SLOF)
with tempfile.NamedTemporaryFile() as trace:
    with linux('-bios', SLOF, '-d', 'hcall,guest_errors', '-D', trace.name, append='quiet cede.cmd=true') as m:
        m.expect('cede guest status 0', 200)
        check(m.wait(60) == 0, 'boots', m.errors)
    text = open(trace.name).read()
given = re.findall(r'H_UPDATE_DT .* = (\S+)', text)
check(given and set(given) == {'0'}, 'tree-taken', (given, re.findall(r'.*device tree refused.*', text)))
