#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes the completion for zsh: make_completion_zsh.py TEMPLATE PROGRAM... > SCRIPT

What can be completed is what each PROGRAM --help says, as in make_completion.py.
"""

import pathlib
import sys

from make_completion import ARGUMENTS, find_takes
from program_help import read_helps


def quote(text):
    return "'" + text.replace("'", r"'\''") + "'"


def make_glob(endings):
    """".pt .bin" -> files with one of these endings, in any case"""
    if endings in (["*"], []):
        return "*"
    return f"(#i)*({'|'.join(endings)})(-.)"


def make_action(takes):
    """What _arguments completes: of the words that make_completion.py writes."""
    kind, *rest = takes.split()
    return {"words": f"({' '.join(rest)})", "folders": "_files -/",
            "files": f'_files -g "{make_glob(rest)}"',
            "lists": f'_files -g "{make_glob(rest)}"', "nothing": " "}[kind]


def describe_option(short, long, placeholder, meaning):
    """A specification of _arguments. Any option may stand several times."""
    takes = find_takes(long, placeholder, meaning)
    value = ""
    if takes:
        # A list goes on up to the next option.
        pattern = ":*-*" if takes.startswith("lists") else ""
        what = placeholder.lower().replace(":", r"\:")
        value = f"{pattern}:{what}:{make_action(takes)}"
    told = meaning.replace("\\", r"\\").replace("[", r"\[").replace("]", r"\]")
    for name in (short, long):
        if name:
            joined = "=" if takes and name == long else ""
            yield quote(f"*{name}{joined}[{told}]{value}")


def describe_rest(program_help):
    """What stands without an option, first and behind that."""
    files = ARGUMENTS.get(program_help.name, "")
    words = " ".join(program_help.commands)
    if files.startswith("files") and words:
        glob = make_glob(files.split()[1:])
        # The blank: without options for compadd.
        yield quote(f'1: : _pe_first "{words}" "{glob}"')
    elif words:
        yield quote(f"1:command:({words})")
    if files:
        yield quote(f"*: :{make_action(files)}")


def describe(program_help):
    yield f"    {quote(program_help.name)}) reply=("
    for option in program_help.options:
        for spec in describe_option(*option):
            yield f"        {spec}"
    for spec in describe_rest(program_help):
        yield f"        {spec}"
    yield "    ) ;;"


def main():
    template, *programs = sys.argv[1:]
    names = " ".join(pathlib.Path(program).name for program in programs)
    print(f"#compdef {names}")  # must come first
    print(pathlib.Path(template).read_text())
    print("_pe_specs() {\n    case $1 in")
    for program in programs:
        for program_help in read_helps(program):
            print(*describe(program_help), sep="\n")
    print("    *) return 1 ;;\n    esac\n}\n\n_pe \"$@\"")


if __name__ == "__main__":
    main()
