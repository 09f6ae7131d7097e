# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a program's --help says, as the manual and the completion need it.

Commands with options of their own have a --help of their own, which that of the
program names: "pe-live ctl --help" tells ...
"""

import os
import pathlib
import re
import subprocess

OPTION = re.compile(r"  (?:(-\w), )?(--[\w-]+)(?:=(\S+))?(?:  +(\S.*))?")
USAGE = re.compile(r"Usage:\s*(.*)")
OWN_HELP = re.compile(r'"pe-\w+ (\w+) --help"')
COMMANDS = re.compile(r"ommands?:\n((?:  .*\n)+)")
COMMAND = re.compile(r"^  (\w[\w-]*)", re.MULTILINE)
ALTERNATIVES = re.compile(r"\[OPTION...\] ([a-z|]+) ")


class Help:
    """Of a program, or of one of its commands.

    name      "pe-live" or "pe-live ctl"
    usage     the line behind "Usage:", without the name
    options   list of (short or "", long, placeholder or "", meaning)
    texts     the paragraphs around the options, each a list of lines
    commands  words that may stand first, whether they have a Help or not
    """

    def __init__(self, name, text):
        text = text.replace("…", "...")
        self.name = name
        usage = USAGE.match(text)
        self.usage = re.sub(r" - .*", "", usage[1]).removeprefix(name).strip()
        self.options, self.texts = [], []
        for block in text[usage.end():].strip("\n").split("\n\n"):
            self._read_block(block.split("\n"))
        alternatives = ALTERNATIVES.search(usage[1] + " ")
        listed = "".join(COMMANDS.findall(text))
        self.commands = (alternatives[1].split("|") if alternatives
                         else list(dict.fromkeys(COMMAND.findall(listed))))

    def _read_block(self, lines):
        found = [OPTION.fullmatch(line) for line in lines]
        if not any(found[1:]):
            self.texts.append(lines)
            return
        for line, option in zip(lines[1:], found[1:]):
            assert option, f"{self.name}: what is this line of --help? {line}"
            self.options.append(tuple(group or "" for group in option.groups()))


def ask(program, *words):
    # In no language but ours. GOption ends the program and leaves what it has.
    env = os.environ | {"LC_ALL": "C.UTF-8", "ASAN_OPTIONS": "detect_leaks=0"}
    return subprocess.run([program, *words, "--help"], check=True, env=env,
                          capture_output=True, text=True, timeout=60).stdout


def read_helps(program):
    """The Help of a program, and of each of its commands that has one."""
    name = pathlib.Path(program).name
    text = ask(program)
    helps = [Help(name, text)]
    named = list(dict.fromkeys(OWN_HELP.findall(text)))
    if named == ["COMMAND"]:
        named = helps[0].commands
    helps[0].commands += [word for word in named if word not in helps[0].commands]
    for word in named:
        try:
            helps.append(Help(f"{name} {word}", ask(program, word)))
        except subprocess.CalledProcessError:
            helps[0].commands.remove(word)  # not in this build
    return helps
