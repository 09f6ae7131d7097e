#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""No default negative and no text of the bank may name what the demo model is
asked for in its exam, or a measurement would only show that the answers were
known: words.py ROOT, as a TAP test.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

# Of captions, but said of any picture.
GENERIC = set("""a an and any are as at but by for from has in into is it its no
    not of off on only or than that the there this to too with without
    camera image images photo picture pictures video view views""".split())


def words_of(text: str) -> set[str]:
    words = re.findall(r"[a-z]+", text.lower())
    return {w.removesuffix("s") if len(w) > 3 else w for w in words}


def asked_for(root: Path) -> set[str]:
    """Words that name what is asked for, in any way that captions say it."""
    sys.path.insert(0, str(root / "models/train"))
    import lexicon as lx

    texts = []
    for folder in ("models/demo/labels", "models/train/paraphrases"):
        for path in sorted((root / folder).glob("*.json")):
            for label in json.loads(path.read_text())["labels"]:
                if isinstance(label, str):
                    texts.append(label)
                else:
                    texts += [label["name"], *label.get("prompts", [])]
    for ways in (lx.SHAPES, lx.COLOURS, lx.PLACE, [lx.PLACE_NOUN]):
        texts += [text for way in ways for text in way]
    for phrases in (lx.CONDITIONS, lx.WITH_PLACE):
        # What is "clear" is what none of the others is.
        texts += [t for name, ways in phrases.items() if name != "clear" for t in ways]
    return set().union(*map(words_of, texts)) - set().union(*map(words_of, GENERIC))


def default_negatives(root: Path) -> list[str]:
    source = (root / "core/labels/label_spec.c").read_text()
    body = re.search(r"^pe_default_negatives\(void\)\n\{(.*?)^\}", source, re.M | re.S)
    return re.findall(r'"([^"]+)"', body[1]) if body else []


def bank(root: Path) -> list[str]:
    lines = (root / "bench/cameras/bank.txt").read_text().splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


def main() -> int:
    root = Path(sys.argv[1])
    asked, failed = asked_for(root), 0
    print("1..2")
    for number, (what, texts) in enumerate(
        {"default_negatives": default_negatives(root), "bank": bank(root)}.items(), 1
    ):
        wrong = {t: sorted(words_of(t) & asked) for t in texts if words_of(t) & asked}
        for text, words in wrong.items():
            print(f"# \"{text}\" names what is asked for: {', '.join(words)}")
        ok = texts and not wrong
        failed += not ok
        print(f"{'ok' if ok else 'not ok'} {number} - {what}_name_nothing_that_is_asked_for")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
