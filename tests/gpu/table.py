#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What tests/gpu/run has measured, as one short table and one JSON file:
table.py MEASURED RESULTS

Reads MEASURED/{preprocess,ours-*,tanh-*,torch-*}.json and what the card did
meanwhile, whatever there is, and writes RESULTS/CARD-DATE.json.
"""

import collections
import csv
import datetime
import json
import pathlib
import re
import sys

# What we want of an H200: milliseconds from a frame on the device to its
# embedding, images per second, microseconds of preprocessing.
BARS = {"PE-Core-B16-224": (0.40, 15000), "PE-Core-L14-336": (1.3, 1500),
        "PE-Core-G14-448": (8, 160)}
PREPROCESS_US = 10


def verdict(ok):
    return "reached" if ok else "MISSED"


def load(folder, pattern):
    """The part of the name that `*` stands for -> the last JSON line."""
    found = {}
    prefix, suffix = pattern.split("*")
    for path in sorted(folder.glob(pattern)):
        try:
            text = path.read_text()
            key = path.name[len(prefix):-len(suffix)]
            try:
                found[key] = json.loads(text)
            except json.JSONDecodeError:
                lines = [x for x in text.splitlines() if x.startswith("{")]
                found[key] = json.loads(lines[-1])
        except (IndexError, json.JSONDecodeError):
            print(f"{path}: not readable, left out")
    return found


def torch_rates(torch, model):
    """(mode, batch) -> images per second"""
    rows = torch.get(model, {}).get("rows", [])
    return {(r["mode"], r["batch"]): r["images_per_second"] for r in rows}


def print_model(name, ours, torch):
    model = name.split("-")[0]
    rates = torch_rates(torch, model)
    print(f"\n{ours['config']}, {ours['precision']}, {ours['device']}")
    print(f"  known answers: cosine image {ours['cosine_image']}, "
          f"text {ours['cosine_text']}; company changes "
          f"{ours['company_changes']:.1e} (limit 1e-3)")
    print(f"  frame on the device to embedding: {ours['frame_ms'][0]:.3f} ms, "
          f"p95 {ours['frame_ms'][1]:.3f}, of it ingest "
          f"{ours['ingest_ms'][0]:.3f}; memory "
          f"{ours.get('memory_mib', 0):.0f} MiB")
    if "error" in ours:
        print(f"  ended with: {ours['error']}")
    print("  batch    ms p50    ms p95   images/s   eager  compiled  ratio")
    for row in ours["batches"]:
        eager = rates.get(("eager", row["batch"]))
        compiled = rates.get(("compile", row["batch"]))
        best = max((r for r in (eager, compiled) if r), default=None)
        ratio = f"{row['images_per_s'] / best:6.2f}" if best else "     -"
        print(f"  {row['batch']:5} {row['ms'][0]:9.3f} {row['ms'][1]:9.3f} "
              f"{row['images_per_s']:10.1f} {eager or 0:7.0f} "
              f"{compiled or 0:9.0f} {ratio}")
    if ours["config"] in BARS and ours["batches"]:
        ms, rate = BARS[ours["config"]]
        best = max(r["images_per_s"] for r in ours["batches"])
        print(f"  {ms} ms: {verdict(ours['frame_ms'][0] <= ms)}; {rate} "
              f"images/s: {verdict(best >= rate)} ({best / rate:.2f})")


def read_kernels(path):
    """What ncu wrote as CSV behind other lines -> kernel -> [us, launches]."""
    found = collections.defaultdict(lambda: [0, 0])
    lines = [x for x in path.read_text(errors="replace").splitlines()
             if x.startswith('"')]
    for row in csv.DictReader(lines):
        unit = row.get("Metric Unit", "")
        scale = {"n": 1e-3, "u": 1, "m": 1e3, "s": 1e6}.get(unit[:1])
        if not scale or row["Metric Name"] != "gpu__time_duration.sum":
            continue
        name = re.sub(r"^void |[<(].*", "", row["Kernel Name"])[:48]
        found[name][0] += float(row["Metric Value"].replace(",", "")) * scale
        found[name][1] += 1
    return found


def print_kernels(path):
    kernels = read_kernels(path)
    total = sum(us for us, _ in kernels.values())
    print(f"\n{path.stem}: {total:.0f} us in "
          f"{sum(n for _, n in kernels.values())} kernels")
    for name, (us, n) in sorted(kernels.items(), key=lambda k: -k[1][0])[:12]:
        print(f"  {name:48} {n:5} {us:9.1f} us {100 * us / total:5.1f} %")


def print_products(path):
    """The library's rate for the largest batch, as our log has it."""
    pattern = re.compile(r"product \[(\d+), .* TFLOP/s$")
    lines = {m.group(0): int(m.group(1))
             for m in map(pattern.search, path.read_text().splitlines()) if m}
    largest = max(lines.values(), default=0)
    print(f"\n{path.stem[4:]}, the products of the largest batch")
    for line in (x for x, m in lines.items() if m > 0.9 * largest):
        print(f"  {line}")


def read_clocks(folder):
    """step -> lowest, median and highest MHz and the most watts."""
    found = {}
    for path in sorted(folder.glob("clocks-*.csv")):
        rows = [x.split(",") for x in path.read_text().splitlines()]
        try:
            mhz = sorted(int(r[0]) for r in rows)
            watts = max(float(r[2]) for r in rows)
        except (IndexError, ValueError):
            continue
        found[path.stem[7:]] = {"mhz": [mhz[0], mhz[len(mhz) // 2], mhz[-1]],
                                "watts": watts}
    return found


def read_line(path, n=0):
    try:
        return path.read_text().splitlines()[n].strip()
    except (OSError, IndexError):
        return ""


def print_gelu(ours, tanh):
    for model, other in tanh.items():
        for name, mine in ours.items():
            if name.split("-")[0] != model:
                continue
            batch = other["batches"][-1]["batch"]
            rate = {r["batch"]: r["images_per_s"] for r in mine["batches"]}
            if batch in rate:
                gain = other["batches"][-1]["images_per_s"] / rate[batch] - 1
                print(f"{mine['config']}, batch {batch}: the tanh GELU would "
                      f"be {100 * gain:+.1f} % faster")


def main():
    measured, results = map(pathlib.Path, sys.argv[1:3])
    ours = load(measured, "ours-*.json")
    torch = load(measured, "torch-*.json")
    tanh = load(measured, "tanh-*.json")
    pixels = load(measured, "preprocess*.json").get("", {})
    for name, values in ours.items():
        print_model(name, values, torch)
    print()
    if pixels:
        print(f"1080p NV12 to 336x336: exact {pixels['exact_us']} us, fast "
              f"{pixels['fast_us']} us a frame on the device; "
              f"{PREPROCESS_US} us: "
              f"{verdict(pixels['exact_us'] <= PREPROCESS_US)}")
    print_gelu(ours, tanh)
    for path in sorted(measured.glob("log-*.txt")):
        print_products(path)
    for path in sorted(measured.glob("kernels-*.csv")):
        print_kernels(path)

    card = [x.strip() for x in read_line(measured / "card.csv").split(",")]
    name = card[0] or "no-card"
    everything = {
        "card": name, "driver": card[1] if len(card) > 1 else "",
        "commit": read_line(measured / "commit.txt"),
        "date": datetime.date.today().isoformat(),
        "clocks": read_clocks(measured),
        "ours": ours, "tanh": tanh, "torch": torch, "preprocess": pixels,
    }
    slug = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower()
    results.mkdir(parents=True, exist_ok=True)
    path = results / f"{slug}-{everything['date']}.json"
    path.write_text(json.dumps(everything, indent=1) + "\n")
    print(f"written: {path}")
    return 0 if ours or torch else 1


if __name__ == "__main__":
    sys.exit(main())
