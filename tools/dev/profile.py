#!/usr/bin/env python3
"""Shows what a guest executes most, and where the host spends its time on it.

usage: make profile [WORKLOAD="command line in the guest"] [COUNTS=FILE]

The guest of tools/guest/guest.sh boots, runs the command and powers off: once under build/profile/cede,
which counts each op (cpu/engine/profile.c), and once under build/cede with perf. By default the command
is "true", so what is seen is the boot. The environment may set KERNEL, INITRD, SMP and MEM, too.

Of the ops, which are counted before any are fused, there are lists of the most frequent ones, and
of two, three and four in a row within a block. Shares are of all ops executed. Of the blocks there
are the ones with the largest share of all instructions executed, with their code; should a block
be left early, its rest is counted as well.

Writes build/profile/ops.txt and build/profile/host.txt; the head of each goes to the terminal. The
counts themselves stay in FILE (build/profile/counts) for tools/dev/fuse_pick.py.
"""

import os
import shutil
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OUT = "build/profile"
TITLES = {1: "ops", 2: "pairs", 3: "triples", 4: "quadruples"}
ROWS, BLOCKS, HOT_SPOTS = 60, 40, 50        # in the files
HEAD_ROWS, HEAD_BLOCKS = 8, 3               # on the terminal
DISASSEMBLERS = ("powerpc64le-linux-gnu-objdump", "powerpc64-linux-gnu-objdump")


class Trouble(Exception):
    """What kept the profile from a result, in one line."""


def machine(program):
    env = os.environ.get
    workload = env("WORKLOAD") or "true"
    if '"' in workload:
        raise Trouble('WORKLOAD holds a ", which the kernel\'s command line cannot carry')
    return [program, "-M", "pseries", "-cpu", "power9", "-smp", env("SMP") or "1",
            "-m", env("MEM") or "1G", "-nographic", "-nodefaults", "-serial", "stdio",
            "-rtc", "base=2026-01-01T00:00:00", "-kernel", env("KERNEL") or "build/guest/vmlinux",
            "-initrd", env("INITRD") or "build/guest/initrd.gz",
            "-append", f'console=hvc0 cede.cmd="{workload}"']


def run(command, **env):
    done = subprocess.run(command, env={**os.environ, **env}, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    said = done.stdout.decode(errors="replace").replace("\r", "")
    if done.returncode or "cede guest status 0\n" not in said:
        last = (said.strip().splitlines() or ["nothing was printed"])[-1]
        raise Trouble(f"{command[0]}: status {done.returncode}, and the guest's was not 0: {last}")


# ---- The guest's ops ----

def read_counts(lines):
    """What cpu/engine/profile.c wrote: ops in all, those lost, {length: [(count, names)]}, and
    [(times entered, address, [(word, mnemonic)])]; the largest first."""
    ops, lost, rows, blocks = 0, 0, {length: [] for length in TITLES}, []
    for line in lines:
        kind, count, *rest = line.split()
        if kind == "total":
            ops, lost = int(count), int(rest[0])
        elif kind == "ops":
            rows[len(rest)].append((int(count), " ".join(rest)))
        elif kind == "block":
            code = [(int(word, 16), name) for word, name in (each.split(":") for each in rest[1:])]
            blocks.append((int(count), int(rest[0], 16), code))
    if not ops:
        raise Trouble("nothing was counted")
    for row in rows.values():
        row.sort(key=lambda each: (-each[0], each[1]))
    blocks.sort(key=lambda each: (-each[0] * len(each[2]), each[1]))
    return ops, lost, rows, blocks


def disassemble(gra, code):
    """A line for each instruction: by the cross binutils, or by the table without them."""
    tool = next(filter(shutil.which, DISASSEMBLERS), None)
    texts = []
    if tool:
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"".join(word.to_bytes(4, "big") for word, _ in code))
            file.flush()
            said = subprocess.run([tool, "-D", "-z", "-b", "binary", "-m", "powerpc:common64",
                                   "-M", "power9", "-EB", f"--adjust-vma={gra:#x}", file.name],
                                  stdout=subprocess.PIPE, check=True, text=True).stdout
        texts = [" ".join(line.split("\t")[2:]) for line in said.splitlines() if "\t" in line]
    if len(texts) != len(code):
        texts = [name for _, name in code]
    return [f"{word:08x}  {text}" for (word, _), text in zip(code, texts)]


def guest_report(counts, nrows, nblocks):
    ops, lost, rows, blocks = counts
    instructions = sum(count * len(code) for count, _, code in blocks)
    lines = [f"{ops} ops of {instructions} instructions in {sum(each[0] for each in blocks)} blocks"
             f" entered, {len(blocks)} different ones"]
    if lost:
        lines.append(f"{lost} rows of ops or blocks were not counted: too many different ones")
    for length, title in TITLES.items():
        lines += ["", title]
        lines += [f"{100 * count / ops:6.2f}%  {names}" for count, names in rows[length][:nrows]]
    lines += ["", "blocks"]
    for count, gra, code in blocks[:nblocks]:
        lines.append(f"{100 * count * len(code) / instructions:6.2f}%  at real address {gra:#x},"
                     f" {len(code)} instructions, entered {count} times")
        lines += ["         " + text for text in disassemble(gra, code)]
    return lines


# ---- The host's hot spots ----

def host_report():
    """Lines of perf's, or one that says why there are none."""
    data = f"{OUT}/perf.data"
    if not shutil.which("perf"):
        return ["no hot spots of the host: perf is missing (Debian's linux-perf)"]
    try:
        run(["perf", "record", "-q", "-e", "cpu-clock", "-F", "2000", "-o", data, "--",
             *machine("build/cede")])
    except Trouble as trouble:
        return [f"no hot spots of the host: {trouble}"]
    said = subprocess.run(["perf", "report", "-q", "--stdio", "--no-children", "-F",
                           "overhead,symbol", "-i", data], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, check=False, text=True).stdout
    spots = [line.split() for line in said.splitlines() if "%" in line]
    return ["host (share of the samples, function)"] + [
        f"{spot[0]:>7}  {' '.join(spot[1:])}" for spot in spots[:HOT_SPOTS]]


def main():
    counts = os.environ.get("COUNTS") or f"{OUT}/counts"
    try:
        run(machine(f"{OUT}/cede"), CEDE_PROFILE=counts)
        with open(counts, encoding="utf-8") as file:
            found = read_counts(file)
        for name, lines in (("ops", guest_report(found, ROWS, BLOCKS)), ("host", host_report())):
            with open(f"{OUT}/{name}.txt", "w", encoding="utf-8") as file:
                file.write("\n".join(lines) + "\n")
            if name == "ops":
                lines = guest_report(found, HEAD_ROWS, HEAD_BLOCKS)
            print("\n".join(lines[:1 + 2 * HEAD_ROWS] if name == "host" else lines) + "\n")
    except (Trouble, OSError, subprocess.SubprocessError) as error:
        print(f"profile: {error}", file=sys.stderr)
        return 1
    print(f"All of it is in {OUT}/ops.txt and {OUT}/host.txt.")
    return 0


if __name__ == "__main__":
    os.chdir(TOP)
    sys.exit(main())
