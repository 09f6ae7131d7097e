#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What pe-tag needs of a machine, foretold: bench/capacity.py [--workers 1,2,4] BUILD

Simulates queues: frames or files that arrive, batches with measured times, and workers
that share cores. `simulate_*` know nothing of pe-tag and have tests of their own
(tests/scale/check_capacity.py).

The costs are those of files of other lengths than it predicts for: a run of one
worker over short and one of it over long files give what a start, a file and a second
of video cost, in seconds of one core and by the clock, and twice as many workers as
there are cores tell how much of these they get. From that it foretells how long 1, 2
and 4 shards of a list of files take on this machine, then measures it, and prints both.
Nothing else should run.
"""

import argparse
import heapq
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time


# ---- Queues -----------------------------------------------------------------

def simulate_queue(arrivals, services, servers=1):
    """First come, first served. The times (begin, end) of each, in order.

    arrivals  in ascending order, s
    services  how long each takes, s
    """
    free = [0.0] * servers
    times = []
    for arrival, service in zip(arrivals, services):
        begin = max(arrival, heapq.heappop(free))
        heapq.heappush(free, begin + service)
        times.append((begin, begin + service))
    return times


def simulate_batches(arrivals, seconds, most):
    """One device that takes all that wait, up to `most`. The end of each, in order.

    arrivals  in ascending order, s
    seconds   function: how long a batch of n takes
    """
    ends, now, i = [], 0.0, 0
    while i < len(arrivals):
        now = max(now, arrivals[i])
        n = 1
        while n < most and i + n < len(arrivals) and arrivals[i + n] <= now:
            n += 1
        now += seconds(n)
        ends += [now] * n
        i += n
    return ends


def share(widths, cores):
    """Of each of those who want so many cores, how many it gets: as many as the
    others, but none more than it wants."""
    gets, left = {}, cores
    for n, (width, key) in enumerate(sorted((w, k) for k, w in widths.items())):
        gets[key] = min(width, left / (len(widths) - n))
        left -= gets[key]
    return gets


def simulate_sharing(workers, cores):
    """Workers on one machine. When each has ended, s.

    workers  a list for each of what it does, one after the other:
             (work, width): seconds of one core, on at most so many cores at a time
    """
    queues = [list(reversed(tasks)) for tasks in workers]
    left = {k: queue.pop() for k, queue in enumerate(queues) if queue}
    ends, now = [0.0] * len(workers), 0.0
    while left:
        gets = share({k: width for k, (_, width) in left.items()}, cores)
        step = min(work / gets[k] for k, (work, _) in left.items())
        now += step
        for k, (work, width) in list(left.items()):
            rest = work - step * gets[k]
            if rest > 1e-9 * max(1.0, work):
                left[k] = rest, width
            elif queues[k]:
                left[k] = queues[k].pop()
            else:
                ends[k] = now
                del left[k]
    return ends


# ---- Files ------------------------------------------------------------------

CALIBRATION = ((6, 4), (30, 2))  # seconds of a file, and how many such files
LENGTHS = (32, 24, 19, 16, 14, 12, 11, 10, 9, 8, 8, 7)  # of what is foretold


def make_video(path, seconds, size):
    width, height = size.split("x")
    subprocess.run(
        ["gst-launch-1.0", "-q", "videotestsrc",
         "pattern=smpte", "horizontal-speed=3", f"num-buffers={seconds * 25}", "!",
         f"video/x-raw,format=I420,width={width},height={height},framerate=25/1",
         "!", "x264enc", "key-int-max=50", "speed-preset=veryfast", "!",
         "h264parse", "!", "taginject", f"tags=title=\"video-{path.parent.name}-{path.stem}\"", "!", "mp4mux",
         "!", "filesink", f"location={path}"],
        check=True, stdout=subprocess.DEVNULL)


def make_videos(folder, lengths, size):
    folder.mkdir()
    for number, seconds in enumerate(lengths):
        make_video(folder / f"{number:02}.mp4", seconds, size)
    return folder


# ---- Runs -------------------------------------------------------------------

def run_workers(options, folder, lists):
    """pe-tag for each of the lists of arguments, at once. What they took: by the
    clock, and of the processors, s."""
    before, start = os.times(), time.monotonic()
    with tempfile.TemporaryDirectory(dir=folder) as out:
        workers = [subprocess.Popen(
            [options.program, "--jobs", "1", "--threads", "1", *options.arguments,
             *map(str, arguments), "--out", f"{out}/{number}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            for number, arguments in enumerate(lists)]
        if any([worker.wait() for worker in workers]):
            sys.exit("pe-tag has failed")
        wall = time.monotonic() - start
    after = os.times()
    return wall, (after.children_user + after.children_system -
                  before.children_user - before.children_system)


def count_cores(options, folder):
    """How many cores this machine gives to workers that want more than it has, beside
    what else runs."""
    n = 2 * len(os.sched_getaffinity(0))
    wall, work = run_workers(options, folder, [[options.sets[0]]] * n)
    return work / wall


def solve(points):
    """a and b of a + b x = y by two points (x, y)."""
    (x0, y0), (x1, y1) = points
    b = (y1 - y0) / (x1 - x0)
    return y0 - b * x0, b


def calibrate(options, folder, sets):
    """Of one worker: what a start, a file and a second of video cost, each as
    (work, seconds by the clock)."""
    start = run_workers(options, folder, [["-"]])
    costs = []
    for k in range(2):  # by the clock, of the processors
        points = []
        for videos, (seconds, n) in zip(sets, CALIBRATION):
            took = run_workers(options, folder, [[videos]])[k] - start[k]
            points.append((seconds, took / n))
        costs.append(solve(points))
    (file_wall, second_wall), (file_cpu, second_cpu) = costs
    return {"start": (start[1], start[0]), "file": (file_cpu, file_wall),
            "second": (second_cpu, second_wall)}


def foretell(costs, shards, cores):
    """How long shards, lists of lengths, take on a machine, s."""
    def task(work, wall):
        return (max(work, 1e-6), min(max(work / max(wall, 1e-6), 0.05), cores))

    def tasks(lengths):
        (file_cpu, file_wall), (cpu, wall) = costs["file"], costs["second"]
        return [task(*costs["start"])] + [
            task(file_cpu + cpu * v, file_wall + wall * v) for v in lengths]
    return max(simulate_sharing([tasks(lengths) for lengths in shards], cores))


def deal(n_shards, videos, lengths):
    """As pe-tag plan deals: the next longest to who has the least bytes."""
    sizes = [path.stat().st_size for path in sorted(videos.iterdir())]
    shards, loads = [[] for _ in range(n_shards)], [0] * n_shards
    for i in sorted(range(len(sizes)), key=lambda i: -sizes[i]):
        k = loads.index(min(loads))
        shards[k].append(lengths[i])
        loads[k] += sizes[i]
    return shards


def compare(options, folder):
    """Rows (workers, foretold, measured) of one round."""
    cores = count_cores(options, folder)
    costs = calibrate(options, folder, options.sets)
    print(f"cores {cores:.2f}; core seconds (by the clock): " + "; ".join(
        f"{name} {work:.3f} ({wall:.3f})" for name, (work, wall) in costs.items()),
        flush=True)
    rows = []
    for n in options.workers:
        shards = deal(n, options.videos, LENGTHS)
        lists = [["--list", options.plan, "--shard", f"{i}/{n}"] for i in range(n)]
        wall, _ = run_workers(options, folder, lists)
        rows.append((n, foretell(costs, shards, cores), wall))
        print(f"{n} workers: foretold {rows[-1][1]:.1f} s, measured {wall:.1f} s",
              flush=True)
    return rows


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--workers", default="1,2,4")
    parser.add_argument("--size", default="1280x720", help="of the videos")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--in", dest="folder", help="where to make the videos")
    parser.add_argument("arguments", nargs="*", help="more for pe-tag, behind --")
    options = parser.parse_args()
    options.workers = [int(n) for n in options.workers.split(",")]
    options.program = str(options.build.resolve() / "pipelines" / "pe-tag")
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = pathlib.Path(name)
        options.sets = [make_videos(folder / f"calibration-{seconds}", [seconds] * n,
                                    options.size) for seconds, n in CALIBRATION]
        options.videos = make_videos(folder / "videos", LENGTHS, options.size)
        options.plan = folder / "plan.tsv"
        with open(options.plan, "w", encoding="utf-8") as plan:
            subprocess.run([options.program, "plan", str(options.videos)],
                           check=True, stdout=plan)
        rows = [row for _ in range(options.rounds)
                for row in compare(options, folder)]
    total = sum(LENGTHS)
    print(f"\n{len(LENGTHS)} videos of {total} s, {options.size}, medians of "
          f"{options.rounds} rounds\n\n| workers | foretold | measured | x real time "
          "| foretold / measured | wanted |\n|--:|--:|--:|--:|--:|--:|")
    for n in options.workers:
        told = statistics.median(row[1] for row in rows if row[0] == n)
        wall = statistics.median(row[2] for row in rows if row[0] == n)
        ratio = statistics.median(row[1] / row[2] for row in rows if row[0] == n)
        print(f"| {n} | {told:.1f} s | {wall:.1f} s | {total / wall:.1f} | "
              f"{ratio:.3f} | 0.9 to 1.1 |")


if __name__ == "__main__":
    main()
