#!/usr/bin/env python3
"""What a start of cede costs: time until a guest runs, and memory.

The guest is six instructions long and powers off at once: a run is start and end of the program,
and takes longer than it is to the first instruction. Memory is all that was resident at the peak;
what a running Linux needs beside its RAM, tests/linux says ("memory"). A measurement, not a test.
"""

import argparse
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time

LOAD_AT = 0x400000
RTAS_POWER_OFF = 0x2003
CODE = (0x48000005,             # bl .+4
        0x7c8802a6,             # mflr r4
        0x38840018,             # addi r4,r4,24: the arguments below
        0x3c600000,             # lis r3,0
        0x6063f000,             # ori r3,r3,0xf000: H_RTAS
        0x44000022,             # sc 1
        0x48000000,             # b .
        RTAS_POWER_OFF, 2, 1, 0, 0, 0)


def image():
    """A big-endian ELF file with one segment."""
    body = struct.pack(f">{len(CODE)}I", *CODE)
    ident = b"\x7fELF\x02\x02\x01".ljust(16, b"\0")
    head = ident + struct.pack(">HHIQQQIHHHHHH", 2, 21, 1, LOAD_AT, 64, 0, 2, 64, 56, 1, 0, 0, 0)
    return head + struct.pack(">IIQQQQQQ", 1, 7, 120, LOAD_AT, LOAD_AT, len(body), len(body), 16) + body


def run(command):
    """Seconds, and KiB at the peak."""
    start = time.perf_counter()
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"startup: cede ended with {child.returncode}")
    return seconds, usage.ru_maxrss


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("-n", "--runs", type=int, default=20)
    parser.add_argument("--cede", default=os.environ.get("CEDE", "build/cede"))
    parser.add_argument("--smp", default="1")
    args = parser.parse_args()
    print(f"{'RAM':6}{'median ms':>11}{'min':>8}{'max':>8}{'peak MiB':>10}")
    with tempfile.NamedTemporaryFile(suffix=".elf") as file:
        file.write(image())
        file.flush()
        for ram in "1G", "64G":
            command = [args.cede, "-smp", args.smp, "-m", ram, "-nodefaults", "-serial", "null", "-kernel", file.name]
            run(command)        # brings the program into the host's memory
            seconds, memory = zip(*(run(command) for _ in range(args.runs)))
            print(f"{ram:6}{1000 * statistics.median(seconds):11.1f}{1000 * min(seconds):8.1f}"
                  f"{1000 * max(seconds):8.1f}{max(memory) / 1024:10.1f}")


main()
