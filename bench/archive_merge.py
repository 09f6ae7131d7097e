#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""How long pe-tag merge takes beside cp: bench/archive_merge.py [--in DIR] BUILD

BUILD is the folder of the build. Makes 16 archives of 62,500 vectors of 1024 values:
in each, 125 videos of 500 stored frames, with a segment for every ten (--per-segment),
which has a thumbnail of 2 kB and five labels (--labels). Their files alternate in the order of names. Then cp
of their folders and pe-tag merge of them take turns, each followed by a sync of the
file system. Prints the median of the ratios, and what pe-tag verify says of the merged
archive. DIR needs room for three times 2.3 GB.
"""

import argparse
import hashlib
import pathlib
import random
import shutil
import sqlite3
import statistics
import struct
import subprocess
import sys
import tempfile
import time

SHARDS, CONTENTS, FRAMES, DIM = 16, 125, 500, 1024
THUMBNAIL = 2000
PIECE = 64  # segments whose thumbnails are one piece


def make_template(pe_tag, folder):
    """An archive of no file, with the tables of this version."""
    subprocess.run([pe_tag, "-", "--out", folder], check=True,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def set_facts(db):
    one = struct.pack("<f", 1) + bytes(4 * (DIM - 1))
    db.execute("UPDATE facts SET number = ? WHERE name = 'dim'", (DIM,))
    db.execute("UPDATE facts SET number = 1, bytes = ? WHERE name = 'probes'",
               (one,))
    db.execute("UPDATE facts SET number = ? WHERE name = 'rows'",
               (CONTENTS * FRAMES,))


def to_bytes(records):
    """Their numbers as the archive stores them."""
    return b"".join(struct.pack("<q", value) if isinstance(value, int)
                    else struct.pack("<d", value)
                    for record in records for value in record)


def add_segments(db, rng, options, content):
    n, each = FRAMES // options.per_segment, options.per_segment
    segments = [(i * each, each, i * each * 10**9, (i + 1) * each * 10**9, i * each,
                 THUMBNAIL) for i in range(n)]
    labels = []
    for i in range(n):
        scores = sorted((rng.random() for _ in range(options.labels)), reverse=True)
        labels += [(i, label, score) for label, score in
                   zip(rng.sample(range(40), options.labels), scores)]
    db.execute("INSERT INTO segments VALUES (?, ?, ?, ?)",
               (content + 1, to_bytes(segments),
                b"".join(b"label %02d\0" % i for i in range(40)), to_bytes(labels)))
    for i in range(0, n, PIECE):
        db.execute("INSERT INTO thumbnails VALUES (?, ?, ?)", (
            content + 1, i // PIECE, rng.randbytes(THUMBNAIL * min(PIECE, n - i))))


def add_content(db, rng, options, number, content, rows):
    """Of a shard: its frames and segments, and a file that has it."""
    name = f"/videos/{content:04d}-{number:02d}.mp4"
    key = hashlib.sha256(name.encode()).hexdigest()
    db.execute("INSERT INTO contents VALUES (?, ?, NULL, '2/1', NULL, -1, ?, 1920,"
               " 1080, 'H.264', ?, ?, ?, 'set')",
               (content + 1, key, FRAMES * 10**9, content * FRAMES, FRAMES,
                hashlib.sha256(rows).hexdigest()))
    db.execute("INSERT INTO files VALUES (?, 1, 1, NULL, -1, NULL, ?)",
               (name, content + 1))
    db.execute("INSERT INTO frames VALUES (?, ?, ?)",
               (content + 1, 2 * FRAMES,
                to_bytes((i * 10**9, (i + 1) * 10**9, 2) for i in range(FRAMES))))
    add_segments(db, rng, options, content)


def make_shard(template, folder, options, number):
    shutil.copytree(template, folder)
    rng = random.Random(number)
    db = sqlite3.connect(folder / "index.sqlite")
    set_facts(db)
    with open(folder / "vectors" / "000000.pack", "wb") as pack:
        for content in range(CONTENTS):
            rows = rng.randbytes(FRAMES * DIM * 2)
            pack.write(rows)
            add_content(db, rng, options, number, content, rows)
    db.commit()
    db.close()


def take_time(folder, args):
    start = time.monotonic()
    subprocess.run([*map(str, args)], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["sync", "-f", folder], check=True)
    return time.monotonic() - start


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--in", dest="folder", help="where to make them")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--per-segment", type=int, default=10)
    parser.add_argument("--labels", type=int, default=5)
    options = parser.parse_args()
    pe_tag = options.build.resolve() / "pipelines" / "pe-tag"
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = pathlib.Path(name)
        make_template(pe_tag, folder / "template")
        shards = [folder / f"shard-{i:02d}" for i in range(SHARDS)]
        for number, shard in enumerate(shards):
            make_shard(folder / "template", shard, options, number)
        subprocess.run(["sync", "-f", folder], check=True)
        times = []
        for i in range(options.rounds):
            shutil.rmtree(folder / "copy", ignore_errors=True)
            shutil.rmtree(folder / "merged", ignore_errors=True)
            (folder / "copy").mkdir()
            copied = take_time(folder, ["cp", "-r", *shards, folder / "copy"])
            merged = take_time(folder, [pe_tag, "merge", *shards, "--out",
                                        folder / "merged"])
            times.append((copied, merged))
            print(f"round {i + 1}: cp {copied:.2f} s, merge {merged:.2f} s, "
                  f"{merged / copied:.2f}", file=sys.stderr)
        verdict = subprocess.run([pe_tag, "verify", "--out", folder / "merged"],
                                 capture_output=True, text=True, check=False)
        size = sum(path.stat().st_size for shard in shards
                   for path in shard.rglob("*") if path.is_file())
    print(f"{SHARDS} archives of {CONTENTS * FRAMES} vectors of {DIM} values, "
          f"a segment for every {options.per_segment}, {options.labels} labels "
          f"each, {size / 1e9:.2f} GB; pe-tag verify: {verdict.stdout.strip()}\n")
    ratio = statistics.median(merged / copied for copied, merged in times)
    print("| what | measured | wanted |\n|---|--:|--:|")
    print(f"| merge / cp, median of {options.rounds} | {ratio:.2f} | 1.5 |")


if __name__ == "__main__":
    main()
