#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The binary interface of a library against the list that is kept of it, as a
TAP test: check_abi.py [--update] LIST LIBRARY PROGRAM

PROGRAM prints what the header declares (list_abi.py). LIBRARY has to export
just that, and LIST has to have these lines; --update writes it. A change of
LIST is a change for every program that was linked before: what is not only an
addition takes a new soversion.
"""

import difflib
import pathlib
import re
import struct
import subprocess
import sys

FUNCTION = re.compile(r"(\w+)\(")
HEAD = """\
# The binary interface (64 bits), checked by a test. After a change:
#   ninja -C build update-abi update-gst-abi
"""


def run(*command):
    return subprocess.run(command, check=True, capture_output=True,
                          text=True).stdout.splitlines()


def find_soname(library):
    for line in run("readelf", "-d", "-W", library):
        if "(SONAME)" in line:
            return re.search(r"\[(.*)\]", line).group(1)
    return "none"


def list_exports(library):
    """Functions and variables; what sanitizers add begins with "_"."""
    names = {line.split()[-1].split("@")[0]
             for line in run("nm", "-D", "--defined-only", library)}
    return {name for name in names if not name.startswith("_")}


def is_function(line):
    return not re.match(r"(enum|struct|field|typedef) ", line)


def name_of(line):
    """What a list is sorted by: functions by their names, first."""
    return FUNCTION.search(line).group(1) if is_function(line) else "~" + line


def report(number, name, wrong):
    for line in wrong:
        print(f"# {line}")
    print(f"{'not ok' if wrong else 'ok'} {number} - {name}")
    return bool(wrong)


def main():
    update = sys.argv[1] == "--update"
    kept, library, program = sys.argv[1 + update:]
    kept = pathlib.Path(kept)
    declared = run(program)
    lines = [f"soname {find_soname(library)}", *sorted(declared, key=name_of)]
    if update:
        kept.write_text(HEAD + "\n".join(lines) + "\n")
        return 0
    if struct.calcsize("P") != 8:
        print("1..0 # SKIP the list is of 64 bits")
        return 0
    old = kept.read_text()[len(HEAD):].splitlines()
    exports = list_exports(library)
    wanted = {name_of(line) for line in declared if is_function(line)}
    print("1..2")
    failed = report(1, "exports_what_the_header_declares", [
        *(f"exported, not declared: {n}" for n in sorted(exports - wanted)),
        *(f"declared, not exported: {n}" for n in sorted(wanted - exports))])
    failed |= report(2, "is_as_listed", [
        line for line in difflib.unified_diff(
            old, lines, str(kept), "now", lineterm="", n=0)])
    return failed


if __name__ == "__main__":
    sys.exit(main())
