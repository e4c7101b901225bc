"""tools/dev/gdb.py: what it shows of the block that runs at a known cycle of a guest."""
# needs: $B/debug/cede
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile

CEDE = os.path.join(os.environ.get('B', 'build'), 'debug', 'cede')
# li r3, 7; mtctr r3; addi r4, r4, 5; bdnz .-4; b .
GUEST = (0x38600007, 0x7c6903a6, 0x38840005, 0x4200fffc, 0x48000000)
failed = 0


def check(ok, name, detail=''):
    global failed
    failed += not ok
    print(('ok %s' if ok else 'FAIL %s: %s') % ((name,) if ok else (name, detail)))


def stop_at():
    """Where the page has one break; without it the guest, which never ends, would run on."""
    with open('tools/dev/README.md', encoding='utf-8') as f:
        place = re.search(r"-ex 'break (\S+)'", f.read()).group(1)
    said = subprocess.run(['gdb', '-q', '-nx', '-batch', '-ex', 'info line ' + place.split(':')[1], CEDE], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, check=False).stdout
    check('Line ' in said, 'tools/dev/README.md breaks at a function', place)
    return place


def main(folder):
    with open(folder + '/guest', 'wb') as f:
        f.write(bytes(0x100) + b''.join(struct.pack('>I', w) for w in GUEST))
    options = ['-bios', folder + '/guest', '-m', '256M', '-nodefaults', '-nographic', '-serial', 'null', '-rtc', 'base=2026-01-01']
    subprocess.run([CEDE, *options, '-save', folder + '/state@2,quit=on'], check=True)
    place = stop_at()
    if failed:
        return 1
    told = [w for c in ('break ' + place, 'run', 'cede-regs', 'cede-block', 'cede-op', 'kill') for w in ('-ex', c)]
    p = subprocess.run(['gdb', '-q', '-nx', '-batch', '-x', 'tools/dev/gdb.py', *told, '--args', CEDE, *options, '-loadvm', folder + '/state'],
                       stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    text = p.stdout + p.stderr
    check(re.search(r'^block 0x\w+: real address 0x108, ', text, re.M), 'block', text)
    check(re.search(r'^ +0x108  38840005\n +0x10c  4200fffc$', text, re.M), 'instructions', text)
    check(len(re.findall(r'^> +1  0x108 .* op_addi\w* .* imm=0x5$', text, re.M)) == 1, 'next', text)
    check(len(re.findall(r'^  +1  0x108 .* op_addi', text, re.M)) == 1, 'op', text)
    check('r3  0000000000000007' in text and 'ctr 0000000000000007' in text, 'registers', text)
    return 1 if failed else 0


if not os.path.exists(CEDE) or not shutil.which('gdb'):
    print('skip: no gdb, or %s was not built (make MODE=debug)' % CEDE)
    sys.exit(77)
with tempfile.TemporaryDirectory(prefix='cede-gdb-') as place:
    sys.exit(main(place))
