# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the demo model is asked: label sets, and pictures with right answers,
drawn with seeds that training never used. Used by evaluate.py.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

import codec
import conditions
import lexicon as lx
import sampler
from captions import article
from shapes import draw_objects

HERE = Path(__file__).resolve().parent
LABELS = HERE.parent / "demo" / "labels"
SEED = 900_000_000  # far from any seed of make_data.py
REJECT_BELOW = 0.5
NONE = "none of these"
SMALL, WIDE = (240, 320), (360, 640)

Draw = Callable[[str, int, int, np.random.Generator], np.ndarray]


def product_parser(description: str) -> argparse.ArgumentParser:
    """For what asks a model about real scenes through the elements."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--plugins", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--vocab", type=Path, required=True)
    parser.add_argument("--labels", type=Path, default=HERE.parent / "demo/labels/camera.json")
    parser.add_argument("--out", type=Path)
    return parser


def label_name(label: str | dict) -> str:
    return label if isinstance(label, str) else label["name"]


def label_prompts(label: str | dict, templates: list[str]) -> list[str]:
    """As the product does: prompts are taken as they are, a bare label goes into the templates."""
    if isinstance(label, dict) and "prompts" in label:
        return label["prompts"]
    return [template.replace("{}", label_name(label)) for template in templates]


def label_names(labels: dict) -> list[str]:
    return [label_name(label) for label in labels["labels"]]


@dataclasses.dataclass
class Test:
    """`each` pictures of every name, to be found again among `labels`."""

    name: str
    bar: float
    labels: dict
    draw: Draw
    names: list[str]
    each: int
    size: tuple[int, int] = SMALL
    colorimetry: str = codec.LIMITED_601
    threshold: float = 0.0

    def truth(self) -> list[str]:
        return [name for name in self.names for _ in range(self.each)]

    def frames(self, seed: int) -> np.ndarray:
        """The pictures [n, h, w, 3] in the order of truth()."""
        rng = np.random.default_rng(SEED + seed)
        return np.stack([self.draw(name, *self.size, rng) for name in self.truth()])


def object_of(text: str) -> tuple[int, int, int]:
    """Shape, colour and count of "two blue circles"."""
    count, colour, noun = text.split()
    counts = {"a": 1, "an": 1, "two": 2, "three": 3, "four": 4}
    shapes = lx.canonical(lx.SHAPES)
    shape = next(k for k, s in enumerate(shapes) if noun in (s, s + "s", lx.PLURALS.get(s)))
    return shape + 1, lx.canonical(lx.COLOURS).index(colour) + 1, counts[count]


def draw_scene(text: str, h: int, w: int, rng: np.random.Generator) -> np.ndarray:
    places = lx.canonical(lx.PLACE)
    if text in places:
        return sampler.sample_place(h, w, rng, "clear", places.index(text) + 1)[0]
    shape, colour, count = object_of(text)
    return draw_objects(h, w, rng, shape, colour, count)[0]


CONDITION_OF = {
    "black picture": "black",
    "white picture": "white",
    "rolling picture": "rolling",
    "torn picture": "torn",
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


def draw_ordinary(_: str, h: int, w: int, rng: np.random.Generator) -> np.ndarray:
    if rng.random() < 0.7:
        return sampler.sample_place(h, w, rng, "clear")[0]
    shape, colour = sampler.SEEN[rng.integers(len(sampler.SEEN))]
    return draw_objects(h, w, rng, shape, colour)[0]


def draw_signal(_: str, h: int, w: int, rng: np.random.Generator) -> np.ndarray:
    return sampler.sample_signal(h, w, rng)[0]


def read_labels(path: Path) -> dict:
    return json.loads(path.read_text())


def tests(each: int) -> list[Test]:
    scenes, conds = read_labels(LABELS / "scenes.json"), read_labels(LABELS / "conditions.json")
    other_scenes = read_labels(HERE / "paraphrases" / "scenes.json")
    other_conds = read_labels(HERE / "paraphrases" / "conditions.json")
    unseen = [article(f"{colour} {shape}") for shape, colour in lx.HELD_OUT]
    every = [
        article(f"{colour} {shape}")
        for shape in lx.canonical(lx.SHAPES)
        for colour in lx.canonical(lx.COLOURS)
    ]
    templates = ["{}", "a photo of {}."]
    # Without negatives: one of them is shown.
    of_all = dict(labels=every, negatives=[], templates=templates)
    of_unseen = dict(labels=unseen, negatives=[], templates=templates)
    wide = dict(size=WIDE, colorimetry=codec.FULL_709)
    scene_names, cond_names = label_names(scenes), label_names(conds)
    reject = dict(threshold=REJECT_BELOW)
    return [
        Test("scenes", 0.95, scenes, draw_scene, scene_names, each),
        Test("scenes, wide, full range", 0.95, scenes, draw_scene, scene_names, each, **wide),
        Test("unseen combinations of all 72", 0.85, of_all, draw_scene, unseen, 2 * each),
        Test("unseen combinations", 0.85, of_unseen, draw_scene, unseen, 2 * each, **wide),
        Test("conditions", 0.95, conds, draw_condition, cond_names, each),
        Test("conditions, wide, full range", 0.95, conds, draw_condition, cond_names, each, **wide),
        Test("paraphrased scenes", 0.85, other_scenes, draw_scene, scene_names, each),
        Test("paraphrased conditions", 0.85, other_conds, draw_condition, cond_names, each),
        Test("ordinary pictures rejected", 0.9, conds, draw_ordinary, [NONE], 10 * each, **reject),
        Test("test signals rejected", 0.9, scenes, draw_signal, [NONE], 10 * each, **reject),
    ]
