#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes the completion for bash: make_completion.py TEMPLATE PROGRAM... > SCRIPT

What can be completed is what each PROGRAM --help says, and the endings of files
below.
"""

import pathlib
import re
import sys

from program_help import read_helps

MODELS = ".pt .pth .bin .safetensors .json"
PICTURES = ".png .jpg .jpeg .gif .bmp .tif .tiff .pnm .ppm .webp .avif .heic"
VIDEOS = (".mp4 .m4v .mov .3gp .mkv .webm .avi .ts .mts .m2ts .mpg .mpeg .vob .flv "
          ".wmv .asf .ogv .mxf .dv .h264 .h265 .ivf")
LABELS = ".json .txt"
# Of an option that takes a FILE or PATH; others take any file.
ENDINGS = {
    "--model": MODELS, "--vocab": ".gz .txt .json", "--out": ".safetensors",
    "--image": PICTURES, "--picture": PICTURES, "--video": VIDEOS,
    "--positive": f"{PICTURES} {VIDEOS}", "--negative": f"{PICTURES} {VIDEOS}",
    "--labels": LABELS, "--labels-file": LABELS, "--config": ".json",
    "--classes": LABELS, "--templates": LABELS, "--html": ".html",
}
# What stands without an option.
ARGUMENTS = {
    "pe-model inspect": f"files {MODELS}", "pe-model convert": f"files {MODELS}",
    "pe-model check": f"files {MODELS}", "pe-labels": f"files {LABELS}",
    "pe-calibrate": "files .json", "pe-eval": "files .csv .json",
    "pe-tag": f"files {VIDEOS}", "pe-live": f"files {VIDEOS}",
    "pe-search serve": "folders",
}


def find_choices(meaning):
    """Of "auto, cpu, cuda or cuda:N (default auto)": auto, cpu, cuda."""
    meaning = re.sub(r" \(.*?\)| or \w+:N", "", meaning)
    found = re.search(r"\b\w+(?:, \w+)+(?: or \w+)?", meaning)
    return re.split(", | or ", found[0]) if found else []


def find_takes(long, placeholder, meaning):
    """What the option takes, as in completion.bash; "" for one that takes
    nothing.
    """
    if not placeholder:
        return ""
    if placeholder == "DIR":
        return "folders"
    if placeholder.startswith(("FILE", "PATH")):
        kind = "lists" if placeholder.endswith("...") else "files"
        return f"{kind} {ENDINGS.get(long, '*')}"
    choices = (find_choices(meaning) if placeholder in ("D", "P", "F", "FORMAT")
               else [])
    return " ".join(["words", *choices]) if choices else "nothing"


def describe(program_help):
    key = program_help.name
    names = [name for option in program_help.options for name in option[:2] if name]
    yield f"_pe_options['{key}']='{' '.join(names)}'"
    if program_help.commands:
        yield f"_pe_commands['{key}']='{' '.join(program_help.commands)}'"
    if key in ARGUMENTS:
        yield f"_pe_takes['{key}']='{ARGUMENTS[key]}'"
    for short, long, placeholder, meaning in program_help.options:
        takes = find_takes(long, placeholder, meaning)
        for name in (short, long):
            if takes and name:
                yield f"_pe_takes['{key} {name}']='{takes}'"


def main():
    print(pathlib.Path(sys.argv[1]).read_text())
    for program in sys.argv[2:]:
        for program_help in read_helps(program):
            print(*describe(program_help), sep="\n")
        print(f"complete -o default -F _pe_complete {pathlib.Path(program).name}\n")


if __name__ == "__main__":
    main()
