#!/usr/bin/env python3
"""Prints the host's apt sources that are a Debian archive, for use with another architecture.

Reads sources.list, *.list and *.sources where apt itself looks for them, keeps what says how to
trust and fetch an archive, and drops what ties an entry to the host's architecture. An archive is
Debian's if apt's own lists say so (Origin: Debian) or its address ends as Debian's mirrors do.
The output is in deb822 form; it is empty when the host has no such source.

Source: sources.list(5).
"""

import glob
import re
import subprocess
import sys

KEPT = ("signed-by", "trusted", "check-valid-until", "check-date", "allow-insecure", "allow-weak",
        "valid-until-max", "by-hash", "inrelease-path")
DEBIAN = re.compile(r"(/debian(-security)?"                               # a mirror
                    r"|/archive/debian(-security)?/\d{8}T\d{6}Z"          # a snapshot of one
                    r"|/debian(-security)?\.list)/*$")                    # a list of mirrors


def output_of(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False,
                          text=True).stdout


def from_deb822(text):
    """Yields each stanza as {field in lower case: value}, values as they stand (keys may span
    lines)."""
    for stanza in re.split(r"\n[ \t]*\n", text.replace("\r", "")):
        fields, last = {}, None
        for line in stanza.split("\n"):
            if line.startswith("#"):
                continue
            if line[:1] in (" ", "\t") and last:
                fields[last] += "\n" + line
            elif ":" in line:
                last, _, value = line.partition(":")
                last = last.strip().lower()
                fields[last] = value.strip()
        if fields:
            yield fields


def from_lines(text):
    """The same for the one-line form: deb [option=value ...] uri suite component ..."""
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[(.*?)\]\s*)?([^\s#]+)\s+([^\s#]+)([^#]*)", line)
        if match:
            options, uri, suite, components = match.groups()
            fields = {"types": "deb", "uris": uri, "suites": suite, "components": components}
            for option in (options or "").split():
                name, _, value = option.partition("=")
                fields[name.rstrip("+-").lower()] = value.replace(",", " ")
            yield fields


def sources():
    paths = dict(re.findall(r"^(\w+)='(.*)'$", output_of(
        "apt-config", "shell", "list", "Dir::Etc::sourcelist/f",
        "parts", "Dir::Etc::sourceparts/d"), re.M))
    files = [paths.get("list", "/etc/apt/sources.list")]
    files += sorted(glob.glob(paths.get("parts", "/etc/apt/sources.list.d/").rstrip("/") + "/*"))
    for path in files:
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                text = file.read()
        except OSError:
            continue
        if path.endswith(".sources"):
            yield from from_deb822(text)
        elif path.endswith(".list"):
            yield from from_lines(text)


def main():
    known = {line.partition(" ")[2].rstrip("/")
             for line in output_of("apt-get", "indextargets", "--format", "$(ORIGIN) $(REPO_URI)",
                                   "Created-By: Packages").splitlines()
             if line.startswith("Debian ")}
    for fields in sources():
        if (fields.get("enabled", "yes").lower() in ("no", "false", "0")
                or "deb" not in fields.get("types", "").split()
                or "main" not in fields.get("components", "").split()):
            continue
        uris = [uri for uri in fields.get("uris", "").split()
                if uri.rstrip("/") in known or DEBIAN.search(uri)]
        if uris:
            print("Types: deb\nURIs:", " ".join(uris))
            print("Suites:", " ".join(fields.get("suites", "").split()))
            print("Components: main")
            for name in KEPT:
                if name in fields:
                    print(f"{name.title()}: {fields[name]}")
            print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
