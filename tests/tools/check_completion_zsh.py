#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The completion for zsh in a zsh of its own, as a TAP test:
check_completion_zsh.py SCRIPT PROGRAM...

What it offers is compared with the programs' --help.
"""

import os
import pathlib
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time

sys.path.append(str(pathlib.Path(__file__).parents[1] / "support"))
from tap import Folder, run_tests, skip  # noqa: E402

SCRIPT = pathlib.Path(sys.argv[1]).resolve()
PROGRAMS = {pathlib.Path(path).name: path for path in sys.argv[2:]}
PATIENCE = 60  # seconds
# compadd gets what may stand there; with -O, -A or -D it only counts.
RC = """
PROMPT=
fpath=({folder} $fpath)
autoload -Uz compinit
compinit -u -D
compadd() {{
    if [[ ${{(M)@[1,(i)--]:#-[OAD]*}} ]]; then
        builtin compadd "$@"
        return
    fi
    local -a found
    builtin compadd -A found "$@"
    print -rl -- $found >>{out}
    builtin compadd "$@"
}}
zle -C offer list-choices _main_complete
ask() {{
    zle offer
    print -r -- "<end>" >>{out}
    BUFFER=
}}
zle -N ask
bindkey '^T' ask
print -r -- "<end>" >>{out}
"""


class Shell:
    """A zsh at a terminal, in a folder."""

    def __init__(self, folder):
        if not shutil.which("zsh"):
            skip("there is no zsh")
        home = folder / "home"
        home.mkdir()
        shutil.copy(SCRIPT, home)
        self.out = home / "offered"
        self.out.touch()
        (home / ".zshrc").write_text(RC.format(folder=home, out=self.out))
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            env = {"PATH": os.environ["PATH"], "HOME": str(home),
                   "ZDOTDIR": str(home), "TERM": "dumb", "LC_ALL": "C.UTF-8"}
            os.execvpe("zsh", ["zsh", "-d", "-i"], env)
        self.wait_for(1)

    def wait_for(self, n):
        """The terminal must be read, or the shell stops."""
        said, end = b"", time.monotonic() + PATIENCE
        while self.out.read_text().count("<end>\n") < n:
            assert time.monotonic() < end, said.decode(errors="replace")
            if select.select([self.terminal], [], [], 0.05)[0]:
                said += os.read(self.terminal, 65536)

    def offer(self, line):
        """What may stand at the end of a line."""
        n = self.out.read_text().count("<end>\n")
        os.write(self.terminal, line.encode() + b"\x14")
        self.wait_for(n + 1)
        last = self.out.read_text().split("<end>\n")[n]
        return {word.removesuffix("/").removesuffix("=")
                for word in last.splitlines() if word}

    def close(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.terminal)


def use_shell(test):
    def run(folder):
        shell = Shell(folder)
        try:
            test(shell, folder)
        finally:
            shell.close()
    run.__name__ = test.__name__
    return run


def read_options(*words):
    env = os.environ | {"LC_ALL": "C.UTF-8", "ASAN_OPTIONS": "detect_leaks=0"}
    text = subprocess.run([PROGRAMS[words[0]], *words[1:], "--help"], check=True,
                          env=env, capture_output=True, text=True).stdout
    return set(re.findall(r"^  (?:-\w, )?(--[\w-]+)", text, re.MULTILINE))


@use_shell
def offers_the_options_of_help(shell, _):
    for words in [[name] for name in PROGRAMS] + [["pe-model", "check"]]:
        found = shell.offer(" ".join(words) + " --")
        assert found == read_options(*words), (words, found)


@use_shell
def offers_commands(shell, folder):
    (folder / "a.mp4").touch()
    for line, expected in (
            ("pe-model ", "inspect convert check"),
            ("pe-model in", "inspect"),
            ("pe-live ctl s", "set-labels search stats"),
            ("pe-tag ", "plan merge prune relabel stats verify export load a.mp4 "
                        "home")):
        if line.split()[0] in PROGRAMS:
            found = shell.offer(line)
            assert found == set(expected.split()), (line, found)


@use_shell
def offers_words_and_files_that_fit(shell, folder):
    for name in ("b16.pt", "B16.PT", "a.mp4", "labels.json", "notes.txt", "a.jpg"):
        (folder / name).touch()
    for line, expected in (
            ("pe-model check --device ", "auto cpu cuda"),
            ("pe-model check --device=c", "cpu cuda"),
            ("pe-model check -d cu", "cuda"),
            ("pe-model inspect ", "b16.pt B16.PT labels.json home"),
            ("pe-embed --model ", "b16.pt B16.PT labels.json home"),
            ("pe-embed --video ", "a.mp4 home"),
            ("pe-embed --batch ", ""),
            ("pe-tag --out ", "home"),
            ("pe-tag --format ", "jsonl vtt dump"),
            ("pe-calibrate labels.json --positive a.jpg a", "a.jpg a.mp4")):
        if line.split()[0] in PROGRAMS:
            found = shell.offer(line)
            assert found == set(expected.split()), (line, found)


TESTS = [offers_the_options_of_help, offers_commands,
         offers_words_and_files_that_fit]


if __name__ == "__main__":
    sys.exit(run_tests(TESTS, Folder))
