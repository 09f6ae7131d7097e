#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""An archive of many made-up vectors in PostgreSQL with pgvector: how long the
load and the index take, and how many of the nearest 20 behind a filter that one
vector of a hundred passes are found, by the index and by what pe-search does.
Needs numpy and a server (tests/scale/postgres.py starts its own).

    bench/pgvector.py --pe-tag build/pipelines/pe-tag --rows 100000
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
INNER = 64  # dimensions in which shots differ; the rest is noise


def unit(x):
    return x / numpy.linalg.norm(x, axis=-1, keepdims=True)


def make_rows(rng, n, basis):
    """[n, DIM] f16: frames of shots, each like the one before."""
    shots = rng.standard_normal((n // 5 + 1, INNER)).repeat(5, axis=0)[:n]
    inner = shots + .3 * rng.standard_normal((n, INNER))
    noise = rng.standard_normal((n, DIM)) / DIM ** .5
    return unit(unit(inner @ basis) + .5 * noise).astype(numpy.float16)


def make_archive(args, folder, rng, basis):
    """(folder of an archive, all its rows)"""
    out = folder / "archive"
    subprocess.run([args.pe_tag, "-", "--out", out], check=True, input=b"",
                   stdout=subprocess.DEVNULL)
    rows = make_rows(rng, args.rows, basis)
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
    for i, first in enumerate(range(0, args.rows, OF_CONTENT), 1):
        part = rows[first:first + OF_CONTENT]
        camera = "gate" if i % 100 == 0 else "yard"
        run("INSERT INTO contents VALUES (?, ?, NULL, 'few', NULL, -1, ?, 1, 1,"
            " 'H.264', ?, ?, ?, NULL)",
            (i, str(i), len(part) * 10 ** 9, first, len(part),
             hashlib.sha256(part.tobytes()).hexdigest()))
        run("INSERT INTO files VALUES (?, 1, 1, NULL, -1, NULL, ?)",
            (f"/video/{camera}/{i}.mkv", i))
        database.executemany(
            "INSERT INTO frames VALUES (?, ?, ?, ?, 1)",
            ((i, k, k * 10 ** 9, (k + 1) * 10 ** 9) for k in range(len(part))))
    database.commit()
    database.close()
    for number, first in enumerate(range(0, args.rows, per_pack)):
        pack = out / "vectors" / f"{number:06d}.pack"
        pack.write_bytes(rows[first:first + per_pack].tobytes())
    return out, rows


def literal(vector):
    return "[" + ",".join(f"{x:.9g}" for x in vector) + "]"


# As pipelines/postgres/nearest.c asks.
INDEX = """SELECT array_agg("row") FROM (SELECT "row" FROM perception.frames
WHERE "row" <@ '{ranges}'::int8multirange
ORDER BY vector <#> '{query}'::vector::halfvec LIMIT {top}) f;"""
LOOK_UP = """SELECT array_agg("row") FROM (SELECT "row"
FROM unnest('{ranges}'::int8multirange) AS r
JOIN perception.frames ON "row" >= lower(r) AND "row" < upper(r)
ORDER BY vector::vector <#> '{query}'::vector, "row" LIMIT {top}) f;"""
SETTINGS = """SET hnsw.iterative_scan = strict_order; SET enable_seqscan = off;
SET hnsw.ef_search = 1000; SET hnsw.max_scan_tuples = 2147483647;"""


def ask(server, folder, statement, queries, ranges):
    """(rows of each, seconds of each)"""
    script = folder / "ask.sql"
    script.write_text("SELECT '[1]'::halfvec;" + SETTINGS + "\n".join(
        statement.format(query=literal(q), ranges=ranges, top=TOP)
        for q in queries))
    start = time.monotonic()
    text = subprocess.run(
        [server.programs / "psql", "-X", "-q", "-A", "-t", "-d", server.uri(),
         "-f", script], check=True, capture_output=True, text=True).stdout
    took = (time.monotonic() - start) / len(queries)
    lines = text.split("\n")[1:len(queries) + 1]
    return [[int(x) for x in line.strip("{}").split(",")] for line in lines], took


def measure(server, folder, rows, queries, selected, ranges):
    values = rows[selected].astype(numpy.float32)
    order = numpy.argsort(-(queries @ values.T), axis=1)[:, :TOP]
    truth = [set(selected[i].tolist()) for i in order]
    for name, statement in (("index, strict_order", INDEX),
                            ("all of the selection", LOOK_UP)):
        ask(server, folder, statement, queries, ranges)  # into memory
        found, took = ask(server, folder, statement, queries, ranges)
        recall = numpy.mean([len(set(a) & b) / TOP
                             for a, b in zip(found, truth)])
        least = min(map(len, found))
        print(f"| {len(selected)} of {len(rows)}, {name} | {recall:.4f} | "
              f"{least} | {took * 1000:.1f} |", flush=True)


def load(args, server, archive, *more):
    start = time.monotonic()
    text = subprocess.run(
        [args.pe_tag, "load", "--out", archive, "--index", server.uri(), *more],
        check=True, capture_output=True, text=True).stdout
    print(f"{text.strip()}: {time.monotonic() - start:.0f} s", flush=True)


def run(args, folder):
    rng = numpy.random.default_rng(1)
    basis = rng.standard_normal((INNER, DIM)).astype(numpy.float32)
    archive, rows = make_archive(args, folder, rng, basis)
    picked = rng.choice(args.rows, N_QUERIES, replace=False)
    queries = unit(rows[picked].astype(numpy.float32) + .5 * unit(
        rng.standard_normal((N_QUERIES, INNER)) @ basis)).astype(numpy.float32)
    settings = ["shared_buffers=1GB", "max_wal_size=16GB",
                f"maintenance_work_mem={args.memory}"]
    place = folder / "server"
    place.mkdir()
    with postgres.Server(place, settings) as server:
        load(args, server, archive, "--no-hnsw")
        load(args, server, archive)
        print(server.sql(
            "SELECT 'table ' || pg_size_pretty(pg_table_size("
            "'perception.frames')) || ', index ' || pg_size_pretty("
            "pg_relation_size('perception.frames_by_vector'))"))
        print(f"\n| vectors that pass | recall@{TOP} | fewest rows of {TOP} | "
              "ms a query |\n|---|---|---|---|")
        every = numpy.arange(args.rows)
        for part in (every[every // OF_CONTENT % 100 == 99], every):
            edges = numpy.flatnonzero(numpy.diff(part) != 1)
            firsts = [part[0], *part[edges + 1]]
            lasts = [*part[edges], part[-1]]
            ranges = "{" + ",".join(f"[{a},{b + 1})" for a, b in
                                    zip(firsts, lasts)) + "}"
            measure(server, folder, rows, queries, part, ranges)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--pe-tag", required=True, type=pathlib.Path)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--memory", default="4GB",
                        help="maintenance_work_mem of the server")
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
