#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""How fast stored vectors are searched: bench/archive_scan.py [--rows N] BUILD

BUILD is the folder of the build. Runs its check_search --bench: one query beside
reading the same memory, eight beside one, 1 % of the rows beside all, and whether
every variant finds the best 100 that sums in double precision find. Then pe_search()
and the exact search of USearch (the Python packages usearch and numpy) take turns on
the same rows and threads, if they are there. Prints a table in Markdown.
"""

import argparse
import ctypes
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time

DIM, TOP, ROUNDS, POOL = 1024, 100, 21, 4096


class Rows(ctypes.Structure):
    _fields_ = [("values", ctypes.c_void_p), ("n", ctypes.c_size_t),
                ("dim", ctypes.c_int)]


class Search(ctypes.Structure):
    _fields_ = [("queries", ctypes.c_void_p), ("n_queries", ctypes.c_int),
                ("top_k", ctypes.c_int), ("selected", ctypes.c_void_p),
                ("n_selected", ctypes.c_size_t), ("n_threads", ctypes.c_int)]


class Hit(ctypes.Structure):
    _fields_ = [("row", ctypes.c_uint64), ("similarity", ctypes.c_float)]


def run_own(build, rows):
    """(measured, wanted) of each row of the table"""
    done = subprocess.run(
        [build / "tests" / "check_search", "--bench",
         str(rows * DIM * 2 / 2**30)], capture_output=True, text=True,
        check=False)
    if done.returncode:
        sys.exit(f"check_search --bench: {done.stderr}{done.stdout}")
    print(done.stdout, file=sys.stderr)
    n, n_variants = (int(re.search(r"(\d+) rows", done.stdout)[1]),
                     len(set(re.findall(r"variant (\d), query",
                                        done.stdout))))

    def find(words):
        return float(re.search(rf"([\d.]+) of {words}", done.stdout)[1])
    return n, [
        ("one query / reading", f"{find('reading'):.2f}", "1.3"),
        ("eight queries / one", f"{find('one'):.2f}", "1.8"),
        ("1 % of the rows / all", f"{find('all'):.3f}", "0.05"),
        ("variants with the same best 100 as double precision",
         f"all {n_variants} of this machine", "all")]


def make_rows(numpy, n):
    """Rows between two of a pool each, and eight queries."""
    random = numpy.random.default_rng(1)
    pool = random.standard_normal((POOL + 8, DIM), dtype=numpy.float32)
    pool /= numpy.linalg.norm(pool, axis=1, keepdims=True)
    pool, queries = pool[:POOL], pool[POOL:]
    rows = numpy.empty((n, DIM), dtype=numpy.float16)
    for start in range(0, n, POOL):
        x = .8 * pool + .6 * pool[start // POOL % POOL]
        x /= numpy.linalg.norm(x, axis=1, keepdims=True)
        rows[start:start + POOL] = x[:n - start]
    return rows, queries.astype(numpy.float16)


def compare_with_usearch(build, n_rows):
    try:
        import numpy
        import usearch
        from usearch.index import MetricKind, search
    except ImportError as error:
        yield "USearch, exact / pe_search()", f"skipped: {error}", "1.3"
        return
    n_threads = len(os.sched_getaffinity(0))
    library = ctypes.CDLL(str(build / "core" / "libpe-core-0.so.0"))
    rows, halves = make_rows(numpy, n_rows)
    queries = halves.astype(numpy.float32)  # USearch takes the rows' type only
    own_rows = Rows(rows.ctypes.data, n_rows, DIM)
    for n in 1, 8:
        hits, n_hits = (Hit * (TOP * n))(), (ctypes.c_int * n)()
        own = Search(queries.ctypes.data, n, TOP, None, 0, n_threads)
        ours, theirs = [], []
        for _ in range(ROUNDS):
            start = time.monotonic()
            library.pe_search(ctypes.byref(own_rows), ctypes.byref(own), hits,
                              n_hits)
            middle = time.monotonic()
            found = search(rows, halves[:n], TOP, MetricKind.IP, exact=True,
                           threads=n_threads)
            ours.append(middle - start)
            theirs.append(time.monotonic() - middle)
        ratio = statistics.median(b / a for a, b in zip(ours, theirs))
        keys = numpy.array(found.keys).reshape(n, TOP)
        same = sum(len({hit.row for hit in hits[q * TOP:(q + 1) * TOP]}
                       & set(map(int, keys[q]))) for q in range(n))
        yield (f"USearch {usearch.__version__}, exact / pe_search(), "
               f"{n} quer{'y' if n == 1 else 'ies'}",
               f"{ratio:.2f} ({statistics.median(theirs) * 1000:.0f} / "
               f"{statistics.median(ours) * 1000:.0f} ms; {same} of the best "
               f"{n * TOP} are the same)", "1.3")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--rows", type=int, default=1 << 20)
    options = parser.parse_args()
    build = options.build.resolve()
    n, table = run_own(build, options.rows)
    table += compare_with_usearch(build, n)
    print(f"{n} rows of {DIM} half floats, medians of {ROUNDS} rounds\n")
    print("| what | measured | wanted |\n|---|--:|--:|")
    for row in table:
        print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
