#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Are known moments found? bench/archive_truth.py PE_TAG PE_SEARCH

A library of --files videos of every kind that tests/archive/make_archive.py makes,
with the demo clip's scenes at known times, is tagged twice (all, and key frames
alone), and searched by text: each scene in its own file, each label in the whole
library, and things that are nowhere in it. Prints tables in Markdown.
"""

import argparse
import collections
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "archive"))
import make_archive  # noqa: E402

LABELS = ROOT / "models" / "demo" / "labels" / "demo.json"
N_SCENES, SLACK = 3, .5  # in a file; s that a scene's ends may be off
# What the demo model has never seen, and what it knows but is not shown here.
UNKNOWN = (
    "a dog", "a cat on a sofa", "a person riding a bicycle", "an airplane",
    "fireworks", "a crowd of people", "a factory", "a kitchen", "a horse",
    "a slice of pizza", "a guitar", "an elephant", "a telephone", "a newspaper",
    "a birthday cake", "a man with a hat", "a computer keyboard", "a waterfall",
    "a violin", "a surgeon at work")
KNOWN = (
    "a blue square", "a green triangle", "two yellow hearts", "a purple cross",
    "an orange ring", "four green circles", "a pink crescent", "a road with cars",
    "a yellow star", "a beach", "mountains", "a desert", "a living room",
    "a football pitch", "a purple heart", "four red squares", "a checkerboard",
    "static noise", "rain", "falling snow")
# The same, of which no choice in pe-search has ever been made.
UNKNOWN_HELD_OUT = (
    "a wedding", "a bus stop", "an umbrella", "a swimming pool", "a helicopter",
    "a glass of wine", "a teddy bear", "a zebra crossing", "a fire engine",
    "a library", "a frog", "a spider web", "a washing machine", "a lighthouse",
    "a tractor", "a penguin", "a chess player", "a carpet", "a bowl of soup",
    "a hammer")
KNOWN_HELD_OUT = (
    "sand dunes", "a soccer field", "high mountains", "the seaside",
    "a purple star", "two red squares", "a green ring", "a yellow crescent",
    "a white heart", "four orange triangles", "a grey ramp", "a grid of lines",
    "a pinwheel pattern", "a torn picture", "a covered lens", "a blocky picture",
    "a zone plate", "a rolling picture", "a white screen",
    "an over-exposed picture")
# What the scenes of these names show besides (models/train/make_demo.py).
BEHIND = {
    "a forest": "fog", "woods": "fog", "many trees": "fog",
    "a railway": "an upside-down picture", "a railroad": "an upside-down picture",
    "train tracks": "an upside-down picture",
    "a city skyline": "a view at night", "tall buildings": "a view at night",
    "skyscrapers in a city": "a view at night",
    "a bridge": "an out of focus picture",
    "a stone bridge": "an out of focus picture",
    "an arched bridge": "an out of focus picture"}


def run(*args):
    done = subprocess.run([str(arg) for arg in args], capture_output=True,
                          check=False)
    if done.returncode:
        sys.exit(f"{args}: {done.stderr.decode(errors='replace')}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def make_library(folder, options):
    """(rows of file, kind, start, end and label; kinds that cannot be made)"""
    rng, scenes = random.Random(options.seed), make_archive.read_scenes()
    every = make_archive.KINDS | make_archive.RARE_KINDS
    kinds = [kind for kind in every if make_archive.has_elements(kind)]
    rows = []
    for i in range(options.files):
        kind = kinds[i % len(kinds)]
        path = f"{folder}/{i:03}.{kind}"
        # Key frames come every 5 s.
        parts = [(label, rng.choice((5, 10)))
                 for label in rng.sample(sorted(scenes), N_SCENES)]
        for start, end, label in make_archive.write_video(path, parts, scenes,
                                                          kind):
            rows.append({"name": path, "kind": kind, "start": start, "end": end,
                         "label": label})
    return rows, sorted(set(every) - set(kinds))


def overlap(a, b):
    both = min(a["end"], b["end"]) - max(a["start"], b["start"])
    return max(both, 0) / (max(a["end"], b["end"]) - min(a["start"], b["start"]))


def is_right(moment, rows, label):
    return any(row["name"] == moment["name"] and row["label"] == label
               and overlap(row, moment) >= .5 for row in rows)


def tag(program, index, folder, *more):
    lines = run(program, folder, "--out", index, "--labels", LABELS, "--json",
                *more)
    return {line["name"]: line for line in lines if line["type"] == "file"}


def count_scenes(rows, files):
    """kind -> scenes that are a segment of their own with the right label"""
    right = collections.Counter()
    for row in rows:
        right[row["kind"]] += any(
            s["labels"][0]["label"] == row["label"]
            and abs(s["start"] - row["start"]) <= SLACK
            and abs(s["end"] - row["end"]) <= SLACK
            for s in files[row["name"]].get("segments", []))
    return right


class Search:
    def __init__(self, program, index):
        self.program, self.index, self.n_overlaps = program, index, 0

    def find(self, text, *more):
        moments = run(self.program, "-a", self.index, "--json", *more, "--",
                      text)[:-1]
        self.n_overlaps += sum(
            a["name"] == b["name"] and overlap(a, b) > 0
            for i, a in enumerate(moments) for b in moments[:i])
        return moments


def percent(n, of):
    return f"{n} of {of} ({100 * n / of:.1f} %)"


def print_kinds(rows, tables):
    total = collections.Counter(row["kind"] for row in rows)
    print("| kind | scenes | tagged right | by key frames | first hit | "
          "among the first five |")
    print("|---|--:|--:|--:|--:|--:|")
    for kind, n in total.items():
        print(f"| {kind} | {n} | "
              + " | ".join(str(table[kind]) for table in tables) + " |")
    print(f"| all | {len(rows)} | " + " | ".join(
        f"{100 * sum(table.values()) / len(rows):.1f} %" for table in tables)
        + " |\n")


def print_totals(search, rows):
    labels = sorted({row["label"] for row in rows})
    hits = {label: search.find(label, "--top", "5") for label in labels}
    right = {label: [is_right(m, rows, label) for m in moments]
             for label, moments in hits.items()}
    every = [(m, label) for label in labels
             for m in search.find(label, "--top", "1000")]
    n_right = sum(is_right(m, rows, label) for m, label in every)
    n_found = sum(any(label == row["label"] and is_right(m, [row], label)
                      for m, label in every) for row in rows)
    print("| in the whole library | measured | wanted |\n|---|--:|--:|")
    print("| first hit right |", percent(
        sum(r[:1] == [True] for r in right.values()), len(labels)), "| 90 % |")
    print("| right one among the first five |", percent(
        sum(map(any, right.values())), len(labels)), "| 98 % |")
    print("| right ones of all hits |", percent(n_right, len(every)), "| |")
    print("| scenes that are among all hits |", percent(n_found, len(rows)),
          "| |")
    behind = {text: search.find(text, "--top", "1")
              for text, label in BEHIND.items() if label in labels}
    n_behind = sum(is_right(moments[0], rows, BEHIND[text])
                   for text, moments in behind.items() if moments)
    if behind:
        print("| first hit right for what scenes show besides their names |",
              percent(n_behind, len(behind)), "| |")
    wrong = {}
    for name, texts in (("never seen by the model", UNKNOWN),
                        ("known to the model", KNOWN),
                        ("never seen, held out", UNKNOWN_HELD_OUT),
                        ("known, held out", KNOWN_HELD_OUT)):
        wrong[name] = [text for text in texts if search.find(text)]
        print(f"| `no match` for what is absent and {name} |", percent(
            len(texts) - len(wrong[name]), len(texts)), "| 95 % |")
    print(f"| overlapping hits of one file | {search.n_overlaps} | 0 |\n")
    for name, texts in wrong.items():
        print(f"Found though absent ({name}): {', '.join(texts) or 'nothing'}.")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("pe_tag")
    parser.add_argument("pe_search")
    parser.add_argument("--files", type=int, default=42)
    parser.add_argument("--seed", type=int, default=2026)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as out:
        os.environ["XDG_STATE_HOME"] = out + "/state"
        library = out + "/library"
        os.mkdir(library)
        rows, missing = make_library(library, options)
        print(f"{options.files} files, {len(rows)} scenes; kinds without an "
              f"encoder here: {', '.join(missing) or 'none'}\n", flush=True)
        files = tag(options.pe_tag, out + "/index", library)
        keys = tag(options.pe_tag, out + "/keys", library, "--keyframes-only")
        search = Search(options.pe_search, out + "/index")
        first, five = collections.Counter(), collections.Counter()
        for row in rows:
            right = [is_right(m, [row], row["label"]) for m in search.find(
                row["label"], "--in", row["name"], "--top", "5")]
            first[row["kind"]] += right[:1] == [True]
            five[row["kind"]] += any(right)
        print_kinds(rows, [count_scenes(rows, files), count_scenes(rows, keys),
                           first, five])
        print_totals(search, rows)


if __name__ == "__main__":
    main()
