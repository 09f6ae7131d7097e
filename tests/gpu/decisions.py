# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a card has answered, question by question of docs/cuda.md: the number, the
threshold, and what to do where it is missed. Called by table.py.

Choices that the module makes while loading are read from log lines of one form,
whatever they are about:

    choice NAME: A 12.3 us, B 10.1 us, took B
"""

import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench"))

import cuda_model  # noqa: E402

CHOICE = re.compile(r"choice ([^:]+): (.+), took (\S+)$")
CANDIDATE = re.compile(r"(\S.*?) ([\d.]+) us$")
PRODUCT = re.compile(r"product \[(\d+), (\d+)\] x \[\d+, (\d+)\]([^,]*), .*?: "
                     r"([\d.]+) us, [\d.]+ TFLOP/s$")
# What we want of an H200: milliseconds from a frame on the device to its embedding,
# images per second, by model.
BARS = {"B": (0.40, 15000), "L": (1.3, 1500), "G": (8, 160)}


def parse_choice(line):
    """(name, {candidate: us}, taken), or None for a line of another form."""
    found = CHOICE.match(line)
    if not found:
        return None
    parts = [CANDIDATE.match(p.strip()) for p in found[2].split(",")]
    if not all(parts) or found[3] not in {p[1] for p in parts}:
        return None
    return found[1], {p[1]: float(p[2]) for p in parts}, found[3]


class Run:
    """The results of a file, by the names of their steps."""

    def __init__(self, data):
        self.data = data
        self.results = {s["name"]: s["result"] for s in data["steps"]
                        if s.get("result")}

    def measured(self, precision="bf16"):
        """model -> what was measured, in the order of the run"""
        found = {}
        for name, result in self.results.items():
            words = name.split()
            if words[0] == "measure" and words[2] == precision:
                found[words[1]] = result
        return found

    def torch(self, model, mode, batch):
        for row in self.results.get(f"torch {model}", {}).get("rows", []):
            if row["mode"] == mode and row["batch"] == batch:
                return row
        return None

    @staticmethod
    def clock(row, name):
        """The median, None where it was not measured."""
        return (row.get(name) or [None])[0]

    @staticmethod
    def best(ours):
        """The row of the best rate."""
        return max(ours.get("batches", []), key=lambda r: r["images_per_s"],
                   default=None)

    @staticmethod
    def smallest(ours):
        return min(ours.get("batches", []), key=lambda r: r["batch"], default=None)

    @staticmethod
    def operation(ours, name):
        return next((r for r in ours.get("operations", []) if r["name"] == name), None)


class Answer:
    """`ok` is None where it was not measured."""

    def __init__(self, number, ok):
        self.number, self.ok = number, ok


UNKNOWN = Answer("not measured", None)


# ---- Questions: Run -> {what: Answer} -----------------------------------------

def ask_bars(run):
    answers = {}
    on_h200 = "H200" in run.data.get("card", "")
    for model, ours in run.measured().items():
        best = run.best(ours)
        if model not in BARS or not best or not on_h200:
            continue
        ms, rate = BARS[model]
        answers[f"{model} images/s"] = Answer(
            f"{best['images_per_s']:.0f} at {best['batch']}, wanted {rate}",
            best["images_per_s"] >= rate)
        frame = run.clock(ours, "frame_ms")
        if frame:
            answers[f"{model} one frame"] = Answer(
                f"{frame:.3f} ms, wanted {ms}", frame <= ms)
    return answers


def ask_prediction(run):
    """Beside bench/cuda_model.py, where it knows the card."""
    answers = {}
    shapes = cuda_model.read_shapes()
    card = cuda_model.find_card(run.data.get("card", ""))
    for model, ours in run.measured().items():
        best, shape = run.best(ours), shapes.get(ours.get("config"))
        if card and best and shape:
            predicted = cuda_model.Model(card, shape).rate(best["batch"])
            ratio = best["images_per_s"] / predicted
            answers[f"{model} b{best['batch']}"] = Answer(
                f"{ratio:.2f} of the predicted {predicted:.0f} images/s",
                ratio >= 0.85)
    return answers


def ask_torch(run):
    answers = {}
    for model, ours in run.measured().items():
        for row in ours.get("batches", []):
            other = run.torch(model, "compile", row["batch"])
            for clock in ("gpu_ms", "wall_ms"):
                mine, theirs = run.clock(row, clock), run.clock(other or {}, clock)
                if mine and theirs:
                    answers[f"{model} b{row['batch']} {clock}"] = Answer(
                        f"{theirs / mine:.2f} x", theirs / mine >= 1.15)
    return answers


def ask_clocks(run):
    """R8: what the host's part of a batch is, ours and theirs."""
    answers = {}
    for model, ours in run.measured().items():
        for row in ours.get("batches", []):
            gpu, wall = run.clock(row, "gpu_ms"), run.clock(row, "wall_ms")
            if gpu and wall:
                answers[f"{model} b{row['batch']}"] = Answer(
                    f"{(wall - gpu) * 1e3:.0f} us", (wall - gpu) * 1e3 <= 100)
    return answers


def ask_choices(run):
    """All log lines of the documented form, the largest of each kind."""
    largest = {}
    for model, ours in run.measured().items():
        for choice in filter(None, map(parse_choice, ours.get("log", []))):
            name, times, taken = choice
            kind = f"{model} {name.split(' [')[0]}"
            if kind not in largest or max(times.values()) > max(
                    largest[kind][0].values()):
                largest[kind] = times, taken, name
    return {kind: Answer(
        f"{name}: " + ", ".join(f"{k} {v:.1f} us" for k, v in times.items())
        + f", took {taken}", times[taken] <= min(times.values()))
        for kind, (times, taken, name) in largest.items()}


def ask_gelu(run):
    """R1: what the library's GELU saves in a layer."""
    answers = {}
    for model, ours in run.measured().items():
        found = [c for c in map(parse_choice, ours.get("log", []))
                 if c and c[0].startswith("GELU") and len(c[1]) == 2]
        if found:
            _, times, taken = max(found, key=lambda c: max(c[1].values()))
            saved = times.get("pass", 0) - times.get("library", 0)
            answers[model] = Answer(f"{saved:.1f} us a layer, took {taken}",
                                    taken == "library" and saved > 0)
    return answers


def read_products(ours):
    """(m, k, n, what follows) -> us"""
    found = {}
    for line in ours.get("log", []):
        m = PRODUCT.match(line)
        if m:
            found[int(m[1]), int(m[2]), int(m[3]), m[4].strip(" +")] = float(m[5])
    return found


def ask_residuals(run):
    """R2: the residual products beside plain ones of the same size, which write half
    as much and read no residual."""
    answers = {}
    for model, ours in run.measured().items():
        products = read_products(ours)
        for name, k in (("out", ours.get("width")), ("fc2", ours.get("mlp_width"))):
            plain = run.operation(ours, name)
            mine = plain and products.get((plain["rows"], k, ours["width"],
                                           "residual"))
            if mine:
                ratio = mine / plain["us"]
                rate = 2e-6 * plain["rows"] * k * ours["width"] / mine
                limit = 1.6 if name == "out" else 1.25
                answers[f"{model} {name}"] = Answer(
                    f"{mine:.1f} us, {rate:.0f} TFLOP/s, {ratio:.2f} x the plain one",
                    ratio <= limit)
    return answers


def ask_load(run):
    """R3"""
    answers = {}
    for name, result in run.results.items():
        if name.startswith("load ") and "load_s" in result:
            limit = 20 if name.endswith("first") else 5
            answers[name] = Answer(f"{result['load_s']:.1f} s, limit {limit}",
                                   result["load_s"] <= limit)
    return answers


def ask_buckets(run):
    """R4: the size that the module takes for many pictures, beside the best one."""
    answers = {}
    for model, ours in run.measured().items():
        best = run.best(ours)
        taken = next((r for r in ours.get("batches", [])
                      if r["batch"] == ours.get("bucket")), None)
        if best and taken:
            ratio = taken["images_per_s"] / best["images_per_s"]
            answers[model] = Answer(
                f"it takes {taken['batch']}, best is {best['batch']}: {ratio:.3f}",
                ratio >= 0.97)
        elif best and "bucket" in ours:
            answers[model] = Answer(
                f"it takes {ours['bucket']}, which was not measured", None)
    return answers


def ask_attention(run):
    """R6, R7: useful TFLOP/s, beside what FlashAttention-2 reaches on Hopper."""
    answers = {}
    for model, ours in run.measured().items():
        row = run.operation(ours, "attention")
        if row and "tokens" in ours:
            flops = 4 * row["rows"] * ours["tokens"] * ours["width"]
            rate = flops / row["us"] * 1e-6
            limit = {"B": 140, "L": 225, "G": 260}.get(model, 100)
            answers[model] = Answer(f"{row['us']:.0f} us a layer, {rate:.0f} TFLOP/s",
                                    rate >= limit)
    return answers


def ask_gap(run):
    """R9: what the host adds to a batch behind which the next one waits."""
    answers = {}
    for model, ours in run.measured().items():
        best = run.best(ours)
        gpu = best and run.clock(best, "gpu_ms")
        if gpu and best.get("queued_ms"):
            gap = (best["queued_ms"] - gpu) * 1e3
            answers[f"{model} b{best['batch']}"] = Answer(
                f"{gap:.0f} us, {gap / gpu / 10:.1f} %", gap <= 0.02 * gpu * 1e3)
    return answers


def ask_ingest(run):
    """R10: how much later a streaming thread is while batches are computed."""
    answers = {}
    for model, ours in run.measured().items():
        idle, busy = ours.get("ingest_ms"), ours.get("busy_ingest_ms")
        if idle and busy:
            answers[model] = Answer(f"p95 {busy[1]:.3f} ms, {idle[1]:.3f} alone",
                                    busy[1] - idle[1] <= 1)
    return answers


def ask_again(run):
    """R13: choices that a second process did not find confirmed."""
    answers = {}
    for name, result in run.results.items():
        if name.startswith("load ") and name.endswith("again"):
            n = sum(line.endswith("as before") for line in result.get("log", []))
            answers[name] = Answer(f"{n} products timed again", n == 0)
    return answers


def ask_heuristic(run):
    """R14: one image with the library's own choice, beside ours."""
    answers = {}
    for name, result in run.results.items():
        if not name.startswith("heuristic ") or not run.smallest(result):
            continue
        model = name.split()[1]
        mine = run.smallest(run.measured().get(model, {}))
        theirs = run.smallest(result)
        if mine and mine["batch"] == theirs["batch"]:
            ratio = run.clock(theirs, "wall_ms") / run.clock(mine, "wall_ms")
            answers[f"{model} b{mine['batch']}"] = Answer(
                f"{ratio:.3f} x as long", ratio >= 0.98)
    return answers


def ask_company(run):
    """R12: does a batch's company change a result?"""
    return {m: Answer(f"{o['company_changes']:.1e}", o["company_changes"] <= 1e-3)
            for m, o in run.measured().items()
            if o.get("company_changes") is not None}


def ask_launches(run):
    """The time between two kernels of one image, where ncu could count them."""
    answers = {}
    for name, kernels in run.results.items():
        words = name.split()
        if words[0] != "profile" or not isinstance(kernels, dict):
            continue
        rows = run.measured().get(words[1], {}).get("batches", [])
        row = next((r for r in rows if str(r["batch"]) == words[2]), {})
        n = sum(count for _, count in kernels.values())
        gpu = run.clock(row, "gpu_ms")
        if gpu and n:
            gap = (gpu * 1e3 - sum(us for us, _ in kernels.values())) / n
            answers[f"{words[1]} b{words[2]}"] = Answer(f"{gap:.2f} us a kernel",
                                                        gap <= 2)
    return answers


def ask_dependent(run):
    """What one image gains where kernels begin before the one before has ended."""
    answers = {}
    for name, result in run.results.items():
        words = name.split()
        early = run.smallest(run.results.get(" ".join(["dependent", *words[1:]]), {}))
        plain = run.smallest(result)
        if words[0] != "plain" or not plain or not early:
            continue
        clock = "gpu_ms" if plain.get("gpu_ms") and early.get("gpu_ms") else "wall_ms"
        mine, other = run.clock(early, clock), run.clock(plain, clock)
        answers[f"{words[1]} b{plain['batch']} {clock}"] = Answer(
            f"{other:.3f} ms plain, {mine:.3f} ms dependent, {other / mine:.3f} x",
            other / mine >= 1.03)
    return answers


def ask_narrow(run, precision, wanted):
    answers = {}
    for model, ours in run.measured(precision).items():
        best, bf16 = run.best(ours), run.best(run.measured().get(model, {}))
        if best and bf16:
            ratio = best["images_per_s"] / bf16["images_per_s"]
            answers[model] = Answer(f"{ratio:.2f} x bf16", ratio >= wanted)
    return answers


def ask_fp8(run):
    return ask_narrow(run, "fp8", 1.3)


def ask_int8(run):
    return ask_narrow(run, "int8", 1.15)


def ask_preprocessing(run):
    us = run.results.get("preprocess", {}).get("exact_us")
    return {"1080p": Answer(f"{us} us", us <= 10)} if us is not None else {}


# Question of docs/cuda.md, how it is asked, threshold, what to do where it is missed.
QUESTIONS = [
    ("bars of an H200", ask_bars, "reached",
     "the largest row of the products and kernels above decides"),
    ("prediction", ask_prediction, ">= 0.85 of it",
     "the kernels above, row by row beside bench/results/cuda_model.md"),
    ("PyTorch, compiled", ask_torch, ">= 1.15 x",
     "compare our kernels with its: fp8, own GEMM and attention for Hopper"),
    ("R1 GELU", ask_gelu, "the library saves time",
     "where our pass is taken, a GELU in a GEMM of ours is worth its lines"),
    ("R2 residual products", ask_residuals, "out <= 1.6 x, fc2 <= 1.25 x",
     "the library has no fast kernel: add in the norm, or a GEMM of ours"),
    ("R3 loading", ask_load, "<= 20 s, <= 5 s again",
     "fewer candidates in tune.c or fewer sizes in bucket.c"),
    ("R4 batch sizes", ask_buckets, ">= 0.97 of the best rate",
     "correct the rates in bucket.c by the measured ones"),
    ("R6, R7 attention", ask_attention, "B 140, L 225, G 260 TFLOP/s",
     "look at occupancy (2 blocks an SM) before a wgmma kernel"),
    ("R8 two clocks", ask_clocks, "host part <= 100 us",
     "look for waits between patches and launch"),
    ("R9 gap between batches", ask_gap, "<= 2 %",
     "nsys: what the device waits for"),
    ("R10 streaming threads", ask_ingest, "<= 1 ms later",
     "events that spin, or a stream of higher priority"),
    ("R12 company", ask_company, "<= 1e-3",
     "an algorithm that splits sums differs by size: see the products"),
    ("R13 checked choices", ask_again, "none timed again",
     "TRUSTED in tune.c is too near, or the card was busy"),
    ("R14 one image", ask_heuristic, ">= 0.98 x",
     "trials with a cold cache favour wrong tiles: see time_algo()"),
    ("gaps between kernels", ask_launches, "<= 2 us",
     "see dependent launches, and which way the blocks took"),
    ("dependent launches", ask_dependent, ">= 1.03 x for one image",
     "nsys: whether kernels overlap; behind a library's kernel they cannot"),
    ("fp8", ask_fp8, ">= 1.3 x bf16",
     "quantising costs passes: look at the kernels between products"),
    ("int8", ask_int8, ">= 1.15 x bf16",
     "a tile for bytes in hopper/linear.cu, or rows rounded by the norm before them"),
    ("preprocessing", ask_preprocessing, "<= 10 us",
     "see preprocess.cu"),
    ("choices while loading", ask_choices, "the faster one is taken",
     "a choice that is not the faster one is a bug"),
]


def list_lines(run):
    """The decision table as text."""
    missed = []
    for question, ask, threshold, action in QUESTIONS:
        answers = ask(run) or {"": UNKNOWN}
        yield f"  {question} ({threshold})"
        for what, answer in answers.items():
            verdict = {True: "ok", False: "ACT", None: "open"}[answer.ok]
            yield f"    {verdict:4} {what}{': ' if what else ''}{answer.number}"
        if any(a.ok is False for a in answers.values()):
            missed.append((question, action))
    yield "\n  to do"
    for question, action in missed:
        yield f"    {question}: {action}"
    if not missed:
        yield "    nothing that was measured asks for it"
