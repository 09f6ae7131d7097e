# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which conditions of a camera's picture a model really knows.

usage: python3 choose_conditions.py --model FILE --vocab FILE --pictures FOLDER --out FILE.json
                                    [--labels FILE.json]

FOLDER is the one of pictures.py for validation: neither training nor
evaluate_real.py sees its scenes. Of the conditions of --labels, the one that is told
worst from a clean scene becomes a negative, until each of the others has an AUROC of
0.84: with more, conditions are lost that are a negative's neighbours, such as both
kinds of blur. Writes the label set of those, and prints what it measured, as JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

import codec
import model
import real
from evaluate import embed_frames, embed_labels
from evaluate_real import CLEAN, condition_of, draw, measure
from exam import HERE, label_name, label_names, read_labels
from vocab import Tokenizer

LEAST = 0.84
SEED = 700_000_000  # neither of make_data.py nor of exam.py


def decoded(name: str, pictures: list[np.ndarray], folder: Path) -> np.ndarray:
    """The frames of a condition after H.264."""
    rng = np.random.default_rng(SEED + int.from_bytes(name.encode(), "little") % 1_000_003)
    frames, path = draw(name, pictures, rng), folder / "clip.mp4"
    codec.write_mp4(path, frames, fps=25)
    return codec.read_mp4(path, *frames.shape[1:3])


def without(labels: dict, name: str) -> dict:
    """The set with a label's texts among the negatives."""
    kept = [label for label in labels["labels"] if label_name(label) != name]
    (gone,) = [label for label in labels["labels"] if label_name(label) == name]
    return dict(labels, labels=kept, negatives=[*labels["negatives"], *gone["prompts"]])


def write(labels: dict, path: Path) -> None:
    """As people write it: a line for each label and each negative."""
    rows = ",\n".join(f"    {json.dumps(label)}" for label in labels["labels"])
    negatives = ",\n".join(f"    {json.dumps(text)}" for text in labels["negatives"])
    path.write_text(
        f'{{\n  "labels": [\n{rows}\n  ],\n  "negatives": [\n{negatives}\n  ],\n'
        f'  "templates": {json.dumps(labels["templates"])}\n}}\n'
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--vocab", type=Path, required=True)
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--labels", type=Path, default=HERE / "camera-all.json")
    args = parser.parse_args()
    clip, tokenizer = model.load_clip(args.model), Tokenizer(args.vocab)
    labels, pictures = read_labels(args.labels), real.load(args.pictures)
    seen = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in [CLEAN, *map(condition_of, label_names(labels))]:
            seen[name] = embed_frames(clip, decoded(name, pictures, Path(folder)))
    while labels["labels"]:
        names = label_names(labels)
        with torch.no_grad():
            vectors, count = embed_labels(clip, tokenizer, labels)
            scale = clip.logit_scale.exp()
        scores = {}
        for name in [CLEAN, *map(condition_of, names)]:
            chance = (scale * seen[name] @ vectors.T).softmax(dim=1)[:, :count]
            scores[name] = [dict(zip(names, row)) for row in chance.tolist()]
        found = measure(scores)
        worst = min(names, key=lambda name: found["conditions"][condition_of(name)]["auroc"])
        least = found["conditions"][condition_of(worst)]["auroc"]
        if least >= LEAST:
            write(labels, args.out)
            print(json.dumps(found))
            return 0
        print(f"not known: {worst}, AUROC {least}", file=sys.stderr)
        labels = without(labels, worst)
    print("no condition is known", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
