#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What tests/gpu/run has measured, as one short table and one JSON file:
table.py MEASURED RESULTS

Reads MEASURED/{preprocess,ours-*,tanh-*,torch-*}.json, whatever there is, and
writes RESULTS/CARD-DATE.json.
"""

import datetime
import json
import pathlib
import re
import subprocess
import sys


def run(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True,
                              check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


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
          f"p95 {ours['frame_ms'][1]:.3f}; memory {ours['memory_mib']:.0f} MiB")
    print("  batch    ms p50    ms p95   images/s   eager  compiled  ratio")
    for row in ours["batches"]:
        eager = rates.get(("eager", row["batch"]))
        compiled = rates.get(("compile", row["batch"]))
        best = max((r for r in (eager, compiled) if r), default=None)
        ratio = f"{row['images_per_s'] / best:6.2f}" if best else "     -"
        print(f"  {row['batch']:5} {row['ms'][0]:9.3f} {row['ms'][1]:9.3f} "
              f"{row['images_per_s']:10.1f} {eager or 0:7.0f} "
              f"{compiled or 0:9.0f} {ratio}")


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
              f"{pixels['fast_us']} us a frame on the device (limit 10)")
    print_gelu(ours, tanh)

    card = run("nvidia-smi", "--id=0", "--query-gpu=name",
               "--format=csv,noheader") or "no-card"
    everything = {
        "card": card,
        "driver": run("nvidia-smi", "--id=0", "--query-gpu=driver_version",
                      "--format=csv,noheader"),
        "commit": run("git", "rev-parse", "HEAD"),
        "date": datetime.date.today().isoformat(),
        "ours": ours, "tanh": tanh, "torch": torch, "preprocess": pixels,
    }
    slug = re.sub(r"[^A-Za-z0-9]+", "-", card).strip("-").lower()
    results.mkdir(parents=True, exist_ok=True)
    path = results / f"{slug}-{everything['date']}.json"
    path.write_text(json.dumps(everything, indent=1) + "\n")
    print(f"written: {path}")
    return 0 if ours else 1


if __name__ == "__main__":
    sys.exit(main())
