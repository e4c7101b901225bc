"""A guest of a few instructions that registers its areas, for cede's -bios."""
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'linux'))
from console import skip     # noqa: E402

AREAS = """
        .org    0x100
        lis     31, 0x0100              # the areas: 0x1000000 VPA, 0x1001000 SLB shadow, 0x1002000 DTL
        li      5, 640
        sth     5, 4(31)
        addi    30, 31, 0x1000
        li      5, 16
        stw     5, 4(30)
        addi    29, 31, 0x2000
        li      5, 480
        stw     5, 4(29)
%s
        li      5, 7                    # each dispatch into the log
        stb     5, 0xb8(31)
        lis     7, 1
        mtdec   7
loop:   addi    10, 10, 1
        li      3, 0xe0                 # H_CEDE, until the decrementer calls
        sc      1
        b       loop
        .org    0x900
        lis     7, 1
        mtdec   7
        rfid
"""
REGISTER = """
        li      3, 0xdc
        li      4, %d
        sldi    4, 4, 45
        li      5, 0
        mr      6, %d
        sc      1
"""


# Area and register that has its address: in every combination that a guest may register.
VPA, SHADOW, DTL = (1, 31), (3, 30), (2, 29)
COMBINATIONS = {'none': [], 'vpa': [VPA], 'vpa-shadow': [VPA, SHADOW], 'vpa-dtl': [VPA, DTL], 'all': [VPA, SHADOW, DTL]}


def assemble(at, source, tools):
    with open(at('a.s'), 'w') as f:
        f.write(source)
    subprocess.run([tools[0], '-mpower9', '-o', at('a.o'), at('a.s')], check=True)
    subprocess.run([tools[1], '-Ttext', '0', '-e', '0', '-o', at('a.elf'), at('a.o')], check=True, capture_output=True)
    subprocess.run([tools[2], '-O', 'binary', '-j', '.text', at('a.elf'), at('a.bin')], check=True)


def cross_tools():
    tools = ['powerpc64-linux-gnu-' + t for t in ('as', 'ld', 'objcopy')]
    if not all(shutil.which(t) for t in tools):
        skip('no cross binutils')
    return tools
