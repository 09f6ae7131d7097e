#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""An archive of many made-up vectors in PostgreSQL with pgvector: how long the
load takes, of which the first is killed, and the index, and how many of the
nearest 20 behind a filter that one vector of a hundred passes are found, by the
index and by what pe-search does. The vectors are those of shots that differ, or
those of cameras that stay where they are. Needs numpy and a server
(tests/scale/postgres.py starts its own).

    bench/pgvector.py --pe-tag build/pipelines/pe-tag --rows 100000
    bench/pgvector.py --pe-tag build/pipelines/pe-tag --rows 50000 --cameras
"""

import argparse
import hashlib
import os
import pathlib
import sqlite3
import subprocess
import sys
import tempfile
import time

import numpy

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "scale"))
import postgres  # pylint: disable=wrong-import-position

DIM, TOP, N_QUERIES = 1024, 20, 50
OF_CONTENT = 500  # frames
AT_ONCE = 100 * OF_CONTENT  # rows in memory
INNER = 64  # dimensions in which shots differ; the rest is noise
OF_CAMERA = 2 * OF_CONTENT  # frames
EVENTS, OF_EVENT = 20, 5  # of a camera, and frames of one


def unit(x):
    return x / numpy.linalg.norm(x, axis=-1, keepdims=True)


def make_rows(rng, n, basis):
    """[n, DIM] f16: frames of shots, each like the one before."""
    shots = rng.standard_normal((n // 5 + 1, INNER)).repeat(5, axis=0)[:n]
    inner = shots + .3 * rng.standard_normal((n, INNER))
    noise = rng.standard_normal((n, DIM), numpy.float32) / DIM ** .5
    values = unit(inner.astype(numpy.float32) @ basis) + .5 * noise
    return unit(values).astype(numpy.float16)


def make_cameras(rng, n, things):
    """[n, DIM] f16: cameras one after the other, each nearly the same all day,
    but for the light and a few frames now and then that show one of the things."""
    rows = numpy.empty((n, DIM), numpy.float16)
    common = unit(things.sum(axis=0))
    for first in range(0, n, OF_CAMERA):
        part = min(OF_CAMERA, n - first)
        place, *light = unit(rng.standard_normal((4, DIM)))
        hours = 2 * numpy.pi * numpy.arange(part) / part
        waves = numpy.stack([numpy.sin(k * hours + rng.uniform(0, 6))
                             for k in (1, 2, 5)], axis=1)
        values = (.6 * common + .6 * place + .2 * waves @ light
                  + .1 * unit(rng.standard_normal((part, DIM))))
        for _ in range(EVENTS):
            start = rng.integers(part - OF_EVENT)
            values[start:start + OF_EVENT] += .3 * things[rng.integers(len(things))]
        rows[first:first + part] = unit(values)
    return rows


def make_texts(rng, things):
    """[N_QUERIES, DIM] f32: of the things, as far from pictures as texts are."""
    gap = unit(rng.standard_normal(DIM))
    own = unit(rng.standard_normal((N_QUERIES, DIM)))
    return unit(.3 * unit(things) + .9 * gap + .2 * own).astype(numpy.float32)


def make_near(rng, rows, basis):
    """[N_QUERIES, DIM] f32: near stored vectors."""
    picked = rng.choice(len(rows), N_QUERIES, replace=False)
    return unit(rows.take(picked) + .5 * unit(
        rng.standard_normal((N_QUERIES, INNER)) @ basis)).astype(numpy.float32)


def to_bytes(records):
    """Their numbers as the archive stores them."""
    return numpy.array(records, "<i8").tobytes()


def add_contents(run, rows, first_row):
    """Contents of OF_CONTENT frames each, from a row on."""
    for first in range(0, len(rows), OF_CONTENT):
        part = rows[first:first + OF_CONTENT]
        i = (first_row + first) // OF_CONTENT + 1
        camera = "gate" if i % 100 == 0 else "yard"
        run("INSERT INTO contents (id, key, settings, problem_at, duration,"
            " width, height, codec, first_row, n_rows, sum) VALUES (?, ?, 'few',"
            " -1, ?, 1, 1, 'H.264', ?, ?, ?)",
            (i, str(i), len(part) * 10 ** 9, first_row + first, len(part),
             hashlib.sha256(part.tobytes()).hexdigest()))
        run("INSERT INTO files VALUES (?, 1, 1, NULL, -1, NULL, ?)",
            (f"/video/{camera}/{i}.mkv", i))
        run("INSERT INTO frames VALUES (?, ?, ?)", (i, len(part), to_bytes(
            [(k * 10 ** 9, (k + 1) * 10 ** 9, 1) for k in range(len(part))])))
        run("INSERT INTO segments VALUES (?, x'', x'', x'')", (i,))


class Rows:
    """All of an archive, which may be more than fit into memory."""

    def __init__(self, folder, per_pack):
        self.packs = [numpy.memmap(pack, numpy.float16, "r").reshape(-1, DIM)
                      for pack in sorted(folder.glob("*.pack"))]
        self.per_pack = per_pack

    def __len__(self):
        return sum(map(len, self.packs))

    def take(self, numbers):
        """[len(numbers), DIM] f32"""
        return numpy.stack([self.packs[n // self.per_pack][n % self.per_pack]
                            for n in numbers]).astype(numpy.float32)


def make_archive(args, folder, rng, basis):
    """(folder of an archive, Rows)"""
    out = folder / "archive"
    subprocess.run([args.pe_tag, "-", "--out", out], check=True, input=b"",
                   stdout=subprocess.DEVNULL)
    database = sqlite3.connect(out / "index.sqlite")
    run = database.execute
    probe = unit(rng.standard_normal((1, DIM))).astype(numpy.float32)
    run("UPDATE facts SET number = ? WHERE name = 'dim'", (DIM,))
    run("UPDATE facts SET number = 1, bytes = ? WHERE name = 'probes'",
        (probe.tobytes(),))
    run("UPDATE facts SET text = 'made up' WHERE name = 'model'")
    run("UPDATE facts SET number = ? WHERE name = 'rows'", (args.rows,))
    per_pack = run("SELECT number FROM facts WHERE name = 'pack-rows'"
                   ).fetchone()[0]
    for first in range(0, args.rows, AT_ONCE):
        make = make_cameras if args.cameras else make_rows
        rows = make(rng, min(AT_ONCE, args.rows - first), basis)
        add_contents(run, rows, first)
        while len(rows) > 0:
            pack = out / "vectors" / f"{first // per_pack:06d}.pack"
            n = min(len(rows), per_pack - first % per_pack)
            with open(pack, "ab") as file:
                file.write(rows[:n].tobytes())
            rows, first = rows[n:], first + n
    database.commit()
    database.close()
    return out, Rows(out / "vectors", per_pack)


def literal(vector):
    return "[" + ",".join(f"{x:.9g}" for x in vector) + "]"


# As pipelines/postgres/nearest.c asks, and as it asked in strict_order.
STRICT = """SET hnsw.iterative_scan = strict_order;
SELECT array_agg("row") FROM (SELECT "row" FROM perception.frames
WHERE "row" <@ '{ranges}'::int8multirange
ORDER BY vector <#> '{query}'::vector::halfvec LIMIT {top}) f;"""
INDEX = """SET hnsw.iterative_scan = relaxed_order;
SELECT array_agg("row") FROM (SELECT "row" FROM (SELECT "row", vector
FROM perception.frames WHERE "row" <@ '{ranges}'::int8multirange
ORDER BY vector <#> '{query}'::vector::halfvec LIMIT {seen}) f
ORDER BY vector <#> '{query}'::vector::halfvec LIMIT {top}) f;"""
SEEN = 8192
LOOK_UP = """SELECT array_agg("row") FROM (SELECT "row"
FROM unnest('{ranges}'::int8multirange) AS r
JOIN perception.frames ON "row" >= lower(r) AND "row" < upper(r)
ORDER BY vector::vector <#> '{query}'::vector, "row" LIMIT {top}) f;"""
SETTINGS = """SET enable_seqscan = off;
SET hnsw.ef_search = 1000; SET hnsw.max_scan_tuples = 2147483647;"""


def ask(server, folder, statement, queries, ranges, seen):
    """(rows of each, seconds of each)"""
    script = folder / "ask.sql"
    script.write_text("SELECT '[1]'::halfvec;" + SETTINGS + "\n".join(
        statement.format(query=literal(q), ranges=ranges, top=TOP, seen=seen)
        for q in queries))
    start = time.monotonic()
    text = subprocess.run(
        [server.programs / "psql", "-X", "-q", "-A", "-t", "-d", server.uri(),
         "-f", script], check=True, capture_output=True, text=True).stdout
    took = (time.monotonic() - start) / len(queries)
    lines = text.split("\n")[1:len(queries) + 1]
    return [[int(x) for x in line.strip("{}").split(",")] for line in lines], took


def find_nearest(rows, queries, selected):
    """The TOP of each query, by products in single precision."""
    best = [[] for _ in queries]
    for first in range(0, len(selected), AT_ONCE):
        part = selected[first:first + AT_ONCE]
        products = queries @ rows.take(part).T
        for found, values in zip(best, products):
            order = numpy.argpartition(-values, TOP)[:TOP]
            found += [(-values[i], int(part[i])) for i in order]
    return [[row for _, row in sorted(found)[:TOP]] for found in best]


def measure(server, folder, queries, selection, statements):
    selected, ranges, truth, n = selection
    seen = max(TOP, SEEN * len(selected) // n)
    for name, statement in statements:
        ask(server, folder, statement, queries, ranges, seen)  # into memory
        found, took = ask(server, folder, statement, queries, ranges, seen)
        recall = numpy.mean([len(set(a) & set(b)) / TOP
                             for a, b in zip(found, truth)])
        missed = sum(b[0] not in a for a, b in zip(found, truth))
        least = min(map(len, found))
        print(f"| {len(selected)} of {n}, {name} | {recall:.4f} | "
              f"{missed} of {len(queries)} | {least} | {took * 1000:.1f} |",
              flush=True)


def select(rows, queries, part):
    """(rows, the same as ranges, the nearest, of how many)"""
    edges = numpy.flatnonzero(numpy.diff(part) != 1)
    firsts = [part[0], *part[edges + 1]]
    lasts = [*part[edges], part[-1]]
    ranges = "{" + ",".join(f"[{a},{b + 1})" for a, b in
                            zip(firsts, lasts)) + "}"
    return part, ranges, find_nearest(rows, queries, part), len(rows)


def load(args, server, archive):
    start = time.monotonic()
    text = subprocess.run(
        [args.pe_tag, "load", "--out", archive, "--index", server.uri(),
         "--no-hnsw"], check=True, capture_output=True, text=True).stdout
    print(f"{text.strip()}: {time.monotonic() - start:.0f} s", flush=True)


def count(server):
    """Frames; 0 before there are tables."""
    there = server.sql("SELECT count(*) FROM pg_tables WHERE schemaname = "
                       "'perception' AND tablename = 'contents'")
    return int(there) and int(server.sql(
        "SELECT coalesce(sum(n_rows), 0) FROM perception.contents"))


def load_and_kill(args, server, archive):
    """By SIGKILL, when more than a third of the frames are there."""
    start = time.monotonic()
    with subprocess.Popen(
            [args.pe_tag, "load", "--out", archive, "--index", server.uri(),
             "--no-hnsw"], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL) as program:
        while program.poll() is None and count(server) < args.rows / 3:
            time.sleep(1)
        assert program.poll() is None, "it has ended by itself"
        program.kill()
    print(f"killed with {count(server)} frames after "
          f"{time.monotonic() - start:.0f} s", flush=True)


def make_index(args, server):
    """False: not within the deadline."""
    start = time.monotonic()
    m, looked_at = args.hnsw.split(",")
    try:
        server.sql(f"SET statement_timeout = '{args.deadline}min'; CREATE INDEX "
                   "frames_by_vector ON perception.frames USING hnsw (vector "
                   f"halfvec_ip_ops) WITH (m = {m}, ef_construction = "
                   f"{looked_at})", patience=args.deadline * 60 + 60)
    except AssertionError as error:
        print(f"no index: {error}", flush=True)
        return False
    print(f"index ({args.hnsw}): {time.monotonic() - start:.0f} s", flush=True)
    print(server.sql(
        "SELECT 'table ' || pg_size_pretty(pg_table_size("
        "'perception.frames')) || ', index ' || pg_size_pretty("
        "pg_relation_size('perception.frames_by_vector'))"))
    return True


def run(args, folder):
    rng = numpy.random.default_rng(1)
    n = N_QUERIES if args.cameras else INNER
    basis = rng.standard_normal((n, DIM)).astype(numpy.float32)
    if args.cameras:
        basis = unit(basis)  # the things that they see
    archive, rows = make_archive(args, folder, rng, basis)
    queries = (make_texts(rng, basis) if args.cameras
               else make_near(rng, rows, basis))
    every = numpy.arange(args.rows)
    few = select(rows, queries, every[every // OF_CONTENT % 100 == 99])
    settings = ["shared_buffers=1GB", "max_wal_size=16GB",
                f"maintenance_work_mem={args.memory}"]
    place = folder / "server"
    place.mkdir()
    by_index = (("index, strict_order", STRICT), ("index", INDEX))
    by_all = ("all of the selection", LOOK_UP)
    with postgres.Server(place, settings) as server:
        load_and_kill(args, server, archive)
        load(args, server, archive)
        load(args, server, archive)
        print(f"\n| vectors that pass | recall@{TOP} | nearest "
              f"missed | fewest rows of {TOP} | ms a query |\n"
              "|---|---|---|---|---|", flush=True)
        measure(server, folder, queries, few, [by_all])
        if args.hnsw == "none" or not make_index(args, server):
            return
        measure(server, folder, queries, few, [*by_index, by_all])
        measure(server, folder, queries, select(rows, queries, every),
                [*by_index, by_all])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--pe-tag", required=True, type=pathlib.Path)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--cameras", action="store_true",
                        help="vectors of cameras that stay where they are")
    parser.add_argument("--memory", default="4GB",
                        help="maintenance_work_mem of the server")
    parser.add_argument("--hnsw", default="16,64", metavar="M,EF",
                        help="m and ef_construction of the index; none: no "
                             "index (default: those of pe-tag load)")
    parser.add_argument("--deadline", type=int, default=1440,
                        help="minutes that the index may take")
    parser.add_argument("--folder", help="where data goes (default: /tmp)")
    args = parser.parse_args()
    if args.rows < 100 * OF_CONTENT:
        parser.error(f"--rows must be at least {100 * OF_CONTENT}")
    args.pe_tag = args.pe_tag.resolve()
    os.umask(0o022)
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        os.chmod(folder, 0o755)
        run(args, pathlib.Path(folder))


if __name__ == "__main__":
    main()
