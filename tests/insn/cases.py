"""What insn_test sends a judge and takes back: cases as state.h lays them out, CHUNK at a time."""
import sys

CASE, CHUNK = 1848, 32
BEFORE, WORD, PREFIX, OUTCOME, GPR, VSR, CR, FPSCR, VSCR, MEM = 0, 4, 8, 16, 24, 280, 1304, 1320, 1328, 1336
RAN, ILLEGAL, ALIGNMENT, STORAGE, TRAPPED, UNDEFINED = range(6)


def serve(judge):
    """Until insn_test is done: judge(buf, at) makes the case at that place what it is after the instruction."""
    while True:
        buf = bytearray(sys.stdin.buffer.read(CHUNK * CASE))
        if not buf:
            return
        for at in range(0, len(buf), CASE):
            judge(buf, at)
        sys.stdout.buffer.write(buf)
        sys.stdout.buffer.flush()
