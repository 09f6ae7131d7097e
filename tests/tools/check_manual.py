#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Manual pages and the completion for bash against the programs' --help, as a
TAP test: check_manual.py PAGES COMPLETION PROGRAM...
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

sys.path.append(str(pathlib.Path(__file__).parents[1] / "support"))
from tap import Folder, run_tests, skip  # noqa: E402

PAGES, COMPLETION = (pathlib.Path(path).resolve() for path in sys.argv[1:3])
PROGRAMS = {pathlib.Path(path).name: path for path in sys.argv[3:]}
# Commands with options of their own, and those without.
OWN = {"pe-live": ["ctl"], "pe-model": ["inspect", "convert", "check"],
       "pe-search": ["serve"]}
WORDS = {"pe-eval": ["classify", "retrieve"], "pe-labels": ["check"],
         "pe-live ctl": ["add", "remove", "set-labels", "search", "list", "stats"],
         "pe-tag": ["plan", "merge", "prune", "relabel", "stats", "verify",
                    "export", "load"]}
SECTIONS = ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "EXAMPLES",
            "FILES", "ENVIRONMENT", "SEE ALSO"]
COMPLETE = """
set -u
load() { source "$1"; }
load "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_pe_complete "$1"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def ask(name, *words):
    # GOption ends the program and leaves what it has.
    env = os.environ | {"LC_ALL": "C.UTF-8", "ASAN_OPTIONS": "detect_leaks=0"}
    done = subprocess.run([PROGRAMS[name], *words, "--help"], check=False, env=env,
                          capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else None


def read_options():
    """"pe-live ctl" -> its options, such as {"-h", "--help"}"""
    texts = {name: ask(name) for name in PROGRAMS}
    texts |= {f"{name} {word}": ask(name, word) for name in PROGRAMS
              for word in OWN.get(name, [])}
    return {key: set(re.findall(r"^  (?:-\w, )?(--[\w-]+)", text, re.MULTILINE)
                     + re.findall(r"^  (-\w), --", text, re.MULTILINE))
            for key, text in texts.items() if text}


OPTIONS = read_options()


def read_page(name):
    return (PAGES / f"{name}.1").read_text().replace(r"\-", "-")


def read_section(page, title):
    return re.search(rf"^\.SH {title}\n(.*?)(?=^\.SH|\Z)", page,
                     re.MULTILINE | re.DOTALL)[1]


def pages_have_the_options_of_help(_):
    for name in PROGRAMS:
        text = read_section(read_page(name), "OPTIONS")
        parts = re.split(r"^\.SS (.*)\n", text, flags=re.MULTILINE)
        shown = dict(zip([name] + parts[1::2], parts[::2]))
        wanted = {key for key in OPTIONS if key.split()[0] == name}
        assert set(shown) == wanted, (name, set(shown), wanted)
        for key, part in shown.items():
            names = "".join(re.findall(r"^\.TP\n(.*)", part, re.MULTILINE))
            found = set(re.findall(r"\\fB(-[\w-]+)\\fR", names))
            assert found == OPTIONS[key], (key, found ^ OPTIONS[key])
            assert len(found) > 1 and "--help" in found, (key, found)


def pages_have_every_section(_):
    for name in PROGRAMS:
        titles = re.findall(r"^\.SH (.*)", read_page(name), re.MULTILINE)
        assert titles == SECTIONS, (name, titles)


def pages_tell_what_help_tells(_):
    """Not only the options: each word of it is in the page."""
    for key in OPTIONS:
        name, *words = key.split()
        page = set(re.findall(r"\w+", re.sub(r"\\f[BIR]|\\\(\w\w|\\e", " ",
                                             read_page(name))))
        told = set(re.findall(r"\w+", ask(name, *words).partition("\n\n")[2]))
        # Headings, and marks of roff.
        missing = told - page - {"Help", "Options", "Application", "Examples",
                                 "Example", "Exit", "status", "Commands"}
        assert not missing, (key, missing)


def pages_name_pages_that_are_there(_):
    for name in PROGRAMS:
        others = re.findall(r"^\.BR (\S+) \(1\)",
                            read_section(read_page(name), "SEE ALSO"), re.MULTILINE)
        assert others, name
        for other in others:
            is_ours = other.startswith("pe-") and "pe-tag" in PROGRAMS
            assert not is_ours or other in PROGRAMS, (name, other)


def pages_have_no_warnings(_):
    tools = [tool for tool in (["mandoc", "-Tlint", "-Wwarning"],
                               ["groff", "-man", "-Tutf8", "-Kutf8", "-ww", "-z"])
             if shutil.which(tool[0])]
    if not tools:
        skip("there is no mandoc and no groff")
    for tool in tools:
        for name in PROGRAMS:
            done = subprocess.run([*tool, PAGES / f"{name}.1"], check=False,
                                  capture_output=True, text=True)
            said = [line for line in (done.stdout + done.stderr).splitlines()
                    if "missing date" not in line]  # so that builds are the same
            assert not said, (tool, said)


def complete(*words, folder=None):
    """What may stand in the place of the last word."""
    if not shutil.which("bash"):
        skip("there is no bash")
    done = subprocess.run(["bash", "--norc", "-c", COMPLETE, "bash", COMPLETION,
                           *words], cwd=folder, check=False, capture_output=True,
                          text=True)
    assert done.returncode == 0 and not done.stderr, (words, done)
    found = done.stdout.splitlines()
    found = [] if found == [""] else found
    assert len(found) == len(set(found)), (words, found)
    return set(found)


def every_program_has_completion(_):
    complete("pe-model", "")
    told = subprocess.run(["bash", "-c", f"source {COMPLETION}; complete -p"],
                          check=True, capture_output=True, text=True).stdout
    assert set(told.splitlines()) == {f"complete -o default -F _pe_complete {name}"
                                      for name in PROGRAMS}, told


def completes_options(_):
    for key, options in OPTIONS.items():
        assert complete(*key.split(), "-") == options, key
        assert complete("/usr/bin/" + key.split()[0], *key.split()[1:], "--v") == {
            option for option in options if option.startswith("--v")}, key


def completes_commands(folder):
    for name in PROGRAMS:
        words = set(WORDS.get(name, []) + [
            word for word in OWN.get(name, []) if f"{name} {word}" in OPTIONS])
        assert complete(name, "", folder=folder) == words, name
        assert complete(name, "x", "", folder=folder) == set(), name
    if "pe-live" in PROGRAMS:
        assert complete("pe-live", "ctl", "s", folder=folder) == {
            "set-labels", "search", "stats"}


def completes_words_and_nothing(folder):
    (folder / "a.pt").touch()
    for words, expected in (
            ("pe-model check --device ", "auto cpu cuda"),
            ("pe-model check -d cu", "cuda"),
            ("pe-model check --device = c", "cpu cuda"),
            ("pe-model check --device =", "auto cpu cuda"),
            ("pe-model convert -p ", "bf16 fp16 fp32"),
            ("pe-model convert --vision-only ", "a.pt"),
            ("pe-tag --format ", "jsonl vtt dump"),
            ("pe-search --export ", "csv json vtt edl otio npy"),
            ("pe-embed --batch ", ""),
            ("pe-embed -t a", "")):
        words = words.split(" ")
        if words[0] in PROGRAMS:
            found = complete(*words, folder=folder)
            assert found == set(expected.split()), (words, found)


def completes_files_that_fit(folder):
    for name in ("b16.pt", "B16.PT", "two words.safetensors", "a.mp4", "labels.json",
                 "notes.txt", "a.jpg", "*.pt"):
        (folder / name).touch()
    (folder / "folder").mkdir()
    models = {"b16.pt", "B16.PT", "two words.safetensors", "labels.json", "*.pt",
              "folder"}
    assert complete("pe-model", "inspect", "", folder=folder) == models
    assert complete("pe-model", "inspect", "two", folder=folder) == {
        "two words.safetensors"}
    if "pe-tag" not in PROGRAMS:
        return
    for words, expected in (
            (("pe-embed", "--model", ""), models),
            (("pe-embed", "--model", "=", "b"), {"b16.pt"}),
            (("pe-embed", "-v", ""), {"a.mp4", "folder"}),
            (("pe-embed", "-i", ""), {"a.jpg", "folder"}),
            (("pe-labels", "check", "l"), {"labels.json"}),
            (("pe-tag", "--out", ""), {"folder"}),
            (("pe-live", "--config", ""), {"labels.json", "folder"}),
            (("pe-live", "--http-token-file", "n"), {"notes.txt"}),
            (("pe-calibrate", "labels.json", "--positive", "a.jpg", "a"),
             {"a.jpg", "a.mp4"}),
            (("pe-calibrate", "--positive", "a.jpg", "--slope", ""),
             {"labels.json", "folder"}),
            (("pe-live", "--labels", ""), set())):
        found = complete(*words, folder=folder)
        assert found == expected, (words, found)


TESTS = [pages_have_the_options_of_help, pages_have_every_section,
         pages_tell_what_help_tells, pages_name_pages_that_are_there,
         pages_have_no_warnings, every_program_has_completion, completes_options,
         completes_commands, completes_words_and_nothing, completes_files_that_fit]


if __name__ == "__main__":
    sys.exit(run_tests(TESTS, Folder))
