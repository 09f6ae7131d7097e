#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""How far can scores be trusted? Twelve drawn cameras, one threshold for all
labels and cameras, and the ways to score beside each other:

    cameras.py --pe-embed build/tools/pe-embed --out bench/results/cameras

Each camera looks at one place of the demo model's world. Most frames show it as
it is, some in a condition that is asked for, some in one that is not. pe-embed
makes the vectors; scores are computed here by the formulas of MODEL.md, which
tests/labels/check_score.c shows to be the library's. Intervals are bootstraps
over cameras. Needs NumPy and OpenCV; Matplotlib for the plot.
"""

from __future__ import annotations

import argparse
import json
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path += [str(ROOT / "models/train"), str(Path(__file__).parent)]

import conditions  # noqa: E402
import lexicon as lx  # noqa: E402
import paired  # noqa: E402
import words  # noqa: E402
from places import draw_place  # noqa: E402

ASKED = {  # label of conditions.json -> how it is drawn
    "rain": "rain",
    "snowfall": "snowfall",
    "fog": "fog",
    "night": "night",
    "out of focus": "blurred",
    "covered lens": "covered lens",
    "upside-down": "upside-down",
    "mosaic": "mosaic",
}
OTHERS = ["rolling", "torn", "over-exposed", "under-exposed", "monochrome"]
TEMPLATES = ["{}", "a video of {}."]
EVENTS, OTHER_EVENTS, ORDINARY = 6, 3, 90  # frames of each kind and camera
HEIGHT, WIDTH = 240, 320
SEED = 910_000_000  # no seed of training or of the exam
NOTHING = -1
BINS = 15


# ---- Pictures


def draw_camera(seed: int, camera: int) -> tuple[list[np.ndarray], list[int]]:
    """Frames of one camera, and which asked label each shows or NOTHING."""
    place = camera % len(lx.PLACE) + 1
    still, _ = draw_place(
        HEIGHT, WIDTH, np.random.default_rng([SEED, seed, camera]), place
    )
    rng = np.random.default_rng([SEED, seed, camera, 1])
    wanted = [(draw, label) for label, draw in enumerate(ASKED.values())] * EVENTS
    wanted += [(draw, NOTHING) for draw in OTHERS] * OTHER_EVENTS
    wanted += [("clear", NOTHING)] * ORDINARY
    frames = []
    for draw, _ in wanted:
        light = rng.uniform(0.85, 1.1)
        image = conditions.to_u8(still.astype(np.float32) * light)
        if draw != "clear":
            image = conditions.EFFECTS[draw](image, rng)
        frames.append(conditions.add_grain(image, rng.uniform(0, 5), rng))
    return frames, [label for _, label in wanted]


# ---- Vectors


def embed(program: str, model: str, option: str, items: list[str]) -> np.ndarray:
    vectors = []
    for first in range(0, len(items), 500):
        part = [f for item in items[first : first + 500] for f in (option, item)]
        out = subprocess.run(
            [program, "--model", model, "--device", "cpu", "--precision", "fp32", *part],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        vectors += [json.loads(line)["embedding"] for line in out.splitlines()]
    return np.array(vectors)


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12)


class Texts:
    """A label's vector is the mean of its prompts', made unit again."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args, self.known = args, {}

    def vectors(self, labels: list[list[str]]) -> np.ndarray:
        new = sorted({p for prompts in labels for p in prompts} - self.known.keys())
        if new:
            found = embed(self.args.pe_embed, self.args.model, "--text", new)
            self.known |= dict(zip(new, found))
        return unit(np.array([np.mean([self.known[p] for p in ps], 0) for ps in labels]))


def in_templates(names: list[str]) -> list[list[str]]:
    return [[t.replace("{}", name) for t in TEMPLATES] for name in names]


# ---- Scores


def log_sum(x: np.ndarray) -> np.ndarray:
    if x.shape[1] == 0:
        return np.full(len(x), -np.inf)
    top = x.max(1)
    return top + np.log(np.exp(x - top[:, None]).sum(1))


def log_odds(
    logits: np.ndarray, others: np.ndarray, independent: bool = False
) -> np.ndarray:
    """MODEL.md, section 8: of every label against all that it is compared with."""
    rest = log_sum(others)
    if independent:
        return logits - rest[:, None]
    columns = []
    for k in range(logits.shape[1]):
        without = np.concatenate([np.delete(logits, k, 1), others], 1)
        columns.append(logits[:, k] - log_sum(without))
    return np.stack(columns, 1)


def logistic(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(x, -500, 500)))


def fit(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Slope and offset of a logistic regression (Platt 1999), by Newton."""
    a, b = 1.0, 0.0
    centre, spread = x.mean(), x.std() + 1e-9
    z = (x - centre) / spread
    for _ in range(50):
        p = logistic(a * z + b)
        w = np.maximum(p * (1 - p), 1e-9)
        gradient = np.array([((p - y) * z).sum() + 1e-3 * a, (p - y).sum()])
        hessian = np.array([[(w * z * z).sum() + 1e-3, (w * z).sum()],
                            [(w * z).sum(), w.sum() + 1e-6]])
        step = np.linalg.solve(hessian, gradient)
        a, b = a - step[0], b - step[1]
    return a / spread, b - a * centre / spread


# ---- What is measured


def auroc(positive: np.ndarray, negative: np.ndarray) -> float:
    order = np.sort(negative)
    below = np.searchsorted(order, positive, "left") + np.searchsorted(order, positive, "right")
    return float(below.mean() / 2 / len(order))


def calibration_error(p: np.ndarray, y: np.ndarray) -> float:
    bins = np.minimum((p * BINS).astype(int), BINS - 1)
    gaps = [abs(p[bins == i].mean() - y[bins == i].mean()) * (bins == i).mean()
            for i in range(BINS) if (bins == i).any()]
    return float(sum(gaps))


def measure(score: np.ndarray, truth: np.ndarray, fitted: np.ndarray) -> dict[str, float]:
    """score, fitted [frames, labels]; truth [frames]: a label or NOTHING."""
    shown = truth[:, None] == np.arange(score.shape[1])
    positive, negative = score[shown], score[~shown]
    unknown = truth == NOTHING
    return {
        "auroc": auroc(positive, negative),
        "recall_at_0.1%": float((positive > np.quantile(negative, 0.999)).mean()),
        "false_alarms_at_95%": float((negative >= np.quantile(positive, 0.05)).mean()),
        "unknown_that_pass": float((logistic(score)[unknown].max(1) >= 0.5).mean()),
        "events_that_pass": float((logistic(positive) >= 0.5).mean()),
        "ece": calibration_error(logistic(score).ravel(), shown.ravel()),
        "ece_fitted": calibration_error(fitted.ravel(), shown.ravel()),
    }


def fit_elsewhere(score: np.ndarray, truth: np.ndarray, camera: np.ndarray) -> np.ndarray:
    """Each camera's probabilities by slope and offset of the other cameras."""
    shown = truth[:, None] == np.arange(score.shape[1])
    out = np.empty_like(score)
    for c in np.unique(camera):
        here = camera == c
        a, b = fit(score[~here].ravel(), shown[~here].ravel())
        out[here] = logistic(a * score[here] + b)
    return out


def evaluate(
    score: np.ndarray, truth: np.ndarray, camera: np.ndarray, rounds: int
) -> tuple[dict[str, list[float]], dict[str, np.ndarray]]:
    """Each number with its 90 % interval over cameras, and its values in all
    rounds."""
    fitted = fit_elsewhere(score, truth, camera)
    value = measure(score, truth, fitted)
    rng = np.random.default_rng(1)  # the same cameras for every score: paired
    frames = [np.flatnonzero(camera == c) for c in np.unique(camera)]
    drawn = []
    for _ in range(rounds):
        chosen = np.concatenate([frames[c] for c in rng.integers(len(frames), size=len(frames))])
        drawn.append(measure(score[chosen], truth[chosen], fitted[chosen]))
    samples = {key: np.array([d[key] for d in drawn]) for key in value}
    numbers = {}
    for key, v in value.items():
        interval = np.quantile(samples[key], [0.05, 0.95]) if rounds else []
        numbers[key] = [v, *map(float, interval)]
    return numbers, samples


# ---- All of it


def ways(texts: Texts, images: np.ndarray, scale: float) -> dict[str, np.ndarray]:
    labels = json.loads((ROOT / "models/demo/labels/conditions.json").read_text())
    prompts = {entry["name"]: entry["prompts"] for entry in labels["labels"]}
    asked = [prompts[name] for name in ASKED]
    user = in_templates(labels["negatives"])
    neighbours = [prompts[name] for name in prompts if name not in ASKED]
    defaults = [[text] for text in words.default_negatives(ROOT)]
    bank = [[text] for text in words.bank(ROOT)]
    c = scale * images @ texts.vectors(asked).T

    def against(others: list[list[str]]) -> np.ndarray:
        if not others:
            return np.empty((len(images), 0))
        near = texts.vectors(others) @ texts.vectors(asked).T
        return scale * images @ texts.vectors(others)[near.max(1) < 0.9].T

    return {
        "similarity": c / scale,
        "probability (softmax over the labels)": log_odds(c, against([])),
        "default negatives": log_odds(c, against(defaults)),
        "default negatives, independent": log_odds(c, against(defaults), True),
        "3 user negatives": log_odds(c, against(user)),
        "3 user negatives, independent": log_odds(c, against(user), True),
        "3 user negatives and the bank": log_odds(c, against(user + bank)),
        "3 user negatives and neighbours": log_odds(c, against(user + neighbours)),
    }


def read_logit_scale(path: str) -> float:
    """exp() of the value in a safetensors file."""
    data = Path(path).read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    entry = json.loads(data[8 : 8 + size])["logit_scale"]
    begin, end = entry["data_offsets"]
    dtype = {"F32": np.float32, "F16": np.float16}[entry["dtype"]]
    raw = data[8 + size + begin : 8 + size + end]
    return float(np.exp(np.frombuffer(raw, dtype).astype(float)[0]))


def draw_and_embed(
    args: argparse.Namespace, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    vectors, truth, camera = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        paths: list[str] = []
        for c in range(args.cameras):
            frames, labels = draw_camera(seed, c)
            for frame in frames:
                paths.append(f"{folder}/{len(paths):06}.png")
                cv2.imwrite(paths[-1], frame[..., ::-1])
            truth += labels
            camera += [c] * len(labels)
        vectors = embed(args.pe_embed, args.model, "--image", paths)
    return vectors, np.array(truth), np.array(camera)


COLUMNS = {
    "auroc": ("AUROC", "{:.4f}"),
    "recall_at_0.1%": ("recall at 0.1 % false alarms", "{:.3f}"),
    "false_alarms_at_95%": ("false alarms at 95 % recall", "{:.2%}"),
    "unknown_that_pass": ("unknown frames ≥ 0.5", "{:.1%}"),
    "events_that_pass": ("events ≥ 0.5", "{:.1%}"),
    "ece": ("ECE", "{:.4f}"),
    "ece_fitted": ("ECE, fitted elsewhere", "{:.4f}"),
}


INTRODUCTION = """# How far scores can be trusted: drawn cameras

Made by `bench/cameras/cameras.py`, which says how: {cameras} cameras for each of the
seeds {seeds}, together {frames} frames with {events} events. One threshold counts for
all labels and cameras; in brackets are 90 % intervals over cameras. The pictures are
drawn and the model is the demo's: the order of the rows is evidence, the digits are
not PE-Core's.

"""

PAIRED = """

Beside the score with the user's negatives, over the same draws of cameras (paired),
with 90 % intervals:

"""


def table(results: dict[str, dict[str, list[float]]]) -> str:
    lines = ["| score | " + " | ".join(t for t, _ in COLUMNS.values()) + " |",
             "|---" * (1 + len(COLUMNS)) + "|"]
    for name, numbers in results.items():
        cells = []
        for key, (_, form) in COLUMNS.items():
            value, *interval = numbers[key]
            if name == "similarity" and key in ("unknown_that_pass", "events_that_pass", "ece"):
                cells.append("–")
                continue
            cell = form.format(value)
            if interval:
                cell += " [" + ", ".join(form.format(x) for x in interval) + "]"
            cells.append(cell)
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def plot(results: dict[str, dict[str, list[float]]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    keys = ["recall_at_0.1%", "false_alarms_at_95%", "unknown_that_pass", "ece_fitted"]
    figure, axes = plt.subplots(1, len(keys), figsize=(15, 4), sharey=True)
    names = list(results)
    for axis, key in zip(axes, keys):
        for row, name in enumerate(names):
            if name == "similarity" and key == "unknown_that_pass":
                continue
            value, low, high = results[name][key]
            axis.plot([low, high], [row, row], color="tab:blue", linewidth=3, alpha=0.4)
            axis.plot([value], [row], "o", color="tab:blue")
        axis.set_title(COLUMNS[key][0], fontsize=10)
        axis.grid(axis="x", alpha=0.3)
    axes[0].set_yticks(range(len(names)), names)
    axes[0].invert_yaxis()
    figure.tight_layout()
    figure.savefig(path, dpi=100)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pe-embed", default="pe-embed")
    parser.add_argument("--model", default=str(ROOT / "models/demo/pe-demo.safetensors"))
    parser.add_argument("--logit-scale", type=float, help="exp() of the stored value")
    parser.add_argument("--cameras", type=int, default=12)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--rounds", type=int, default=1000, help="of the bootstrap")
    parser.add_argument("--out", type=Path, help="OUT.json, OUT.md and OUT.png")
    args = parser.parse_args()
    args.logit_scale = args.logit_scale or read_logit_scale(args.model)
    texts, parts = Texts(args), []
    for seed in args.seeds:
        parts.append(draw_and_embed(args, seed))
        print(f"seed {seed}: {len(parts[-1][0])} frames", file=sys.stderr)
    images = np.concatenate([p[0] for p in parts])
    truth = np.concatenate([p[1] for p in parts])
    # A camera of another seed is another camera.
    camera = np.concatenate([p[2] + i * args.cameras for i, p in enumerate(parts)])
    results, samples = {}, {}
    for name, score in ways(texts, images, args.logit_scale).items():
        results[name], samples[name] = evaluate(score, truth, camera, args.rounds)
    text = table(results)
    if args.rounds:
        found = paired.differences(results, samples)
        verdict, sentence = paired.judge_bank(found)
        text += PAIRED + paired.table(found) + "\n\n" + sentence
    print(text)
    if args.out:
        about = {"cameras": args.cameras, "seeds": args.seeds, "frames": len(images),
                 "events": int((truth != NOTHING).sum()), "scale": args.logit_scale}
        report = {"about": about, "results": results}
        if args.rounds:
            report |= {"paired": found, "bank_by_default": verdict}
        args.out.with_suffix(".json").write_text(json.dumps(report, indent=1) + "\n")
        args.out.with_suffix(".md").write_text(INTRODUCTION.format(**about) + text + "\n")
        plot(results, args.out.with_suffix(".png"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
