#!/usr/bin/env python3
"""The scoreboard's arithmetic and what it refuses, on machines that are small shell scripts; and how
its result gets into its README.md.

usage: test_bench.py
"""

import contextlib
import io
import json
import os
import sys
import tempfile
import xml.etree.ElementTree

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import bench                        # pylint: disable=wrong-import-position
import readme_table                 # pylint: disable=wrong-import-position

failed = False

ROWS = """\
# name group command
fast  integer   a
even  integer   b
other floating  c
wrong system    d
mute  system    e
moody real      f
"""

# $machine is the name, $turn how many runs of it there were. A row: name, seconds, output, status.
FAKE = """\
machine={machine} folder={folder}
echo $machine >>$folder/order
turn=$(grep -c $machine $folder/order)
row() {{
    echo "bench $1 start"
    sleep $2
    [ -z "$3" ] || printf '%s\\r\\n' "$3"
    echo "bench $1 status $4"
}}
echo '[    0.000000] Linux version 6.1.0-fake (somebody)'
echo 'cede guest ready'
{body}
echo 'cede guest status 0'
"""

ALL = {"one": """\
row fast 0.30 'sum 1' 0
row even 0.05 'sum 2' 0
row other 0.02 'sum 3' 0
row wrong 0.02 'died' $((turn == 3))
row mute 0.02 '' 0
row moody 0.02 "sum 4" 0
""", "two": """\
row fast 0.10 'sum 1' 0
row even 0.05 'sum 2' 0
row other 0.02 'sum 9' 0
row wrong 0.02 'died' 0
row mute 0.02 '' 0
row moody 0.02 "sum $((turn == 5 ? 5 : 4))" 0
"""}


def check(good, fact, seen=""):
    global failed
    failed |= not good
    print(f"ok {fact}" if good else f"FAIL {fact}: {seen}")


def scoreboard(bodies, *options, rows=ROWS):
    """Runs it on machines that do what the bodies say: (status, stdout, stderr, result, chart,
    order of the runs, [(options, rows) that it prepared])."""
# needs: nothing
    with tempfile.TemporaryDirectory() as folder:
        with open(folder + "/rows.list", "w", encoding="utf-8") as file:
            file.write(rows)

        def machine(name):
            script = FAKE.format(machine=name, folder=folder, body=bodies[name])
            return bench.Machine(name, "fake " + name, dict.fromkeys(("rows", "boot", "boot-hash", "disk"),
                                                                     ["sh", "-c", script]))

        prepared = []

        def prepare(args, rows):
            prepared.append((args, rows))
            return ([machine(name) for name in bodies],
                    {"cpu": "power9", "smp": "1", "memory": "1G"})

        bench.prepare, bench.HERE = prepare, folder
        bench.disks.missing = lambda: "" if "read disk" in rows else "no disk"
        bench.disks.fresh = lambda: None
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = bench.main(["--out", folder, "--limit", "5", *options])
        read = lambda name: (open(os.path.join(folder, name), encoding="utf-8").read()
                             if os.path.exists(os.path.join(folder, name)) else "")
        return (status, out.getvalue(), err.getvalue(), json.loads(read("bench.json") or "null"),
                read("bench.svg"), read("order").split(), prepared)


def few():
    for options in (["-n", "4"], ["-n", "1"], ["-n", "0"]):
        status, out, err, result, _, order, prepared = scoreboard(ALL, *options)
        check(status == 1 and "too few" in err and not out and not result and not order
              and not prepared, f"{options[1]} pairs are refused before anything is done",
              (out, err))
    os.environ["PAIRS"] = "4"
    status, out, err, *_ = scoreboard(ALL)
    check(status == 1 and "too few" in err, "PAIRS=4 is refused", (out, err))
    del os.environ["PAIRS"]


def whole():
    status, out, err, result, chart, order, _ = scoreboard(ALL, "--rows",
                                                           "integer,floating,system,real")
    check(order == ["one", "two", "two", "one"] * 2 + ["one", "two"], "the machines take turns",
          order)
    check(result is not None and result["pairs"] == 5, "the JSON is well-formed", (out, err))
    rows = {row["name"]: row for row in result["rows"]}
    check(all(len(row["samples"][name]) == 5 for row in rows.values() for name in ALL),
          "every sample is in the JSON")
    fast = rows["fast"]
    check(1.5 < fast["ratio"] < 4, "the ratio is that of the times", fast["ratio"])
    check(fast["output"] == "sum 1", "output is kept, without its CR", fast["output"])
    for name, why in (("other", "one printed 'sum 3', two 'sum 9'"),
                      ("wrong", "status 1 under one"), ("mute", "nothing was printed"),
                      ("moody", "two did not print the same each time")):
        check(rows[name]["ratio"] is None and why in rows[name]["refused"]
              and why in out and name in err, f"no ratio: {why}", rows[name]["refused"])
    check(status == 1, "rows without a ratio give status 1", status)
    lines = [line for line in out.splitlines()
             if line.split()[:1] in (["other"], ["wrong"], ["mute"], ["moody"])]
    check(len(lines) == 4 and all(line.endswith("none") for line in lines),
          "the table has no ratio for them", lines)
    means = {mean["group"]: mean for mean in result["means"]}
    product = fast["ratio"] * rows["even"]["ratio"]
    check(abs(means["integer"]["ratio"] - product ** 0.5) < 1e-9
          and abs(means["all"]["ratio"] - product ** 0.5) < 1e-9, "means are geometric", means)
    check(means["floating"]["ratio"] is None and means["all"]["compared"] == 2
          and "(4 of 6 rows have no ratio)" in out, "what a mean lacks is said", means)
    check(result["guest_kernel"] == "6.1.0-fake", "the kernel's name is the guest's")
    image = xml.etree.ElementTree.fromstring(chart)
    labels = [node.text for node in image.iter() if node.tag.endswith("}text")]
    shapes = [node for node in image.iter() if node.tag.endswith("}rect")]
    check(len(shapes) == 4 and labels.count("no ratio") == 7 and "moody" in labels,
          "the chart has a bar for each ratio", (len(shapes), labels))

    status, out, err, *_ = scoreboard(ALL, "--rows", "fast,even")
    check(status == 0 and not err and "no ratio" not in out, "a good comparison gives status 0",
          err)
    bodies = {"one": "sleep 0.2", "two": "sleep 0.1"}
    status, out, err, result, _, order, _ = scoreboard(bodies, "--boot-only")
    check(status == 0 and len(order) == 20 and all(row["ratio"] > 1.3 for row in result["rows"])
          and "boot under two: ready after" in out, "--boot-only", (out, err))


def arithmetic():
    row = bench.Row("row", "integer", "command")

    def judged(ones, twos):
        runs = lambda times: [({"wall": time, "cpu": time / 2}, "same", 0) for time in times]
        return bench.judge(row, {"qemu": runs(ones), "cede": runs(twos)}, "wall")

    good = judged([3, 1, 4, 5, 200], [2, 2, 1.5, 9, 1])
    check(good["ratio"] == 2 and good["overlap"], "a ratio is that of the medians", good)
    good = judged([4, 5, 6, 7, 8], [3.9, 1, 1, 1, 1])
    check(good["ratio"] == 6 and not good["overlap"], "all of one above all of two: no overlap",
          good)
    check(judged([1] * 5, [2] * 5)["ratio"] == 0.5, "slower is below 1")
    for ones, twos in (([1] * 4, [1] * 5), ([1] * 5, [1] * 4), ([1] * 4, [1] * 4)):
        bad = judged(ones, twos)
        check(bad["ratio"] is None and "fewer than 5" in bad["refused"],
              f"{len(ones)} and {len(twos)} samples give no ratio", bad)
    check("too short" in judged([1] * 5, [1, 1, 1, 1, 0.001])["refused"], "too short to time")

    rows = [{"group": group, "ratio": ratio} for group, ratio in
            (("boot", 1), ("integer", 2), ("integer", 8), ("real", 16), ("real", None))]
    means = {mean["group"]: (round(mean["ratio"], 12), mean["compared"], mean["rows"])
             for mean in bench.geometric_means(rows)}
    check(means == {"integer": (4, 2, 2), "real": (16, 1, 2), "all": (4, 4, 5)}, "means", means)


def part_of_work():
    rows = "one.1 integer a  -x 'b c'\ntwo floating b\nthree system c | d\ngzip real gzip 100\nxz real xz\n"
    body = "".join(f"row {name} 0.02 x 0\n" for name in ("one.1", "two", "three", "gzip", "xz"))
    bodies = {"one": body, "two": body}
    bench.SHORTEST = -1     # a busy host reads begin and end of a row at once, and times are not what this is about

    def run(*options):
        status, out, err, result, chart, _, prepared = scoreboard(bodies, *options, rows=rows)
        check(status == 0 and not err, f"{' '.join(options) or 'no option'}: done", err)
        commands = {row.name: row.command for row in prepared[0][1]}
        check({row["name"]: row["command"] for row in result["rows"]} == commands,
              "the JSON has the commands", result["rows"])
        return out, result, chart, commands

    out, result, _, commands = run()
    check(result["work"] == 100 and "% of" not in out and commands["two"] == "b"
          and commands["xz"] == "xz", "by default all of the work is done", (out, commands))
    out, result, chart, commands = run("--work", "7")
    ours = {"boot": "", "boot-hash": "", "one.1": "a 7  -x 'b c'", "two": "b 7", "three": "c 7 | d"}
    check(commands == ours, "--work 7 is our programs' first argument", commands)
    check(result["work"] == 7, "--work is in the JSON", result["work"])
    check("7 % of their work" in next(line for line in out.splitlines() if "pairs, taking" in line)
          and "7 % of their work" in chart, "--work is in the header and in the chart", out)
    check(len([line for line in out.splitlines() if line.startswith("bench: --work 7 leaves out")])
          == 1, "one line says that Debian's programs are left out", out)
    out, result, _, commands = run("--work", "400", "--rows", "two,gzip")
    check(commands == {"two": "b 400", "gzip": "gzip 100"} and "leaves out" not in out,
          "a program of Debian's that is named does all of its work", (out, commands))
    for work in ("0", "401", "-1", "7.5", "half", "07", ""):
        status, out, err, result, _, order, prepared = scoreboard(bodies, "--work=" + work)
        check(status == 1 and not out and err.count("\n") == 1 and "1 to 400" in err and not result
              and not order and not prepared, f"--work {work} is refused", (out, err))


def readme():
    """The page has the place for the table, and nothing else is touched."""
    with open(bench.TOP + "/tests/bench/README.md", encoding="utf-8") as file:
        text = file.read()
    check(text.count(readme_table.BEGIN) == 1 and text.count(readme_table.END) == 1,
          "tests/bench/README.md has a place for the table")
    side = lambda median: {"median": median, "min": median, "max": median}
    rows = [{"name": name, "group": group, "ratio": ratio, "overlap": name == "b", "refused": refused,
             "qemu": side(3), "cede": side(2)} for name, group, ratio, refused in
            (("boot", "boot", 1.5, ""), ("a", "integer", 4, ""), ("b", "integer", 1, ""),
             ("c", "real", None, "two printed 'x'"))]
    result = {"pairs": 7, "work": 50, "clock": "wall", "machines": ["qemu", "cede"], "rows": rows,
              "titles": {"qemu": "QEMU 1", "cede": "cede 2"}, "host": "2 x CPU", "host_kernel": "6",
              "guest_kernel": "5", "guest": {"cpu": "power9", "smp": "1", "memory": "1G"},
              "means": bench.geometric_means(rows), "boot": {"cede": ["339 MIPS"]}}
    with tempfile.TemporaryDirectory() as folder:
        source, target = folder + "/bench.json", folder + "/README.md"

        def put(found, before):
            for name, said in ((source, json.dumps(found)), (target, before)):
                with open(name, "w", encoding="utf-8") as file:
                    file.write(said)
            err = io.StringIO()
            with contextlib.redirect_stderr(err):
                status = readme_table.main(["", source, target])
            with open(target, encoding="utf-8") as file:
                return status, file.read(), err.getvalue()

        frame = "head\n" + readme_table.BEGIN + "{}" + readme_table.END + "tail\n"
        status, after, err = put(result, frame.format("old\n"))
        start, end = frame.split("{}")
        check(status == 0 and after.startswith(start) and after.endswith(end) and "old" not in after,
              "the table replaces the old one and nothing else", (after, err))
        table = after[len(start):-len(end)].splitlines()
        for line in ("| | qemu | cede | ratio |", "| boot | 3.00 | 2.00 | 1.50 |",
                     "| **integer**, geometric mean | | | **2.00** |", "| a | 3.00 | 2.00 | 4.00 |",
                     "| b | 3.00 | 2.00 | 1.00 ~ |", "| c | 3.00 | 2.00 | none |",
                     "| **real programs**, geometric mean of 0 rows (1 without ratio) | | | **none** |",
                     "| **all rows**, geometric mean of 3 rows (1 without ratio) | | | **1.82** |",
                     "- c has no ratio: `two printed 'x'`", "- cede: cede 2", "- host: 2 x CPU, Linux 6",
                     "- boot under cede: 339 MIPS",
                     "Median seconds of 7 pairs, our programs doing 50 % of their work."
                     " `~`: the times overlap."):
            check(line in table, f"the table has: {line}", table)
        again = put(result, after)
        check(again == (0, after, ""), "once more changes nothing", again)
        for what, found, before in (("no marks", result, "head\n"),
                                    ("two tables", result, frame + frame),
                                    ("two ends", result, frame + end),
                                    ("marks in the wrong order", result, end + start),
                                    ("a result without rows", {"machines": ["a", "b"]}, frame)):
            status, kept, err = put(found, before)
            check(status == 1 and kept == before and err.count("\n") == 1, f"{what}: refused",
                  (kept, err))


def broken():
    for what, body, why in (
            ("ends early", "row fast 0.02 x 0; exit 0", "two ended with 0"),
            ("ends with a status", "row fast 0.02 x 0; echo oops >&2; exit 3", "two ended with 3"),
            ("fails after all rows", "row fast 0.02 x 0; trap 'exit 3' EXIT", "two ended with 3"),
            ("ends in a row", "echo bench fast start; exit 1", "in fast"),
            ("leaves a row out", "true", "fast did not start and end once"),
            ("is stuck", "echo bench fast start; exec sleep 100", "two was stuck in fast")):
        status, out, err, result, *_ = scoreboard({"one": ALL["one"], "two": body},
                                                  "--rows", "fast", "--limit", "1")
        check(status == 1 and why in err and "ratio" not in out and not result,
              f"a machine that {what}", (status, out, err))
    for rows, why in (("fast integer x\nfast real y\n", "two rows are called fast"),
                      ("fast integers x\n", "rows.list:1"), ("fast integer\n", "rows.list:1"),
                      ("fast;rm integer x\n", "rows.list:1")):
        status, out, err, *_ = scoreboard(ALL, rows=rows)
        check(status == 1 and why in err, f"rows.list: {why}", err)
    status, out, err, *_ = scoreboard(ALL, "--rows", "fast,fats")
    check(status == 1 and "fats" in err, "a row that is not there", err)


def installed_system():
    """The group that logs into a guest, on guests that ask and do nothing before they are answered."""
    rows = "fast integer a\nread disk b\n"
    login = """\
sleep 0.05; printf 'debian login: [ 1.0] vio\\n'; read who
printf 'Password: '; read word
sleep 0.05; printf 'root@debian:~# '; read command; echo
[ "$who $word ${command##* }" = "root cede /mnt/bench" ] || exit 1
row read 0.05 '1000000 bytes' 0
"""
    bodies = {"qemu": login, "cede": login}
    status, out, err, result, *_ = scoreboard(bodies, "--rows", "disk", rows=rows)
    check(status == 0 and not err, "it is logged into", (out, err))
    found = {row["name"]: row["qemu"]["median"] for row in result["rows"]} if result else {}
    check(set(found) == {"login", "read"} and 0.05 <= found["login"] < 1, "login is timed to its prompt", found)
    rates = [line for line in out.splitlines() if line.startswith("read: qemu ")]
    check(len(rates) == 1 and rates[0].count(" MB/s, CPU ") == 2, "bytes give a rate", out)
    bodies = dict.fromkeys(bodies, "row fast 0.02 x 0\n")
    rows = rows.replace("read", "write")
    status, out, err, result, *_ = scoreboard(bodies, rows=rows)
    check(status == 0 and [row["name"] for row in result["rows"]] == ["boot", "boot-hash", "fast"] and "no disk" in out,
          "without its disk it is left out, and that is said", (out, err))
    status, out, err, result, *_ = scoreboard(bodies, "--rows", "write", rows=rows)
    check(status == 1 and "no disk" in err and not result, "unless it is asked for", err)


def list_of_rows():
    here = os.path.dirname(os.path.abspath(__file__))
    rows = bench.read_rows(here + "/rows.list")
    lost = [row.name for row in rows if row.group not in ("boot", "real", "disk")
            and not os.path.exists(f"{here}/programs/{row.command.split()[0]}.c")]
    check(not lost, "each row's program is there", lost)
    counts = {group: sum(row.group == group for row in rows) for group in bench.GROUPS}
    check(all(counts.values()) and counts["boot"] == 2, "every group has rows", counts)


def main():
    for name in ("PAIRS", "ROWS", "BASE"):
        os.environ.pop(name, None)
    list_of_rows()
    arithmetic()
    few()
    whole()
    part_of_work()
    installed_system()
    broken()
    readme()
    return failed


if __name__ == "__main__":
    sys.exit(main())
