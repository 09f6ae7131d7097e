# SPDX-License-Identifier: LGPL-2.1-or-later
"""Measure picture health on real scenes that training never saw.

usage: python3 evaluate_real.py --pictures FOLDER --plugins FOLDER --model FILE --vocab FILE
                                [--labels FILE.json] [--out FILE.json] [--card MODEL_CARD.md]

FOLDER is the held-out one of pictures.py. Each scene is shown once with each
condition, at strengths that anybody can see, and three times clean. All goes
through H.264, avdec_h264 and peinference. --card writes the table between the
model's marks in the card. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path

import numpy as np

import codec
import faults
import real
import sampler
from exam import CONDITION_OF, SEED, label_names, product_parser, read_labels

CLEAN = "clean"
CLEAN_EACH = 3
SIZE = (288, 384)
VISIBLE = (0.25, 1.0)  # strengths
THRESHOLD = 0.5
BINS = 10
SIGNALS = ["black", "white", "flat colour", "colour bars", "test card", "static noise"]
SIGNAL_EACH = 40
BEGIN = "<!-- {} on real scenes: written by evaluate_real.py -->"  # of a model's name
END = "<!-- end of real scenes -->"


def condition_of(label: str) -> str:
    return {**CONDITION_OF, "noisy picture": "noisy"}.get(label, label)


def draw_signal(name: str, rng: np.random.Generator) -> np.ndarray:
    if name == "test card":
        name = str(rng.choice(["checkerboard", "rings", "spokes", "gradient", "grid"]))
    image = sampler.sample_signal(*SIZE, rng, name)[0]
    return faults.sensor_noise(image, rng.uniform(0, 3), rng)


def draw(name: str, pictures: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """All frames of a condition, [n, h, w, 3]."""
    if name in SIGNALS:
        return np.stack([draw_signal(name, rng) for _ in range(SIGNAL_EACH)])
    scenes = pictures * (CLEAN_EACH if name == CLEAN else 1)
    frames = [faults.clean(real.crop([scene], *SIZE, rng), rng) for scene in scenes]
    if name != CLEAN:
        frames = [faults.FAULTS[name](f, rng.uniform(*VISIBLE), rng) for f in frames]
    return np.stack(frames)


def judge(frames: np.ndarray, args: argparse.Namespace, work: Path) -> list[dict[str, float]]:
    """The score of every label for each frame, by the element."""
    clip, out = work / "clip.mp4", work / "out.jsonl"
    codec.write_mp4(clip, frames, fps=25)
    codec.launch(
        f"filesrc location={clip} ! qtdemux ! h264parse ! avdec_h264 ! "
        f"peinference model={args.model} vocab={args.vocab} device=cpu precision=fp32 "
        f"mode=exact frame-rate=0/1 clip-length=1 top-k=1000 labels-file={args.labels} ! "
        f"pemetaconvert ! filesink location={out}"
    )
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    if len(lines) != len(frames):
        raise SystemExit(f"{len(lines)} results for {len(frames)} frames")
    return [{found["label"]: found["score"] for found in line["labels"]} for line in lines]


def auroc(faulty: np.ndarray, clean: np.ndarray) -> float:
    """The chance that a faulty frame scores above a clean one."""
    above = (faulty[:, None] > clean[None]).mean()
    return float(above + 0.5 * (faulty[:, None] == clean[None]).mean())


def calibration_error(sure: np.ndarray, right: np.ndarray) -> float:
    """ECE with bins of equal width; confidence against the share that is right."""
    index = np.minimum((sure * BINS).astype(int), BINS - 1)
    bins = [index == k for k in range(BINS)]
    return float(sum(b.mean() * abs(sure[b].mean() - right[b].mean()) for b in bins if b.any()))


def measure(scores: dict[str, list[dict[str, float]]]) -> dict:
    """Figures of all conditions; `scores` has the clean frames under CLEAN."""
    fault = {name: np.array([sum(s.values()) for s in rows]) for name, rows in scores.items()}
    confusion: dict[str, dict[str, int]] = {}
    per, sure, right = {}, [], []
    for name, rows in scores.items():
        best = [max(s, key=s.get) for s in rows]
        top = np.array([s[b] for s, b in zip(rows, best)])
        # The answer with the highest score, "clean" being what is left for no label.
        answers = [b if t >= 1 - f else CLEAN for b, t, f in zip(best, top, fault[name])]
        confusion[name] = {a: answers.count(a) for a in sorted(set(answers))}
        sure += [max(t, 1 - f) for t, f in zip(top, fault[name])]
        right += [(a if a == CLEAN else condition_of(a)) == name for a in answers]
        if name != CLEAN:
            per[name] = dict(
                auroc=round(auroc(fault[name], fault[CLEAN]), 4),
                right=round(float(np.mean([condition_of(b) == name for b in best])), 4),
                noticed=round(float((top >= THRESHOLD).mean()), 4),
            )
    tops = np.array([max(s.values()) for s in scores[CLEAN]])
    every = np.concatenate([f for name, f in fault.items() if name != CLEAN])
    return dict(
        clean_called_fault=round(float((tops >= THRESHOLD).mean()), 4),
        auroc=round(auroc(every, fault[CLEAN]), 4),
        right=round(float(np.mean([p["right"] for p in per.values()])), 4),
        ece=round(calibration_error(np.array(sure), np.array(right)), 4),
        frames=len(right),
        conditions=per,
        confusion=confusion,
    )


def table(found: dict, scenes: int) -> str:
    """What the model card says of it."""
    lines = [
        f"{scenes} scenes and {found['frames']} frames, each condition at strengths from a",
        "quarter to all; `models/train/evaluate_real.py` makes this table.",
        "",
        "| on real scenes | measured | wanted |",
        "|---|--:|--:|",
        f"| clean scenes called a fault, score 0.5 | {found['clean_called_fault']:.1%} | 15 % |",
        f"| AUROC, fault against clean | {found['auroc']:.3f} | 0.92 |",
        f"| right label, mean of the conditions | {found['right']:.1%} | 70 % |",
        f"| calibration error (ECE) | {found['ece']:.3f} | 0.05 |",
        "",
        "| condition | AUROC | right label | noticed at 0.5 | most often taken for |",
        "|---|--:|--:|--:|---|",
    ]
    for name, row in found["conditions"].items():
        wrong = {a: n for a, n in found["confusion"][name].items() if condition_of(a) != name}
        most = max(wrong, key=wrong.get) if wrong else ""
        most += f" ({wrong[most]})" if wrong else ""
        lines.append(
            f"| {name} | {row['auroc']:.3f} | {row['right']:.0%} | {row['noticed']:.0%} | {most} |"
        )
    return "\n".join(lines).replace("%", " %").replace("  %", " %")


def main() -> None:
    parser = product_parser(__doc__.split("\n")[0])
    parser.add_argument("--card", type=Path)
    args = parser.parse_args()
    os.environ["GST_PLUGIN_PATH"] = str(args.plugins)
    pictures = real.load(args.pictures)
    asked = [condition_of(name) for name in label_names(read_labels(args.labels))]
    names = [CLEAN, *(n for n in asked if n in faults.FAULTS or n in SIGNALS)]
    scores = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            # A seed by name: a condition's frames do not depend on the label set.
            seed = int.from_bytes(name.encode(), "little") % 1_000_003
            rng = np.random.default_rng(SEED + seed)
            scores[name] = judge(draw(name, pictures, rng), args, Path(folder))
    found = measure(scores)
    print(json.dumps(found))
    if args.out:
        args.out.write_text(json.dumps(found, indent=1) + "\n")
    if args.card:
        text = args.card.read_text()
        begin = BEGIN.format(args.model.stem)
        before, mark, rest = text.partition(begin)
        if not mark:
            raise SystemExit(f"{args.card}: no line {begin}")
        after = rest.partition(END)[2]
        card = f"{before}{begin}\n\n{table(found, len(pictures))}\n\n{END}{after}"
        args.card.write_text(card)


if __name__ == "__main__":
    main()
