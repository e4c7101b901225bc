#!/usr/bin/env python3
"""Boots the same guest under Debian's QEMU (TCG) and under cede, in turns, and compares.

One run is from starting the program to its end: the guest boots, prints its ready line, runs
"true" and powers off. The two take turns, and who goes first changes with each pair, so that a
machine that grows slower or faster meanwhile does not favour one. Fewer than 5 pairs say nothing
and are refused. A run that does not get there is an error, not a sample.

QEMU does not say how many instructions the guest executed: cede's count stands for both.
Writes build/bench/boot.json with every sample.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

FEWEST_PAIRS = 5
READY = b"cede guest ready"
DONE = b"cede guest status 0"
COUNTS = re.compile(rb"^cede: statehash=(\w+) cycles=(\d+) instructions=(\d+)", re.M)


class Trouble(Exception):
    """What kept the benchmark from a result, in one line."""


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("-n", "--pairs", type=int, default=int(os.environ.get("PAIRS", "5")))
    parser.add_argument("--qemu", default=os.environ.get("QEMU", "qemu-system-ppc64"))
    parser.add_argument("--cede", default=os.environ.get("CEDE", "build/cede"))
    parser.add_argument("--kernel", default=os.environ.get("KERNEL") or "build/guest/vmlinux")
    parser.add_argument("--initrd", default=os.environ.get("INITRD") or "build/guest/initrd.gz")
    parser.add_argument("--cpu", default="power9")
    parser.add_argument("--smp", default="1")
    parser.add_argument("--memory", default="1G")
    parser.add_argument("--append", default="console=hvc0 cede.cmd=true")
    parser.add_argument("--limit", type=float, default=300, help="seconds that a run may take")
    parser.add_argument("--json", default="build/bench/boot.json")
    return parser.parse_args()


def commands(args):
    """{name: command line}; both get the same options but for what only one of them has."""
    same = ["-cpu", args.cpu, "-smp", args.smp, "-m", args.memory, "-nographic", "-nodefaults",
            "-serial", "stdio", "-rtc", "base=2026-01-01T00:00:00",
            "-kernel", args.kernel, "-initrd", args.initrd, "-append", args.append]
    found = {"qemu": ([args.qemu, "-accel", "tcg", "-M", "pseries,x-vof=on"], same),
             "cede": ([args.cede, "-M", "pseries"], same + ["-d", "statehash"])}
    for program, _ in found.values():
        if not shutil.which(program[0]):
            raise Trouble(f"{program[0]} is missing (tools/deps.sh test, make)")
    return {name: program + options for name, (program, options) in found.items()}


def run(name, command, limit):
    """One sample: seconds to the ready line and to the end, peak memory, and cede's counts."""
    with tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=errors)
        watchdog = threading.Timer(limit, child.kill)
        watchdog.start()
        output, ready = b"", None
        while chunk := os.read(child.stdout.fileno(), 65536):
            output += chunk
            if ready is None and READY in output:
                ready = time.perf_counter() - start
        child.stdout.close()
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        watchdog.cancel()
        errors.seek(0)
        said = errors.read()

    if ready is None or DONE not in output or child.returncode:
        last = (said.strip() or output.strip() or b"(silent)").splitlines()[-1]
        raise Trouble(f"{name} ended with {child.returncode} after {seconds:.1f} s,"
                      f" {'not ' if ready is None else ''}ready: {last.decode(errors='replace')}")
    sample = {"seconds": seconds, "ready": ready, "cpu": usage.ru_utime + usage.ru_stime,
              "memory": usage.ru_maxrss * 1024}
    counts = COUNTS.search(said)
    if name == "cede":
        if not counts:
            raise Trouble("cede printed no statehash line")
        sample.update(statehash=counts[1].decode(), cycles=int(counts[2]),
                      instructions=int(counts[3]))
    return sample


def summary(samples, instructions):
    middle = lambda key: statistics.median(sample[key] for sample in samples)
    seconds = [sample["seconds"] for sample in samples]
    return {"seconds": middle("seconds"), "fastest": min(seconds), "slowest": max(seconds),
            "ready": middle("ready"), "cpu": middle("cpu"), "instructions": instructions,
            "mips": instructions / middle("seconds") / 1e6,
            "memory": max(sample["memory"] for sample in samples)}


def measure(args):
    if args.pairs < FEWEST_PAIRS:
        raise Trouble(f"{args.pairs} pairs are too few to compare; {FEWEST_PAIRS} at least")
    programs = commands(args)
    samples = {name: [] for name in programs}
    for pair in range(args.pairs):
        for name in sorted(programs, reverse=pair % 2 == 0):
            samples[name].append(run(name, programs[name], args.limit))
        print(f"pair {pair + 1} of {args.pairs}: " + ", ".join(
            f"{name} {samples[name][-1]['seconds']:.2f} s" for name in samples), flush=True)

    instructions = statistics.median_low(sample["instructions"] for sample in samples["cede"])
    hashes = {sample["statehash"] for sample in samples["cede"]}
    result = {"pairs": args.pairs, "commands": programs, "samples": samples,
              "same_state": len(hashes) == 1,
              **{name: summary(samples[name], instructions) for name in samples}}
    result["ratio"] = result["qemu"]["seconds"] / result["cede"]["seconds"]
    return result


def report(result):
    print(f"{'boot':6}{'median s':>10}{'min':>8}{'max':>8}{'ready s':>9}{'CPU s':>8}"
          f"{'M instr':>10}{'MIPS':>8}{'peak MB':>9}")
    for name in ("qemu", "cede"):
        row = result[name]
        print(f"{name:6}{row['seconds']:10.2f}{row['fastest']:8.2f}{row['slowest']:8.2f}"
              f"{row['ready']:9.2f}{row['cpu']:8.2f}{row['instructions'] / 1e6:10.1f}"
              f"{row['mips']:8.1f}{row['memory'] / 1e6:9.0f}")
    print(f"cede is {result['ratio']:.2f} times as fast as QEMU's TCG at booting"
          + ("" if result["same_state"] else "; its state hash differed between runs"))


def main():
    args = arguments()
    try:
        result = measure(args)
        os.makedirs(os.path.dirname(args.json) or ".", exist_ok=True)
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump(result, file, indent=1)
            file.write("\n")
    except (Trouble, OSError) as error:
        print(f"boot: {error}", file=sys.stderr)
        return 1
    report(result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
