#!/usr/bin/env python3
"""Chooses the sequences of ops that run as one: writes cpu/table/fuse.def.

usage: tools/dev/fuse_pick.py > cpu/table/fuse.def                                 (make fuse)
       tools/dev/fuse_pick.py --counts COUNTS[=WEIGHT]... > tools/dev/fuse.counts  (new counts)

The first reads tools/dev/fuse.counts and which ops may be steps, with their operands, from
cpu/table/fuse_ops.def. The second makes the former from COUNTS, files that
`make profile COUNTS=FILE` has kept (cpu/engine/profile.c). The first of them is that of a boot alone;
from the others, which hold a boot as well, it is subtracted. What is left of each file weighs the
same, or WEIGHT times as much. Kept are rows of ops of which a sequence would be worth its code, with
their registers numbered anew.

A sequence gains at each place where it fits, times the number of runs there:

    1    for each op but the first: the way to it
    1.5  for each operand that an op before it in the sequence has made
    0.7  for each operand that one has only used, or result that replaces one; for a vector, always

and costs a share of all ops run for being there, and as much again for each step. The best one is
taken; its ops are then covered, and the others gain at the remaining places only. Before that,
places that overlap count each. All sums are of integers and ties are broken by the steps' text,
so the same counts give the same file.
"""

import collections
import heapq
import os
import re
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
COUNTS = os.path.join(TOP, "tools/dev/fuse.counts")

NUMBER = 413                    # sequences at most: fewer if no more are worth their code
LONGEST = 24                    # ops in a sequence, edges included
VARIABLES = 32                  # of each sort: what a step's byte has room for
UNIT = 10 ** 9                  # all runs of one workload; shares are whole numbers
WAY, MADE, USED = 10, 15, 7     # gains, in tenths
COST = UNIT * 5 // 10000        # 0.00005 of a UNIT, in tenths
RARE = 400000                   # rows of fewer runs, one in so many, are not kept in the counts
NEGLIGIBLE = 500000             # blocks without an op that is one in so many are not looked at
INT_MIN = -2 ** 31

# The bodies of these are short only with their shifts and masks known to the compiler.
ROTATES = frozenset("""rlwinm_rc rldicl_rc sldi srdi clrldi rldicl rldicr rldic rldimi rlwinm
                       rlwinm_and rlwimi srawi sradi""".split())
INSERTS = frozenset(("rldimi", "rlwimi"))       # read what they write
ENDS = ("R", "N", "F")          # kinds that end a sequence
EXITS = ("_exit_near", "_exit_far")
VECTORS = 64                    # numbers of vectors begin here
BRANCHES = {"_near": "N", "_far": "F", "_exit_near": "X", "_exit_far": "Y"}

HEAD = """\
/* Sequences of ops that real guests execute, run as one.
 *
 *   SEQUENCE(name, steps)      STEP(kind, op, a, b, c, d, imm)
 *
 * Kinds as in fuse_ops.def; conditional branches are N near and F far at a block's end, X and Y near
 * and far where the block goes on behind. V(n): a register of the sequence; W(n): a vector; ANY,
 * ANY_IMM: whatever the op has there; IS(n), a number: this one. Chosen by tools/dev/fuse_pick.py
 * (make fuse) from tools/dev/fuse.counts.
 */"""

COUNTS_HEAD = """\
# What guests run of the ops that sequences are made of, for tools/dev/fuse_pick.py, which made this of counts by
# `make profile` and their weights: 3 a boot of Debian; 1 the kernel at work (tools/dev/kernel_work.py, run by Debian's
# Python); 1 Python and Lua; 2 all of these together with busybox (gzip, bzip2, sort, awk, sha256sum; dd, tar, find,
# pipes), gzip and xz, OpenSSL, sqlite3. "total RUNS" of all ops; then a line for each row of ops within a block: a
# number is the runs of the ops behind it, an op is NAME:A,B,C,D,IMM, zeros at its end left out.
"""

Op = collections.namedtuple("Op", "name fields imm")
Fusable = collections.namedtuple("Fusable", "kind name slots writes")
Place = collections.namedtuple("Place", "sequence start end gain")


class Trouble(Exception):
    """What kept the picker from a result, in one line."""


# ---- What is read ----

def read_fusable(path):
    """{handler: Fusable}, from fuse_ops.def."""
    found = {}
    with open(path, encoding="utf-8") as file:
        rows = re.findall(r'^FUSABLE\((\w+), (\w), "(\w*)", (.*)\)$', file.read(), re.M)
    for name, kind, slots, writes in rows:
        writes = frozenset(writes.split(" | "))
        for suffix, branch in BRANCHES.items() if kind == "C" else (("", kind),):
            found[name + suffix] = Fusable(branch, name, slots, writes)
    return found


# ---- New counts ----

def read_profile(path):
    """{ops of a block: [runs of each]}, from what cpu/engine/profile.c wrote. Equal blocks are added."""
    found, ops, runs = {}, [], []

    def end_block():
        if ops:
            before = found.get(tuple(ops))
            found[tuple(ops)] = [x + y for x, y in zip(before, runs)] if before else list(runs)
        ops.clear()
        runs.clear()

    with open(path, encoding="utf-8") as file:
        for line in file:
            kind, *rest = line.split()
            if kind == "block":
                end_block()
            elif kind == "op":
                *fields, imm = map(int, rest[2:])
                ops.append(Op(rest[1], tuple(fields), imm))
                runs.append(int(rest[0]))
    end_block()
    return found


def without(counts, boot):
    return {ops: [max(0, x - y) for x, y in zip(runs, boot.get(ops, [0] * len(runs)))]
            for ops, runs in counts.items()}


def weigh(counts, weight):
    """[(ops, [share of the runs of each])] of the blocks that matter."""
    total = sum(map(sum, counts.values()))
    return [(ops, [run * weight * UNIT // total for run in runs]) for ops, runs in counts.items()
            if max(runs) * NEGLIGIBLE > total]


def read_profiles(arguments):
    blocks, boot = [], None
    for argument in arguments:
        path, _, weight = argument.partition("=")
        counts = read_profile(path)
        if boot is not None:
            counts = without(counts, boot)
        if not any(map(any, counts.values())):
            raise Trouble(f"{path}: no runs of ops" + (" but the boot's" if boot else ""))
        blocks += weigh(counts, int(weight or 1))
        boot = boot or counts
    return blocks


def matters(fusable, op, k):
    """Whether an operand byte that is no register is one that a step looks at."""
    return (fusable.name in ROTATES or k == 0 and "TO_CR" in fusable.writes or
            k < 2 and fusable.name in ("bc_t", "bc_f"))


def renamed(ops, fusable):
    """Registers by their first appearance in the row, vectors from VECTORS on; 0 for what does not matter."""
    names = {0: {}, VECTORS: {}}
    for op in ops:
        if op.name == "edges":
            yield Op("edges", (0, 0, 0, 0), 0)
            continue
        known, fields = fusable[op.name], []
        for letter, value in zip("abcd", op.fields):
            if letter in known.slots or letter.upper() in known.slots:
                kind = VECTORS if letter.upper() in known.slots else 0
                fields.append(kind + names[kind].setdefault(value, len(names[kind])))
            else:
                fields.append(value if matters(known, op, len(fields)) else 0)
        yield Op(op.name, tuple(fields), op.imm if known.name in ROTATES else 0)


def rows_of(block, fusable):
    """[(ops, runs of each)] of the rows of fusable ops in a block, and of the edges of branches that it goes
    on behind."""
    ops, runs = [], []
    for op, run in zip(*block):
        known = fusable.get(op.name)
        if known or op.name == "edges" and ops and ops[-1].name.endswith(EXITS):
            ops.append(op)
            runs.append(run)
        if not known and op.name != "edges" or known and known.kind in ENDS:
            yield ops, runs
            ops, runs = [], []
    yield ops, runs


def row_text(ops, runs):
    texts, last = [], None
    for op, run in zip(ops, runs):
        if op.name != "edges":
            texts += [text_of(op)] if run == last else [str(run), text_of(op)]
            last = run
    return " ".join(texts)


def useful(picker):
    """The rows, cut down to where they have a sequence that is worth its code."""
    for (ops, runs), places in zip(picker.blocks, picker.places):
        start = end = 0
        for place in sorted(places, key=lambda each: each.start) + [Place(0, len(ops), 0, 0)]:
            if place.start >= end:
                if end > start and max(runs[start:end]) * RARE > picker.runs:
                    yield ops[start:end], runs[start:end]
                start = place.start
            end = max(end, place.end)


def counts_text(arguments, fusable):
    blocks = read_profiles(arguments)
    total = sum(sum(runs) for _, runs in blocks)
    rows = [row for block in blocks for row in rows_of(block, fusable) if len(row[0]) > 1]
    shares = {}
    for ops, runs in useful(Picker(total, rows, fusable)):
        ops = tuple(renamed(ops, fusable))
        shares[ops] = [x + y for x, y in zip(shares.get(ops, [0] * len(runs)), runs)]
    texts = sorted(row_text(ops, runs) for ops, runs in shares.items())
    return "\n".join([COUNTS_HEAD + f"total {total}", *texts])


# ---- The counts ----

def text_of(op):
    fields = [*op.fields, op.imm]
    while fields and not fields[-1]:
        fields.pop()
    return op.name + (":" + ",".join(map(str, fields)) if fields else "")


def op_of(text):
    name, _, fields = text.partition(":")
    numbers = [int(each) for each in fields.split(",") if each]
    numbers += [0] * (5 - len(numbers))
    return Op(name, tuple(numbers[:4]), numbers[4])


def read_counts(path):
    """Runs of all ops, and [(ops of a row, runs of each)]. Edges are told apart again."""
    total, rows = 0, []
    with open(path, encoding="utf-8") as file:
        for line in file:
            words = line.split()
            if words[0] == "total":
                total = int(words[1])
            elif words[0] != "#":
                ops, runs, run = [], [], 0
                for word in words:
                    if word.isdigit():
                        run = int(word)
                        continue
                    ops.append(op_of(word))
                    runs.append(run)
                    if ops[-1].name.endswith(EXITS):
                        ops.append(Op("edges", (0, 0, 0, 0), 0))
                        runs.append(0)
                rows.append((ops, runs))
    if not total or not rows:
        raise Trouble(f"{path}: no counts")
    return total, rows


# ---- Sequences ----

class Window:
    """A sequence while it grows op by op: its variables, and what one run of each op gains."""

    def __init__(self):
        self.registers, self.vectors, self.written = {}, {}, set()

    def register_gain(self, slot, is_result, is_read):
        if slot not in self.registers:
            return 0
        if is_read:
            return MADE if slot in self.written else USED
        return USED if is_result and slot in self.written else 0

    def operand(self, fusable, op, k):
        """The pattern of one operand byte, and the gain."""
        letter, value = "abcd"[k], op.fields[k]
        if letter.upper() in fusable.slots:
            pattern = f"W({self.vectors.setdefault(value, len(self.vectors))})"
            return pattern, 0 if k == 0 else MADE if value in self.written else USED
        if letter in fusable.slots:
            is_result = "TO_" + letter.upper() in fusable.writes
            gain = self.register_gain(value, is_result,
                                      not is_result or fusable.name in INSERTS)
            return f"V({self.registers.setdefault(value, len(self.registers))})", gain
        if matters(fusable, op, k):
            return f"IS({value})", 0
        return "ANY", 0

    def add(self, fusable, op):
        """The step for the next op and its gain but for the way to it; None if it has no room."""
        patterns = [self.operand(fusable, op, k) for k in range(4)]
        if max(len(self.registers), len(self.vectors)) > VARIABLES:
            return None
        self.written.update(op.fields[k] for k in range(2)
                            if "TO_" + "AB"[k] in fusable.writes)
        imm = "ANY_IMM"
        if fusable.name in ROTATES:
            imm = str(op.imm) if op.imm > INT_MIN else "-2147483647 - 1"
        texts = [fusable.kind, fusable.name, *(text for text, _ in patterns), imm]
        return ", ".join(texts), sum(gain for _, gain in patterns)


class Sequences:
    """All that have been seen, as numbers: each is a shorter one (0 is none) and a step."""

    def __init__(self):
        self.numbers, self.parts = {}, [None]

    def longer(self, sequence, step):
        number = self.numbers.setdefault((sequence, step), len(self.parts))
        if number == len(self.parts):
            self.parts.append((sequence, step))
        return number

    def steps(self, sequence):
        steps = []
        while sequence:
            sequence, step = self.parts[sequence]
            steps.append(step)
        return tuple(reversed(steps))


class Picker:
    def __init__(self, total, blocks, fusable):
        self.blocks, self.fusable, self.sequences = blocks, fusable, Sequences()
        self.runs = total
        self.covered = 0
        self.cost = self.runs * COST // UNIT
        self.places, self.gains = self.candidates()

    def places_from(self, ops, runs, start):
        """Every sequence that begins at this op of the block."""
        window, sequence, gain, kind = Window(), 0, 0, ""
        for at in range(start, min(len(ops), start + LONGEST)):
            if kind in ("X", "Y") and ops[at].name == "edges":
                continue                # they belong to the branch before
            fusable = self.fusable.get(ops[at].name)
            step = fusable and window.add(fusable, ops[at])
            if not step:
                return
            sequence, kind = self.sequences.longer(sequence, step[0]), fusable.kind
            gain += runs[at] * step[1]
            if at > start:
                gain += runs[at] * WAY
                yield Place(sequence, start, at + (2 if kind in ("X", "Y") else 1), gain)
            if kind in ENDS:
                return

    def net(self, sequence, gain):
        return gain - self.cost * len(self.sequences.steps(sequence))

    def candidates(self):
        """[places in a block], and {sequence: gain} of those that are worth more than they cost."""
        places = [[place for start in range(len(ops) - 1)
                   for place in self.places_from(ops, runs, start)] for ops, runs in self.blocks]
        gains = collections.Counter()
        for block in places:
            for place in block:
                gains[place.sequence] += place.gain
        gains = {sequence: gain for sequence, gain in gains.items()
                 if gain > self.cost and self.net(sequence, gain) > self.cost}
        return [[place for place in block if place.sequence in gains] for block in places], gains

    def cover(self, sequence, block):
        """Takes the sequence where it fits in the block, and all places that lose an op by it."""
        taken, end = [], 0
        for place in self.places[block]:
            if place.sequence == sequence and place.start >= end:
                end = place.end
                taken.append(place)
                self.covered += sum(self.blocks[block][1][place.start:end])
        left = []
        for place in self.places[block]:
            if any(place.start < each.end and each.start < place.end for each in taken):
                self.gains[place.sequence] -= place.gain
            else:
                left.append(place)
        self.places[block] = left

    def pick(self, number):
        """The steps of at most `number` sequences, the best first."""
        where = collections.defaultdict(set)
        for block, places in enumerate(self.places):
            for place in places:
                where[place.sequence].add(block)
        heap = [(-self.net(sequence, gain), self.sequences.steps(sequence), sequence)
                for sequence, gain in self.gains.items()]
        heapq.heapify(heap)
        picked = []
        while heap and len(picked) < number:
            before, steps, sequence = heapq.heappop(heap)
            net = self.net(sequence, self.gains[sequence])
            if net <= self.cost:
                continue
            if net < -before:           # some of its places have been covered since
                heapq.heappush(heap, (-net, steps, sequence))
                continue
            picked.append(steps)
            for block in where[sequence]:
                self.cover(sequence, block)
        return picked

    def share_covered(self):
        return self.covered / self.runs


# ---- What is written ----

def rows(picked):
    names = collections.Counter()
    for steps in picked:
        name = "_".join(step.split(", ")[1] for step in steps[:3])
        if len(steps) > 3:
            name += f"_{len(steps)}"
        names[name] += 1
        if names[name] > 1:
            name += f"_v{names[name]}"
        yield "\n".join([f"SEQUENCE({name},", *(f"\tSTEP({step})" for step in steps)]) + ")"


def main():
    counting = sys.argv[1:2] == ["--counts"]
    if len(sys.argv) > 1 and (not counting or len(sys.argv) < 3):
        print("usage: tools/dev/fuse_pick.py [--counts COUNTS[=WEIGHT]...]", file=sys.stderr)
        return 2
    try:
        fusable = read_fusable(os.path.join(TOP, "cpu/table/fuse_ops.def"))
        if counting:
            print(counts_text(sys.argv[2:], fusable))
            return 0
        picker = Picker(*read_counts(COUNTS), fusable)
    except (Trouble, OSError) as error:
        print(f"fuse_pick: {error}", file=sys.stderr)
        return 1
    picked = picker.pick(NUMBER)
    print("\n".join([HEAD, *rows(picked)]))
    print(f"{len(picked)} sequences, {100 * picker.share_covered():.2f} % of all ops", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
