#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What tests/gpu/run has measured, as short tables: table.py FILE

FILE is the JSON of tests/gpu/state.py, whole or in parts.
"""

import collections
import csv
import json
import pathlib
import re
import sys

import decisions

PREPROCESS_US = 10


def read_kernels(path):
    """What ncu wrote as CSV behind other lines -> kernel -> [us, launches]."""
    found = collections.defaultdict(lambda: [0, 0])
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return {}
    for row in csv.DictReader(x for x in lines if x.startswith('"')):
        unit = row.get("Metric Unit", "")
        scale = {"n": 1e-3, "u": 1, "m": 1e3, "s": 1e6}.get(unit[:1])
        if not scale or row["Metric Name"] != "gpu__time_duration.sum":
            continue
        name = re.sub(r"^void |[<(].*", "", row["Kernel Name"])[:80]
        found[name][0] += float(row["Metric Value"].replace(",", "")) * scale
        found[name][1] += 1
    return dict(found)


def cell(value, digits):
    return f"{value:10.{digits}f}" if value is not None else "         -"


def print_steps(data):
    print("\nsteps")
    for step in data["steps"]:
        reason = f" ({step['reason']})" if step["reason"] else ""
        print(f"  {step['name']:24} {step['state']:8} {step['seconds']:6.1f} s{reason}")


def print_model(run, name, ours):
    model = name.split()[1]
    print(f"\n{name}: {ours.get('device', '?')}; cosine image "
          f"{ours.get('cosine_image', '?')}, text {ours.get('cosine_text', '?')}")
    if "frame_ms" in ours:
        print(f"  frame on the device to embedding {ours['frame_ms'][0]:.3f} ms, of it "
              f"ingest {ours['ingest_ms'][0]:.3f}; memory "
              f"{ours.get('memory_mib', 0):.0f} MiB")
    if "error" in ours:
        print(f"  ended with: {ours['error']}")
    print("                 ours                           PyTorch, ms on the device,"
          "      ratio of\n"
          "  batch  gpu ms   wall ms  images/s   eager: gpu wall  compiled: gpu wall"
          "  gpu, wall")
    for row in ours.get("batches", []):
        torch = [run.torch(model, mode, row["batch"]) or {}
                 for mode in ("eager", "compile")]
        times = [run.clock(r, c) for r in torch for c in ("gpu_ms", "wall_ms")]
        mine = [run.clock(row, c) for c in ("gpu_ms", "wall_ms")]
        ratios = [t and m and t / m for t, m in zip(times[2:], mine)]
        print(f"  {row['batch']:5}{cell(mine[0], 3)}{cell(mine[1], 3)}"
              f"{cell(row['images_per_s'], 1)}"
              + "".join(cell(t, 3) for t in times)
              + "".join(cell(r, 2)[4:] for r in ratios))


def print_products(name, ours):
    """The library's rate for the largest batch, as our log has it."""
    pattern = re.compile(r"product \[(\d+), .* TFLOP/s$")
    lines = {m[0]: int(m[1]) for m in map(pattern.match, ours.get("log", [])) if m}
    largest = max(lines.values(), default=0)
    print(f"\n{name}, the products of the largest batch")
    for line in (x for x, m in lines.items() if m > 0.9 * largest):
        print(f"  {line}")
    for row in ours.get("operations", []):
        print(f"  alone: {row['name']}, {row['rows']} rows: {row['us']:.1f} us")


def print_kernels(name, kernels):
    total = sum(us for us, _ in kernels.values()) or 1
    print(f"\n{name}: {total:.0f} us in {sum(n for _, n in kernels.values())} kernels")
    for kernel, (us, n) in sorted(kernels.items(), key=lambda k: -k[1][0])[:12]:
        print(f"  {kernel:60} {n:5} {us:9.1f} us {100 * us / total:5.1f} %")


def print_rest(step):
    result = step.get("result") or {}
    if step["name"] == "preprocess" and "exact_us" in result:
        ok = result["exact_us"] <= PREPROCESS_US
        print(f"\n1080p NV12 to 336x336: exact {result['exact_us']} us, fast "
              f"{result['fast_us']} us a frame on the device; {PREPROCESS_US} us: "
              f"{'reached' if ok else 'MISSED'}")
    if "clocks" in step:
        low, middle, high = step["clocks"]["mhz"]
        print(f"{step['name']}: {low} to {high} MHz, mostly {middle}, at most "
              f"{step['clocks']['watts']:.0f} W")


def main(path):
    try:
        data = json.loads(path.read_text())
    except (OSError, ValueError) as e:
        print(f"{path}: {e}", file=sys.stderr)
        return 1
    run = decisions.Run(data)
    print_steps(data)
    for name, result in run.results.items():
        if name.startswith("measure "):
            print_model(run, name, result)
    for name, result in run.results.items():
        if name.startswith("measure "):
            print_products(name, result)
        elif name.startswith("profile "):
            print_kernels(name, result)
    for step in data["steps"]:
        print_rest(step)
    print("\ndecisions")
    for line in decisions.list_lines(run):
        print(line)
    print(f"\nwritten: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
