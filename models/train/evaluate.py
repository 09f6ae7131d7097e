# SPDX-License-Identifier: LGPL-2.1-or-later
"""Measure the demo model on unseen pictures that went through H.264.

usage: python3 evaluate.py --model FILE.safetensors --vocab FILE.txt [--plugins FOLDER]
                           [--each N] [--out FILE.json] [--work FOLDER]

Every test is one MP4 of unrelated pictures, a few per label, drawn with seeds
that training never used. Without --plugins the frames are decoded and judged in
PyTorch; with it also by the elements themselves (decoder, peinference,
pemetaconvert), and both are compared.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

import codec
import conditions
import lexicon as lx
import model
import sampler
from batches import normalise
from make_data import squash
from shapes import draw_objects
from vocab import Tokenizer

HERE = Path(__file__).resolve().parent
LABELS = HERE.parent / "demo" / "labels"
SEED = 900_000_000  # far from any seed of make_data.py
REJECT_BELOW = 0.5
NONE = "none of these"


@dataclasses.dataclass
class Test:
    """Pictures [n, h, w, 3] whose right answers are `names`, among `labels`."""

    name: str
    bar: float
    labels: dict
    frames: np.ndarray
    names: list[str]
    threshold: float = 0.0
    colorimetry: str = codec.LIMITED_601


# ---- label sets


def load_labels(path: Path) -> dict:
    return json.loads(path.read_text())


def label_name(label: str | dict) -> str:
    return label if isinstance(label, str) else label["name"]


def label_prompts(label: str | dict) -> list[str]:
    return [label] if isinstance(label, str) else label.get("prompts", [label["name"]])


# ---- pictures


def object_of(text: str) -> tuple[int, int, int]:
    """Shape, colour and count of "two blue circles"."""
    words = text.split()
    counts = {"a": 1, "an": 1, "two": 2, "three": 3, "four": 4}
    plurals = {**{c[0] + "s": c[0] for c in lx.SHAPES}, "crosses": "cross"}
    shape = plurals.get(words[2], words[2])
    return ([s[0] for s in lx.SHAPES].index(shape) + 1, [c[0] for c in lx.COLOURS].index(words[1]) + 1, counts[words[0]])


def draw_scene(text: str, h: int, w: int, rng: np.random.Generator) -> np.ndarray:
    places = [names[0] for names in lx.PLACE]
    if text in places:
        return sampler.sample_place(h, w, rng, "clear", places.index(text) + 1)[0]
    shape, colour, count = object_of(text)
    return draw_objects(h, w, rng, shape, colour, count)[0]


CONDITION_OF = {
    "black picture": "black", "white picture": "white", "rolling picture": "rolling", "torn picture": "torn",
    "out of focus": "blurred",
}


def draw_condition(name: str, h: int, w: int, rng: np.random.Generator) -> np.ndarray:
    if name == "test card":
        cards = [c for c in lx.CARD_CONDS if c != "colour bars"]
        return sampler.sample_signal(h, w, rng, cards[rng.integers(len(cards))])[0]
    cond = CONDITION_OF.get(name, name)
    if cond in conditions.EFFECTS:
        return sampler.sample_place(h, w, rng, cond)[0]
    return sampler.sample_signal(h, w, rng, cond)[0]


def draw_ordinary(h: int, w: int, rng: np.random.Generator) -> np.ndarray:
    if rng.random() < 0.7:
        return sampler.sample_place(h, w, rng, "clear")[0]
    shape, colour = sampler.SEEN[rng.integers(len(sampler.SEEN))]
    return draw_objects(h, w, rng, shape, colour)[0]


def labelled(draw, names: list[str], each: int, h: int, w: int, seed: int) -> tuple[np.ndarray, list[str]]:
    rng = np.random.default_rng(SEED + seed)
    truth = [name for name in names for _ in range(each)]
    return np.stack([draw(name, h, w, rng) for name in truth]), truth


def make_tests(each: int) -> list[Test]:
    small, wide = (240, 320), (360, 640)
    scenes, conds = load_labels(LABELS / "scenes.json"), load_labels(LABELS / "conditions.json")
    names = lambda labels: [label_name(label) for label in labels["labels"]]
    tests = []

    def add(name: str, bar: float, labels: dict, draw, of: list[str], size, seed: int, n: int = each, **rest) -> None:
        frames, truth = labelled(draw, of, n, *size, seed)
        tests.append(Test(name, bar, labels, frames, truth, **rest))

    add("24 scenes, 320x240", 0.95, scenes, draw_scene, names(scenes), small, 1)
    add("24 scenes, 640x360 full range", 0.95, scenes, draw_scene, names(scenes), wide, 2, colorimetry=codec.FULL_709)
    combos = [f"{'an' if c == 'orange' else 'a'} {c} {s}" for s, c in lx.HELD_OUT]
    every = [f"{'an' if c[0] == 'orange' else 'a'} {c[0]} {s[0]}" for s in lx.SHAPES for c in lx.COLOURS]
    templates = ["{}", "a photo of {}."]
    add("10 unseen shape x colour, of all 72", 0.85, dict(labels=every, templates=templates), draw_scene, combos, small, 3, 2 * each)
    add("10 unseen shape x colour, of these 10", 0.85, dict(labels=combos, templates=templates), draw_scene, combos, wide, 4, 2 * each)
    add("19 signal conditions, 320x240", 0.95, conds, draw_condition, names(conds), small, 5)
    add("19 signal conditions, 640x360 full range", 0.95, conds, draw_condition, names(conds), wide, 6, colorimetry=codec.FULL_709)
    for k, labels in enumerate(("scenes", "conditions")):
        other = load_labels(HERE / "paraphrases" / f"{labels}.json")
        draw = draw_scene if labels == "scenes" else draw_condition
        add(f"paraphrased {labels}", 0.85, other, draw, names(other), small, 7 + k)
    ordinary = lambda _, h, w, rng: draw_ordinary(h, w, rng)
    add("ordinary pictures rejected by the conditions", 0.9, conds, ordinary, [NONE], wide, 9, 10 * each, threshold=REJECT_BELOW)
    signals = lambda _, h, w, rng: sampler.sample_signal(h, w, rng)[0]
    add("test signals rejected by the scenes", 0.9, scenes, signals, [NONE], small, 10, 10 * each, threshold=REJECT_BELOW)
    return tests


# ---- judging


@torch.no_grad()
def embed_labels(clip: model.Clip, tokenizer: Tokenizer, labels: dict) -> tuple[torch.Tensor, int]:
    """Unit vectors [labels + negatives, dim] and how many are labels."""
    templates = labels.get("templates") or ["{}"]
    rows = []
    for label in [*labels["labels"], *labels.get("negatives", [])]:
        texts = [t.replace("{}", prompt) for prompt in label_prompts(label) for t in templates]
        ids = torch.from_numpy(tokenizer.batch(texts, clip.text_config.context_length))
        rows.append(F.normalize(F.normalize(clip.encode_text(ids), dim=-1).mean(dim=0), dim=0))
    return torch.stack(rows), len(labels["labels"])


@torch.no_grad()
def embed_frames(clip: model.Clip, frames: np.ndarray) -> torch.Tensor:
    size = clip.visual.config.image_size
    small = np.stack([squash(np.ascontiguousarray(frame), size) for frame in frames])
    pixels = normalise(torch.from_numpy(small))
    return F.normalize(torch.cat([clip.encode_image(part) for part in pixels.split(64)]), dim=-1)


def judge_torch(clip: model.Clip, tokenizer: Tokenizer, test: Test, decoded: np.ndarray) -> list[str]:
    vectors, count = embed_labels(clip, tokenizer, test.labels)
    scale = clip.logit_scale.exp()
    chance = (scale * embed_frames(clip, decoded) @ vectors.T).softmax(dim=1)[:, :count]
    best, index = chance.max(dim=1)
    names = [label_name(label) for label in test.labels["labels"]]
    return [names[k] if p >= test.threshold else NONE for p, k in zip(best.tolist(), index.tolist())]


def judge_product(test: Test, clip_path: Path, args: argparse.Namespace, work: Path) -> list[str]:
    """The same by the elements: one JSON line a frame."""
    labels, out = work / "labels.json", work / "out.jsonl"
    labels.write_text(json.dumps(test.labels))
    codec.launch(
        f"filesrc location={clip_path} ! qtdemux ! h264parse ! avdec_h264 ! "
        f"peinference model={args.model} vocab={args.vocab} device=cpu precision={args.precision} mode=exact "
        f"clip-length=1 top-k=1 threshold={test.threshold} prompt-template=\"\" labels-file={labels} ! "
        f"pemetaconvert ! filesink location={out}"
    )
    answers = []
    for line in out.read_text().splitlines():
        found = json.loads(line)["labels"]
        answers.append(found[0]["label"] if found else NONE)
    return answers


def mistakes(test: Test, answers: list[str]) -> dict[str, int]:
    wrong: dict[str, int] = {}
    for truth, answer in zip(test.names, answers):
        if truth != answer:
            key = f"{truth} -> {answer}"
            wrong[key] = wrong.get(key, 0) + 1
    return dict(sorted(wrong.items(), key=lambda item: -item[1])[:8])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--vocab", type=Path, required=True)
    parser.add_argument("--plugins", type=Path, help="folder with libgstpe.so")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--each", type=int, default=20, help="pictures per label")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    if args.plugins:
        os.environ["GST_PLUGIN_PATH"] = str(args.plugins)
    clip, tokenizer = model.load_clip(args.model), Tokenizer(args.vocab)
    results, failed = [], 0
    with tempfile.TemporaryDirectory() as folder:
        for test in make_tests(args.each):
            path = Path(folder) / "test.mp4"
            codec.write_mp4(path, test.frames, fps=25, colorimetry=test.colorimetry)
            decoded = codec.read_mp4(path, *test.frames.shape[1:3])
            assert len(decoded) == len(test.names), f"{len(decoded)} frames of {len(test.names)} came back"
            answers = {"pytorch": judge_torch(clip, tokenizer, test, decoded)}
            if args.plugins:
                answers["product"] = judge_product(test, path, args, Path(folder))
                assert len(answers["product"]) == len(test.names)
            row: dict = {"test": test.name, "pictures": len(test.names), "bar": test.bar}
            for path_name, given in answers.items():
                right = np.mean([a == b for a, b in zip(given, test.names)])
                row[path_name] = round(float(right), 4)
                failed += right < test.bar
            row["mistakes"] = mistakes(test, given)
            results.append(row)
            print(json.dumps(row), flush=True)
    if args.out:
        args.out.write_text(json.dumps(results, indent=1) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
