#!/usr/bin/env python3
"""Puts the scoreboard's last result into tests/bench/README.md, between the two marks that are there for it.

usage: readme_table.py [bench.json [FILE]]
"""

import json
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import bench                        # pylint: disable=wrong-import-position

BEGIN, END = "<!-- scoreboard -->\n", "<!-- /scoreboard -->\n"


def ratio_of(entry, form="{}"):
    """Of a row or a mean."""
    ratio = form.format(f"{entry['ratio']:.2f}" if entry["ratio"] else "none")
    return ratio + (" ~" if entry.get("overlap") else "")


def mean_line(mean, name):
    missing = mean["rows"] - mean["compared"]
    without = f" of {mean['compared']} rows ({missing} without ratio)" if missing else ""
    return f"| **{name}**, geometric mean{without} | | | {ratio_of(mean, '**{}**')} |"


def markdown(result):
    """Each group under its mean, then what was compared with what."""
    one, two = result["machines"]
    titles, guest = result["titles"], result["guest"]
    means = {mean["group"]: mean for mean in result["means"]}
    lines = [f"| | {one} | {two} | ratio |", "|---|--:|--:|--:|"]
    for group, name in bench.GROUPS.items():
        if group in means:
            lines.append(mean_line(means[group], name))
        lines += [f"| {row['name']} | {row[one]['median']:.2f} | {row[two]['median']:.2f}"
                  f" | {ratio_of(row)} |" for row in result["rows"] if row["group"] == group]
    clock = {"wall": "seconds", "cpu": "seconds of the host's CPU time"}[result["clock"]]
    lines += [mean_line(means["all"], "all rows"), "",
              f"Median {clock} of {result['pairs']} pairs{bench.part_of(result)}."
              " `~`: the times overlap.", ""]
    lines += [f"- {row['name']} has no ratio: `{row['refused']}`" for row in result["rows"]
              if row["refused"]]
    lines += [f"- {name}: {titles[name]}" for name in (one, two)]
    lines += [f"- host: {result['host']}, Linux {result['host_kernel']}",
              f"- guest: Linux {result['guest_kernel']}, {guest['cpu']}, {guest['smp']} processor(s),"
              f" {guest['memory']}"]
    lines += [f"- boot under {name}: {', '.join(facts)}" for name, facts in result["boot"].items()]
    lines += [f"- {name}: {'; '.join(facts)}" for name, facts in result.get("rates", {}).items()]
    return "\n".join(lines) + "\n"


def main(argv):
    source = argv[1] if len(argv) > 1 else f"{bench.OUT}/bench.json"
    target = argv[2] if len(argv) > 2 else "tests/bench/README.md"
    try:
        with open(source, encoding="utf-8") as file:
            table = markdown(json.load(file))
        with open(target, encoding="utf-8") as file:
            text = file.read()
        if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
            raise bench.Trouble(f"{target} lacks the lines {BEGIN.strip()} and {END.strip()}")
        before, rest = text.split(BEGIN)
        text = before + BEGIN + table + END + rest.split(END)[1]
        bench.guest_pack.put(target, text.encode())
    except KeyError as error:
        print(f"readme_table: {source} has no {error}: make bench writes it anew", file=sys.stderr)
        return 1
    except (bench.Trouble, OSError, ValueError) as error:
        print(f"readme_table: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    os.chdir(bench.TOP)
    sys.exit(main(sys.argv))
