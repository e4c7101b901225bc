#!/usr/bin/env python3
"""cede's scoreboard: the same guests under Debian's QEMU (TCG) and under cede, side by side.

usage: make bench [PAIRS=N] [ROWS=NAME,GROUP...] [BASE=REV] [BENCHFLAGS="OPTION..."]

There are three kinds of guest. "boot" starts the plain guest, which runs "true" and powers off; its
time is from the start of the program to its end. Another boots once and does all rows of rows.list,
each between a line "bench NAME start" and a line "bench NAME status N". The third does so for the
group "disk": it is the system of `make debian`, booted from its disk (disks.py); "login" is the time
from the start of the program to its login prompt. Without that disk this group is left out. The
host's own clock stamps these lines as they arrive: the guest's clock does not matter, and under cede
it is a virtual one.

The two machines take turns, and who goes first changes with each pair, so that a host that grows
slower or faster meanwhile does not favour one. A ratio is the other's median time by cede's: above
1, cede is faster. With BASE=REV the other one is not QEMU but cede as of that revision, built by
the same compiler.

Nothing is compared that cannot be: fewer than 5 pairs are refused at once. A row has no ratio if
the two did not print the same each time, if it printed nothing, or if its status was not 0; then
the status is 1. Where the times of the two overlap, "~" marks the ratio. The geometric means are
over the rows that have a ratio, and say how many lack one.

--work PERCENT has our own programs do that part of their work, for machines that take very long.
Debian's programs cannot do with less: they are then left out unless ROWS names them.

Writes build/bench/bench.json with every sample, and build/bench/bench.svg.
"""

import argparse
import gzip
import hashlib
import itertools
import json
import lzma
import math
import os
import platform
import re
import select
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from xml.sax.saxutils import escape

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(TOP, "tools", "guest"), os.path.dirname(os.path.abspath(__file__))]
import disks                        # pylint: disable=wrong-import-position
import guest_pack                   # pylint: disable=wrong-import-position

HERE = "tests/bench"
OUT = "build/bench"
DEBIAN = "build/guest/real"         # what tools/guest/guest.sh bench unpacks
FEWEST_PAIRS = 5
MOST_WORK = 400                     # percent
SHORTEST = 0.01                     # seconds: a console may keep a line for some of that
GROUPS = {"boot": "boot", "integer": "integer", "floating": "floating point",
          "system": "system", "real": "real programs", "disk": "disks"}
READY = "cede guest ready"
DONE = "cede guest status "
COUNTS = re.compile(r"^cede: statehash=(\w+) cycles=(\d+) instructions=(\d+)", re.M)

# Of Debian's packages, what no program opens here.
LEFT_OUT = re.compile(r"(usr/share|etc|var|sbin|usr/sbin)/|.*/(gconv|__pycache__)/")
DATA_SIZE = 4 << 20                 # of the file that is compressed: half text, half machine code

# What the guest runs as /cede/bench. The kernel's messages would mix with the rows' output.
PRELUDE = """\
dmesg -n 1
set -o pipefail
export PATH=/cede:/bin:/usr/bin PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1
cd /deb/bench
[ ! -e data ] || for n in 1 2 3 4 5 6; do cat data; done >long
debian() { chroot /deb "$@"; }
"""
ROW = """\
echo 'bench {name} start'
( {command} ) </dev/null 2>&1
echo "bench {name} status $?"
"""


class Trouble(Exception):
    """What kept the benchmark from a result, in one line."""


def percentage(word):
    if not re.fullmatch("[1-9][0-9]{0,2}", word) or int(word) > MOST_WORK:
        raise Trouble(f"--work {word}: 1 to {MOST_WORK} is expected")
    return int(word)


def arguments(argv):
    env = os.environ.get
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    add = parser.add_argument
    add("-n", "--pairs", type=int, default=env("PAIRS") or "5")
    add("--rows", default=env("ROWS") or "", help="names and groups, by commas (default: all)")
    add("--boot-only", dest="rows", action="store_const", const="boot")
    add("--base", default=env("BASE") or "", metavar="REV", help="compare with this cede instead")
    add("--work", type=percentage, default=100, metavar="PERCENT",
        help="how much of their work our own programs do (1 to 400; default: 100)")
    add("--clock", choices=("wall", "cpu"), default="wall",
        help="cpu: the host's CPU time of each machine, for a host that is busy otherwise")
    add("--engine", default="TCG", help="what --qemu runs guests by, for the result")
    add("--qemu", default=env("QEMU") or "qemu-system-ppc64")
    add("--cede", default=env("CEDE") or "build/cede")
    add("--kernel", default=env("KERNEL") or "build/guest/vmlinux")
    add("--initrd", default=env("INITRD") or "build/guest/initrd.gz")
    add("--cpu", default="power9")
    add("--smp", default="1")
    add("--memory", default=env("MEM") or "1G")
    add("--limit", type=float, default=300, help="seconds that a boot or a row may take")
    add("--out", default=OUT, help="folder for bench.json and bench.svg")
    return parser.parse_args(argv)


# ---- Rows ----

class Row:
    def __init__(self, name, group, command):
        self.name, self.group, self.command = name, group, command
        self.kind = name if group == "boot" else group if group == "disk" else "rows"      # of guest


def read_rows(path):
    rows = [Row("boot", "boot", ""), Row("boot-hash", "boot", ""), Row("login", "disk", "")]
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.strip() or line.startswith("#"):
                continue
            fields = line.split(None, 2)
            if len(fields) < 3 or fields[1] not in GROUPS or not re.match(r"[\w.+-]+$", fields[0]):
                raise Trouble(f"{path}:{number}: NAME GROUP COMMAND is expected")
            rows.append(Row(fields[0], fields[1], fields[2].strip()))
    names = [row.name for row in rows]
    for name in names:
        if names.count(name) > 1:
            raise Trouble(f"{path}: two rows are called {name}")
    return sorted(rows, key=lambda row: list(GROUPS).index(row.group))


def choose(rows, words):
    """The rows that a list of names and groups asks for."""
    wanted = [word for word in words.split(",") if word]
    for word in wanted:
        if not any(word in (row.name, row.group) for row in rows):
            raise Trouble(f"no row and no group is called {word}")
    return [row for row in rows if not wanted or row.name in wanted or row.group in wanted]


def do_part(rows, work, named):
    """The same rows with that percentage of the work, which is a program's first argument."""
    if work == 100:
        return rows
    if not named and any(row.group == "real" for row in rows):
        print(f"bench: --work {work} leaves out the rows of group real, which cannot do with less"
              " (--rows names them)", flush=True)
        rows = [row for row in rows if row.group != "real"]
    return [row if row.group in ("boot", "real", "disk") else
            Row(row.name, row.group, re.sub(r"^\S+", rf"\g<0> {work}", row.command))
            for row in rows]


def without_disk(rows, named):
    """Without the rows for which there is no disk to boot, unless they are asked for."""
    why = any(row.kind == "disk" for row in rows) and disks.missing()
    if not why:
        return rows
    if named:
        raise Trouble(why)
    print(f"bench: the rows of group disk are left out: {why}", flush=True)
    return [row for row in rows if row.kind != "disk"]


# ---- The guest ----

def test_data():
    """The file that is compressed, hashed and encrypted: the library of Debian's Python, as text,
    then machine code of OpenSSL's."""
    folder, text = f"{DEBIAN}/usr/lib/python3.11", b""
    for where, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if name.endswith(".py"):
                with open(os.path.join(where, name), "rb") as file:
                    text += file.read()
    code = b""
    for where, _, names in os.walk(f"{DEBIAN}/usr/lib"):
        if "libcrypto.so.3" in names:
            with open(os.path.join(where, "libcrypto.so.3"), "rb") as file:
                code = file.read()
    half = DATA_SIZE // 2
    if len(text) < half or len(code) < half:
        raise Trouble(f"{DEBIAN}: too little of Python and OpenSSL for the test data; remove it")
    return text[:half] + code[:half]


def pack(rows, initrd, out):
    """A copy of the guest with what the rows need. The second archive is not compressed: the guest
    would only spend time on it."""
    archive = guest_pack.Archive()
    regular, link = 0o100755, 0o120777
    script = PRELUDE + "".join(ROW.format(name=row.name, command=row.command) for row in rows)
    archive.add("cede/bench", regular, script.encode())
    archive.add("deb/bench/.keep", regular)
    programs = f"{OUT}/programs"
    for name in sorted(os.listdir(programs) if os.path.isdir(programs) else ()):
        with open(os.path.join(programs, name), "rb") as file:
            archive.add("cede/" + name, regular, file.read())
    sums = {}
    if any("debian " in row.command for row in rows):
        for where, folders, names in os.walk(DEBIAN):
            for name in names + [each for each in folders
                                 if os.path.islink(os.path.join(where, each))]:
                source = os.path.join(where, name)
                path = os.path.relpath(source, DEBIAN)
                if LEFT_OUT.match(path):
                    continue
                if os.path.islink(source):
                    archive.add("deb/" + path, link, os.readlink(source).encode())
                else:
                    with open(source, "rb") as file:
                        archive.add("deb/" + path, regular, file.read())
        data = test_data()
        archive.add("deb/bench/data", regular, data)
        archive.add("deb/bench/data.gz", regular, gzip.compress(data, 6, mtime=0))
        archive.add("deb/bench/data.xz", regular, lzma.compress(data, preset=6))
        sums["data"] = hashlib.sha256(data).hexdigest()
        for name in sorted(os.listdir(HERE)):
            if name.startswith("real."):
                with open(os.path.join(HERE, name), "rb") as file:
                    archive.add("deb/bench/" + name, regular, file.read())
    with open(initrd, "rb") as file:
        first = file.read()
    guest_pack.put(out, first + bytes(-len(first) % 4) + archive.write())
    return sums


# ---- The machines ----

class Machine:
    """How to start one: {kind of guest: command line}."""

    def __init__(self, name, title, commands):
        self.name, self.title, self.commands = name, title, commands


def first_line(*command):
    try:
        said = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              check=False, text=True).stdout
    except OSError:
        said = ""
    return (said.strip().splitlines() or ["unknown"])[0]


def build_base(revision):
    """cede as of a revision, built in a folder of its own under its commit's name."""
    commit = first_line("git", "rev-parse", "--verify", "--quiet", revision + "^{commit}")
    if commit == "unknown":
        raise Trouble(f"{revision}: no such revision")
    folder = f"{OUT}/base-{commit[:12]}"
    program = folder + "/build/cede"
    if not os.path.exists(program):
        print(f"bench: building {revision}, {commit[:12]}", flush=True)
        os.makedirs(folder, exist_ok=True)
        with subprocess.Popen(["git", "archive", commit], stdout=subprocess.PIPE) as source:
            subprocess.run(["tar", "-x", "-C", folder], stdin=source.stdout, check=True)
        if source.returncode:
            raise Trouble(f"git archive {revision} failed")
        env = {key: value for key, value in os.environ.items()
               if key not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")}
        compiler = ["CC=" + env["CC"]] if env.get("CC") else []
        log = folder + ".log"
        with open(log, "wb") as file:
            if subprocess.run(["make", "-C", folder, f"-j{os.cpu_count()}", *compiler,
                               "build/cede"], env=env, stdout=file, stderr=file,
                              check=False).returncode:
                raise Trouble(f"{revision} does not build; see {log}")
    return program, commit[:12]


def prepare(args, rows):
    """Brings and builds what is missing; gives the two machines and what to say of the guest."""
    inside = [row for row in rows if row.kind == "rows"]
    installed = [row for row in rows if row.kind == "disk"]
    for program in [args.cede] + ([] if args.base else [args.qemu]):
        if not shutil.which(program):
            raise Trouble(f"{program} is missing (tools/dev/deps.sh test, make)")
    modes = ["kernel"] + (["bench"] if any("debian " in row.command for row in inside) else [])
    modes += ["disks"] if installed else []
    for mode in modes:
        if subprocess.run(["tools/guest/guest.sh", mode], check=False).returncode:
            raise Trouble(f"no guest to measure (tools/guest/guest.sh {mode})")
    for row in inside:
        if row.group != "real" and not os.path.exists(f"{OUT}/programs/{row.command.split()[0]}"):
            raise Trouble(f"{OUT}/programs/{row.command.split()[0]} is missing"
                          " (make bench-programs; tools/dev/deps.sh test)")
    os.makedirs(OUT, exist_ok=True)
    # A copy: who works on cede builds it again meanwhile.
    cede = shutil.copy2(shutil.which(args.cede), f"{OUT}/cede")
    sums = pack(inside, args.initrd, f"{OUT}/initrd") if inside else {}
    if installed:
        disks.pack(installed)

    def commands(program, own, firmware):
        same = [program, *own, "-cpu", args.cpu, "-smp", args.smp, "-nographic", "-nodefaults",
                "-serial", "stdio", "-rtc", "base=2026-01-01T00:00:00"]
        kernel = same + [*firmware, "-m", args.memory, "-kernel", args.kernel]
        plain = kernel + ["-initrd", args.initrd, "-append"]
        return {"boot": plain + ["console=hvc0 cede.cmd=true"],
                "boot-hash": plain + ["console=hvc0 cede.cmd=true disable_radix"],
                "rows": kernel + ["-initrd", f"{OUT}/initrd",
                                  "-append", "console=hvc0 cede.script=bench"],
                "disk": same + disks.options()}

    # What only one of the two has: QEMU's choice of accelerator and firmware, cede's counts.
    of_cede = ("-M", "pseries", "-d", "statehash"), ()
    now = first_line("git", "describe", "--always", "--dirty", "--abbrev=12")
    if args.base:
        program, commit = build_base(args.base)
        other = Machine("base", f"cede {commit} ({args.base})", commands(program, *of_cede))
    else:
        other = Machine("qemu", f"{first_line(args.qemu, '--version')}, {args.engine}",
                        commands(args.qemu, ("-accel", "tcg", "-M", "pseries"), ("-M", "x-vof=on")))
    about = {"smp": args.smp, "memory": args.memory, "cpu": args.cpu, "sha256": sums}
    if "bench" in modes:
        with open("build/guest/debs/bench.list", encoding="utf-8") as file:
            about["packages"] = [os.path.basename(line) for line in file.read().split()]
    return [other, Machine("cede", f"cede {now}", commands(cede, *of_cede))], about


class Run:
    """One run of a machine: what it printed, and when each line came that is a mark."""

    def __init__(self, name, command, limit, replies=()):
        """replies: (what a line without an end says, what is typed then, the mark's name or "")."""
        self.name, self.lines, self.marks, self.memory = name, [], {}, 0
        self.replies, self.heard = list(replies), ""
        with tempfile.TemporaryFile() as errors:
            self.start = time.perf_counter()
            child = subprocess.Popen(command, stdin=subprocess.PIPE if replies else subprocess.DEVNULL,
                                     stdout=subprocess.PIPE, stderr=errors)
            try:
                self.late = not self.follow(child, limit)
                self.seconds = time.perf_counter() - self.start
            finally:
                os.kill(child.pid, signal.SIGKILL)      # no harm to what has ended by itself
                child.stdout.close()
                if child.stdin:
                    child.stdin.close()
                _, status, usage = os.wait4(child.pid, 0)
                child.returncode = os.waitstatus_to_exitcode(status)
            errors.seek(0)
            self.said = errors.read().decode(errors="replace")
        self.cpu = usage.ru_utime + usage.ru_stime
        self.status = child.returncode

    def follow(self, child, limit):
        """Reads until the program has ended; False if for too long there was no mark."""
        cpu_clock = ~child.pid << 3 | 2     # the process's CPU time, as clock_getcpuclockid(3)
        process = os.pidfd_open(child.pid)
        try:
            fd, rest, deadline = child.stdout.fileno(), b"", self.start + limit
            wait = lambda fd: select.select([fd], [], [], max(0, deadline - time.perf_counter()))[0]
            while wait(fd):
                chunk = os.read(fd, 65536)
                if not chunk:
                    return bool(wait(process))
                now = (time.perf_counter(), time.clock_gettime(cpu_clock))
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    line = line.decode(errors="replace").rstrip("\r")
                    if line.startswith(("bench ", "cede guest ")):
                        self.marks[line] = now
                        deadline = now[0] + limit
                        # Not wait4's ru_maxrss: that counts what this program had at the fork.
                        with open(f"/proc/{child.pid}/status", encoding="utf-8") as file:
                            peak = re.search(r"^VmHWM:\s*(\d+) kB", file.read(), re.M)
                        self.memory = int(peak[1]) * 1024 if peak else self.memory
                    self.lines.append(line)
                self.reply(child, chunk, now)
            return False
        finally:
            os.close(process)

    def reply(self, child, chunk, now):
        """Types what answers the next prompt. It has no end of line, and a kernel's message may follow."""
        if not self.replies:
            return
        self.heard += chunk.decode(errors="replace")
        if self.replies[0][0] in self.heard:
            self.heard = ""
            _, typed, mark = self.replies.pop(0)
            if mark:
                self.marks[mark] = now
            os.write(child.stdin.fileno(), typed.encode())

    def check(self):
        """Raises unless the guest came to its end."""
        row = [line.split()[1] for line in self.marks if line.startswith("bench ")]
        where = f" in {row[-1]}" if row else ""
        if self.late:
            raise Trouble(f"{self.name} was stuck{where}, and killed after {self.seconds:.1f} s")
        if self.status or READY not in self.lines or DONE + "0" not in self.lines:
            last = (self.said.strip() or "\n".join(self.lines).strip() or "(silent)").splitlines()
            raise Trouble(f"{self.name} ended with {self.status} after {self.seconds:.1f} s{where}:"
                          f" {last[-1]}")

    def counts(self):
        """cede's own counts; QEMU has none."""
        found = COUNTS.search(self.said)
        return {"statehash": found[1], "cycles": int(found[2]),
                "instructions": int(found[3])} if found else {}

    def sample(self, row):
        """(seconds of the wall clock and of CPU, output, status) of a row."""
        if row.group == "boot":
            return {"wall": self.seconds, "cpu": self.cpu, "memory": self.memory,
                    "ready": self.marks[READY][0] - self.start, **self.counts()}, "status 0", 0
        if not row.command:
            wall, cpu = self.marks[f"bench {row.name}"]
            return {"wall": wall - self.start, "cpu": cpu}, "status 0", 0
        start = f"bench {row.name} start"
        ends = [line for line in self.marks if line.startswith(f"bench {row.name} status ")]
        if start not in self.marks or len(ends) != 1:
            raise Trouble(f"{self.name}: {row.name} did not start and end once")
        output = self.lines[self.lines.index(start) + 1:self.lines.index(ends[0])]
        wall, cpu = (end - begin for begin, end in zip(self.marks[start], self.marks[ends[0]]))
        return {"wall": wall, "cpu": cpu}, "\n".join(output), int(ends[0].split()[-1])


# ---- Measuring ----

def measure(machines, rows, pairs, limit):
    """{row: {machine: [(sample, output, status)]}} and the kernel's name."""
    found = {row.name: {machine.name: [] for machine in machines} for row in rows}
    kinds = [kind for kind in ("boot", "boot-hash", "rows", "disk") if any(row.kind == kind for row in rows)]
    kernel = "unknown"
    for pair in range(pairs):
        told = []
        for kind in kinds:
            turn = machines if pair % 2 == 0 else machines[::-1]
            for machine in turn:
                if kind == "disk":
                    disks.fresh()
                run = Run(machine.name, machine.commands[kind], limit,
                          disks.REPLIES if kind == "disk" else ())
                run.check()
                for row in rows:
                    if row.kind == kind:
                        found[row.name][machine.name].append(run.sample(row))
                told.append(f"{kind} {machine.name} {run.seconds:.1f} s")
                kernel = (re.findall(r"Linux version (\S+)", "\n".join(run.lines)) or [kernel])[0]
        print(f"pair {pair + 1} of {pairs}: " + ", ".join(told), flush=True)
    return found, kernel


def quoted(text):
    return repr(text if len(text) <= 60 else text[:57] + "...")


def disagreement(found):
    """Why the two machines' runs of a row cannot be compared, or "". """
    (one, ones), (two, twos) = found.items()
    if min(len(ones), len(twos)) < FEWEST_PAIRS:
        return f"fewer than {FEWEST_PAIRS} pairs"
    for name, runs in found.items():
        bad = [status for _, _, status in runs if status]
        if bad:
            return f"status {bad[0]} under {name}: {quoted(runs[0][1])}"
    for name, runs in found.items():
        if len({output for _, output, _ in runs}) > 1:
            return f"{name} did not print the same each time"
    if ones[0][1] != twos[0][1]:
        pairs = itertools.zip_longest(ones[0][1].split("\n"), twos[0][1].split("\n"), fillvalue="")
        left, right = next((a, b) for a, b in pairs if a != b)
        return f"{one} printed {quoted(left)}, {two} {quoted(right)}"
    if not ones[0][1].strip():
        return "nothing was printed that could be compared"
    if any(sample["wall"] < SHORTEST for sample, _, _ in ones + twos):
        return f"done within {SHORTEST} s, which is too short to time"
    return ""


def judge(row, found, clock):
    """One row of the result."""
    times = {name: [sample[clock] for sample, _, _ in runs] for name, runs in found.items()}
    one, two = times
    result = {"name": row.name, "group": row.group, "command": row.command,
              "output": found[two][0][1], "refused": disagreement(found), "ratio": None,
              "samples": {name: [sample for sample, _, _ in runs] for name, runs in found.items()},
              **{name: {"median": statistics.median(each), "min": min(each), "max": max(each)}
                 for name, each in times.items()}}
    if not result["refused"]:
        result["ratio"] = result[one]["median"] / result[two]["median"]
        result["overlap"] = (result[one]["min"] <= result[two]["max"]
                             and result[two]["min"] <= result[one]["max"])
    return result


def geometric_means(rows):
    """For each group of more than one row, and for all: the mean, of how many of how many."""
    means = []
    for group in [*GROUPS, "all"]:
        ratios = [row["ratio"] for row in rows if group in (row["group"], "all")]
        good = [ratio for ratio in ratios if ratio]
        if ratios and group != "boot":
            means.append({"group": group, "rows": len(ratios), "compared": len(good),
                          "ratio": math.exp(statistics.fmean(map(math.log, good))) if good
                          else None})
    return means


def host_cpu():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        names = re.findall(r"^model name\s*: (.*)$", file.read(), re.M)
    return f"{os.cpu_count()} x {names[0] if names else platform.machine()}"


# ---- Telling ----

def part_of(result):
    work = result["work"]
    return "" if work == 100 else f", our programs doing {work} % of their work"


def text(result):
    one, two = result["machines"]
    titles = result["titles"]
    clock = {"wall": "seconds", "cpu": "seconds of the host's CPU time"}[result["clock"]]
    lines = ["", f"host   {result['host']}, Linux {result['host_kernel']}",
             *(f"{name:6} {titles[name]}" for name in (one, two)),
             f"guest  Linux {result['guest_kernel']}, {result['guest']['cpu']},"
             f" {result['guest']['smp']} processor(s), {result['guest']['memory']}",
             f"{result['pairs']} pairs, taking turns{part_of(result)}; {clock}, median (least - most);"
             f" ratio = {one} / {two}", ""]
    group = None
    for row in result["rows"]:
        if row["group"] != group:
            group = row["group"]
            lines.append(f"{GROUPS[group]:20}{one:>8}{'':17}{two:>8}{'':17}{'ratio':>8}")
        cells = [f"{row[name]['median']:8.2f} ({row[name]['min']:6.2f} -{row[name]['max']:6.2f})"
                 for name in (one, two)]
        ratio = (f"{row['ratio']:8.2f}{' ~' if row['overlap'] else ''}" if row["ratio"]
                 else "    none")
        lines.append(f"  {row['name']:18}{cells[0]:25}{cells[1]:25}{ratio}")
        if row["refused"]:
            lines.append(f"    no ratio: {row['refused']}")
    lines.append("")
    for mean in result["means"]:
        name = GROUPS.get(mean["group"], mean["group"])
        missing = ("" if mean["compared"] == mean["rows"] else
                   f"  ({mean['rows'] - mean['compared']} of {mean['rows']} rows have no ratio)")
        ratio = f"{mean['ratio']:8.2f}" if mean["ratio"] else "    none"
        lines.append(f"geometric mean, {name:54}{ratio}{missing}")
    if any(row.get("overlap") for row in result["rows"]):
        lines.append("~ the two's times overlap: this ratio says little")
    for name, boot in result["boot"].items():
        lines.append(f"boot under {name}: " + ", ".join(boot))
    for name, rate in result["rates"].items():
        lines.append(f"{name}: " + "; ".join(rate))
    return "\n".join(lines)


def rates(rows, machines):
    """Of the rows that print how many bytes went to or from a disk: MB/s, and CPU seconds for a GiB."""
    facts = {}
    for row in rows:
        found = re.search(r"^(\d+) bytes$", row["output"], re.M)
        middle = lambda name, key: statistics.median(sample[key] for sample in row["samples"][name])
        if found and not row["refused"]:
            facts[row["name"]] = [f"{name} {int(found[1]) / 1e6 / middle(name, 'wall'):.0f} MB/s, CPU"
                                  f" {middle(name, 'cpu') * 2**30 / int(found[1]):.2f} s/GiB"
                                  for name in machines]
    return facts


def boots(rows, machines):
    """What else is known of the boot row: {machine: [facts]}."""
    row = next((row for row in rows if row["group"] == "boot"), None)
    facts = {}
    for name in machines if row else ():
        samples = row["samples"][name]
        middle = lambda key: statistics.median(sample[key] for sample in samples)
        facts[name] = [f"ready after {middle('ready'):.2f} s", f"CPU {middle('cpu'):.2f} s",
                       f"peak {max(sample['memory'] for sample in samples) / 1e6:.0f} MB"]
        if "instructions" in samples[0]:
            millions = middle("instructions") / 1e6
            facts[name] += [f"{millions:.1f} M instructions",
                            f"{millions / middle('cpu'):.0f} MIPS"]
            if len({sample["statehash"] for sample in samples}) > 1:
                facts[name].append("NOT the same state each time")
    return facts


COLOURS = {"boot": "#8c8c8c", "integer": "#3b82c4", "floating": "#c2711b", "system": "#4f9a50",
           "real": "#9a62b5", "disk": "#4a9c9c", "all": "#8c8c8c"}
STYLE = """text { font: 12px sans-serif; fill: #24292f } .title { font-size: 15px }
.title, .mean { font-weight: bold } .small { font-size: 11px; opacity: .75 }
.end { text-anchor: end } .mid { text-anchor: middle } rect.row { fill-opacity: .65 }
.grid { stroke: #8c8c8c; stroke-opacity: .3 } .one { stroke: #24292f; stroke-width: 1.5 }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .one { stroke: #e6edf3 } }"""


def bars(result):
    """Yields (label, kind, colour, ratio, note) from the top to the bottom of the chart."""
    for group in [*GROUPS, "all"]:
        for row in result["rows"]:
            if row["group"] == group:
                yield (row["name"], "row", COLOURS[group], row["ratio"],
                       " ~" if row.get("overlap") else "")
        for mean in result["means"]:
            if mean["group"] == group:
                missing = mean["rows"] - mean["compared"]
                yield (f"{GROUPS.get(group, 'all rows')}: geometric mean", "mean", COLOURS[group],
                       mean["ratio"], f" without {missing}" if missing else "")


def svg(result):
    """A bar for each row, from the line at 1 to its ratio; the axis is logarithmic."""
    one, two = result["machines"]
    chart = list(bars(result))
    ratios = [ratio for *_, ratio, _ in chart if ratio]
    low, high = min(ratios + [0.8]) / 1.05, max(ratios + [1.25]) * 1.05
    left, width, top, step = 250, 560, 66, 20
    right, bottom = left + width + 110, top + step * len(chart)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {right} {bottom + 44}"'
           f' width="{right}" height="{bottom + 44}" role="img">', f"<style>{STYLE}</style>"]

    def place(ratio):
        return left + width * math.log(ratio / low) / math.log(high / low)

    def words(x, y, kind, said):
        out.append(f'<text x="{x:.1f}" y="{y}" class="{kind}">{escape(said)}</text>')

    def line(x, kind):
        out.append(f'<line x1="{x:.1f}" y1="{top - 6}" x2="{x:.1f}" y2="{bottom}" class="{kind}"/>')

    time_of = {"wall": "time of", "cpu": "CPU time of"}[result["clock"]]
    words(12, 22, "title", f"{two} against {one}: {time_of} {one} / {time_of} {two}")
    words(12, 40, "small", f"A bar to the right: {two} is faster. {result['pairs']} pairs on"
          f" {result['host']}{part_of(result)}. ~: the times overlap.")
    for decade in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1):
        for tick in (digit * 10.0 ** decade for digit in (1, 2, 5)):
            if low <= tick <= high:
                line(place(tick), "grid")
                words(place(tick), bottom + 16, "small mid", f"{tick:g}")
    for y, (label, kind, colour, ratio, note) in zip(range(top, bottom, step), chart):
        words(left - 10, y + 14, f"end {kind}", label)
        if not ratio:
            words(place(1) + 5, y + 14, "small", "no ratio")
            continue
        near, far = sorted((place(1), place(ratio)))
        out.append(f'<rect x="{near:.1f}" y="{y + 3}" width="{max(far - near, 1):.1f}"'
                   f' height="{step - 6}" fill="{colour}" class="{kind}"/>')
        words(far + 5, y + 14, kind, f"{ratio:.2f}{note}")
    line(place(1), "one")
    words(12, bottom + 36, "small", "; ".join(result["titles"].values()))
    return "\n".join(out + ["</svg>", ""])


def main(argv):
    try:
        args = arguments(argv)
        if args.pairs < FEWEST_PAIRS:
            raise Trouble(f"{args.pairs} pairs are too few to compare; {FEWEST_PAIRS} at least")
        rows = choose(read_rows(f"{HERE}/rows.list"), args.rows)
        rows = without_disk(do_part(rows, args.work, bool(args.rows)), bool(args.rows))
        machines, about = prepare(args, rows)
        found, kernel = measure(machines, rows, args.pairs, args.limit)
        judged = [judge(row, found[row.name], args.clock) for row in rows]
        names = [machine.name for machine in machines]
        result = {"pairs": args.pairs, "work": args.work, "clock": args.clock, "machines": names,
                  "titles": {machine.name: machine.title for machine in machines},
                  "commands": {machine.name: machine.commands for machine in machines},
                  "host": host_cpu(), "host_kernel": platform.release(), "guest_kernel": kernel,
                  "guest": about, "rows": judged, "means": geometric_means(judged),
                  "boot": boots(judged, names), "rates": rates(judged, names)}
        os.makedirs(args.out, exist_ok=True)
        guest_pack.put(f"{args.out}/bench.json", (json.dumps(result, indent=1) + "\n").encode())
        guest_pack.put(f"{args.out}/bench.svg", svg(result).encode())
    except KeyboardInterrupt:
        print("bench: interrupted; no result", file=sys.stderr)
        return 130
    except (Trouble, disks.Trouble, guest_pack.Trouble, OSError, subprocess.SubprocessError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    print(text(result))
    refused = [row["name"] for row in judged if row["refused"]]
    if refused:
        print(f"bench: no ratio for {', '.join(refused)}", file=sys.stderr)
    return 1 if refused else 0


if __name__ == "__main__":
    os.chdir(TOP)
    signal.signal(signal.SIGTERM, signal.default_int_handler)   # no machine is left behind
    sys.exit(main(sys.argv[1:]))
