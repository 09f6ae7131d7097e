#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes a manual page: make_page.py VERSION PROGRAM SOURCE... > PAGE

Options, commands, examples and exit statuses are what PROGRAM --help says. A
SOURCE is roff with more of some sections, each behind ".SH", which goes behind
what --help says about it. The first has the NAME.
"""

import pathlib
import re
import sys

from program_help import read_helps

SECTIONS = ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS",
            "EXAMPLES", "FILES", "ENVIRONMENT", "SEE ALSO")
ITEM = re.compile(r"  (\S.*?)  +(\S.*)")
STATUS = re.compile(r"(?:^|, )(?=\d )")
ESCAPES = {"\\": r"\e", "-": r"\-", "'": r"\(aq", "`": r"\(ga", "^": r"\(ha",
           "~": r"\(ti"}


def escape(text):
    text = re.sub(r"[\\'`^~-]", lambda found: ESCAPES[found[0]], text)
    return re.sub(r"^\.", r"\&.", text, flags=re.MULTILINE)


def to_bold(text):
    return rf"\fB{escape(text)}\fR"


def to_italic(text):
    return rf"\fI{escape(text)}\fR"


def format_text(lines):
    """A paragraph of --help, which may have a list."""
    out = [".PP"]
    for line in lines:
        item = ITEM.fullmatch(line)
        out += ([".TP", to_bold(item[1]), escape(item[2])] if item
                else [escape(line.strip())])
    return out


def format_options(options):
    for short, long, value, meaning in options:
        names = ", ".join(to_bold(name) for name in (short, long) if name)
        yield from (".TP", names + (f"={to_italic(value)}" if value else ""),
                    escape(meaning))


def format_usage(program_help):
    words = program_help.usage.replace("[OPTION...]", "[OPTION]...")
    return [".PP", f"{to_bold(program_help.name)} {escape(words)}"]


def split_texts(program_help):
    """(description, exit statuses, lines of examples)"""
    texts, status, examples = [], "", []
    for lines in program_help.texts:
        text = " ".join(line.strip() for line in lines)
        if text.startswith("Exit status: "):
            status = text.removeprefix("Exit status: ")
        elif re.fullmatch("Examples?:", lines[0]):
            examples += lines[1:]
        elif lines[0] != "Options:":
            texts += format_text(lines)
    return texts, status, examples


def format_status(status):
    for entry in STATUS.split(status):
        if entry:
            number, meaning = entry.split(" ", 1)
            meaning = meaning if ". " in meaning else meaning.rstrip(".")
            yield from (".TP", to_bold(number), escape(meaning))


def describe(helps):
    """section -> lines of roff, by what --help says"""
    page = {section: [] for section in SECTIONS}
    statuses, shown = [], []
    for program_help in helps:
        texts, status, examples = split_texts(program_help)
        page["SYNOPSIS"] += format_usage(program_help)
        heading = [f".SS {escape(program_help.name)}"]
        if program_help is helps[0]:
            heading = []
        page["DESCRIPTION"] += heading + texts if texts else []
        page["OPTIONS"] += heading + list(format_options(program_help.options))
        if status not in statuses:
            page["EXIT STATUS"] += heading + list(format_status(status))
        statuses.append(status)
        shown += [line for line in examples if line not in shown]
    page["EXAMPLES"] += [".EX", *(escape(line[2:]) for line in shown), ".EE"
                         ] if shown else []
    return page


def read_source(path):
    """section -> lines"""
    parts = re.split(r"^\.SH (.*)\n", path.read_text(), flags=re.MULTILINE)
    return {name: text.rstrip("\n").split("\n")
            for name, text in zip(parts[1::2], parts[2::2])}


def main():
    version, program, *sources = sys.argv[1:]
    page = describe(read_helps(program))
    for source in map(pathlib.Path, sources):
        for section, lines in read_source(source).items():
            page[section] += lines
    name = pathlib.Path(program).name
    print(rf'.\" Made by docs/man/make_page.py of docs/man/{name}.man')
    print(f'.TH {escape(name).upper()} 1 "" "gst\\-perception\\-encoder {version}" '
          '"User Commands"\n.nh')
    text = "".join("\n".join([f".SH {section}", *page[section], ""])
                   for section in SECTIONS if page[section])
    # A heading begins a paragraph already.
    print(re.sub(r"^(\.S[HS] .*\n)\.PP\n", r"\1", text, flags=re.MULTILINE), end="")


if __name__ == "__main__":
    main()
