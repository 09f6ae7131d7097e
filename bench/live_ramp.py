#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""How many cameras one device follows: bench/live_ramp.py PE_LIVE

Cameras send 1080p by RTSP (one server, which all connect to). Each stream is cut
into chunks of 10 s, of which 8 pictures are embedded. The number of streams rises
from step to step; in each, it is measured how long after the last picture of a chunk
its embedding is there: p50, p95 and the largest. The ramp ends when p95 is more than
--limit, or when chunks are missing. For instance

    bench/live_ramp.py build/pipelines/pe-live --device cuda --model MODEL \\
        --streams 10,50,100,150,170,200 --json ramp.json

On one machine the server and the decoders of all streams share its cores; figures
of CPUs say as much about these as about the model.
"""

import argparse
import json
import pathlib
import platform
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path += [str(ROOT / "tests" / "pipelines"), str(ROOT / "tests" / "support")]
from camera import Camera  # noqa: E402
from live import live, percentile, to_seconds  # noqa: E402
from tap import Skipped  # noqa: E402

SETTLE = 1.5  # chunks that are not counted, after streams were added


def parse(args):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--streams", default="1,2,4,8",
                        help="steps of the ramp (default 1,2,4,8)")
    parser.add_argument("--chunks", type=int, default=6,
                        help="of each stream in a step (default 6)")
    parser.add_argument("--chunk", type=float, default=10, help="s")
    parser.add_argument("--frames", type=int, default=8, help="of a chunk")
    parser.add_argument("--size", default="1920x1080", help="of a picture")
    parser.add_argument("--rate", type=int, default=25, help="pictures a second")
    parser.add_argument("--limit", type=float, default=10, help="of p95, s")
    parser.add_argument("--device")
    parser.add_argument("--model")
    parser.add_argument("--precision")
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args(args)
    options.streams = [int(n) for n in options.streams.split(",")]
    return options


def start_program(options):
    extra = [word for key in ("device", "model", "precision")
             for word in ("--" + key, getattr(options, key))
             if getattr(options, key)]
    rate = round(1000 * options.frames / options.chunk)
    return live(options.program, *extra, "--set", f"frame-rate={rate}/1000",
                "--set", f"clip-length={options.frames}", "--set",
                "max-gap=%d" % (3000 * options.chunk / options.frames),
                "--set", "watchdog=30")


def measure(program, options, n):
    """What a step of the ramp showed."""
    time.sleep(SETTLE * options.chunk)
    mark, begin = program.mark(), time.monotonic()
    time.sleep(options.chunks * options.chunk)
    seconds = time.monotonic() - begin
    with program.changed:
        lines = program.lines[mark:]
    clips = [line for line in lines if line["type"] == "clip"
             and not line["clip"]["partial"]]
    # A clip ends when its last picture has been shown.
    offset = time.time() - time.monotonic() + 1 / options.rate
    ages = [line["arrived"] + offset - to_seconds(line["clip"]["wall-end"])
            for line in clips]
    stats = program.ask({"command": "stats"})
    element = stats["streams"][0].get("peinference", {})
    return {
        "streams": n,
        "running": stats["totals"]["running"],
        "chunks": len(clips),
        "expected": round(n * seconds / options.chunk),
        "p50": percentile(ages, 50) if ages else None,
        "p95": percentile(ages, 95) if ages else None,
        "max": max(ages, default=None),
        "batch-fill": element.get("batch-fill"),
        "device": element.get("device"),
        "precision": element.get("precision"),
    }


def is_over(options, step):
    return (step["chunks"] < 0.95 * step["expected"] - step["streams"] or
            step["p95"] is None or step["p95"] > options.limit)


def ramp(program, options, uri):
    steps = []
    for n in options.streams:
        while len(program.ask({"command": "list"})["streams"]) < n:
            answer = program.ask({"command": "add", "uri": uri})
            assert answer["ok"], answer
            time.sleep(options.chunk / max(options.streams) / 2)
        steps.append(measure(program, options, n))
        print("%(streams)5d streams: %(chunks)5d of %(expected)5d chunks, p50 "
              "%(p50)s s, p95 %(p95)s s, max %(max)s s" % {
                  key: f"{x:.2f}" if isinstance(x, float) else x
                  for key, x in steps[-1].items()}, flush=True)
        if is_over(options, steps[-1]):
            break
    return steps


def main():
    options = parse(sys.argv[1:])
    try:
        camera = Camera("good", options.size, options.rate)
    except Skipped as why:
        print(f"not here: {why}")
        return 77
    try:
        with start_program(options) as program:
            program.wait_socket()
            steps = ramp(program, options, camera.uri())
            program.end()
    finally:
        camera.kill()
    report = {"machine": platform.processor() or platform.machine(),
              "size": options.size, "rate": options.rate,
              "chunk": options.chunk, "frames": options.frames, "steps": steps}
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n",
                                encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
