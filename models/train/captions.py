# SPDX-License-Identifier: LGPL-2.1-or-later
"""Captions of a picture, and which captions are true of which pictures.

A caption is a text and a claim: a row of attributes with 0 for what it leaves
open. It is true of a picture when every attribute that it names agrees, so a
batch has exact positives and no false negatives. Used by train.py and vocab.py.
"""

from __future__ import annotations

import random

import numpy as np

import lexicon as lx

Claim = list[int]


def claim(**known: int) -> Claim:
    row = [0] * len(lx.ATTRS)
    for name, value in known.items():
        row[lx.INDEX[name]] = value
    return row


def truth(claims: np.ndarray, attrs: np.ndarray) -> np.ndarray:
    """[pictures, captions] bool: the claim [captions, a] holds of attrs [pictures, a]."""
    claims, attrs = claims[None], attrs[:, None]
    return ((claims == 0) | (claims == attrs)).all(axis=2)


def unknown(claims: np.ndarray, attrs: np.ndarray) -> np.ndarray:
    """[pictures, captions] bool: nobody knows whether the claim holds, because it
    names a place and the picture is of a real scene."""
    group, place = lx.INDEX["group"], lx.INDEX["place"]
    real = (attrs[:, group] == lx.PLACES) & (attrs[:, place] == 0)
    return real[:, None] & (claims[:, place] > 0)[None]


def article(phrase: str) -> str:
    return ("an " if phrase[0] in "aeiou" else "a ") + phrase


def pick(rng: random.Random, words: list[str], canonical: float = 0.5) -> str:
    return words[0] if rng.random() < canonical else rng.choice(words)


def plural(noun: str) -> str:
    return lx.PLURALS.get(noun, noun + "s")


def object_caption(rng: random.Random, attrs: list[int]) -> tuple[str, Claim]:
    """Names a random part of what is known about the shapes."""

    def get(name: str) -> int:
        return attrs[lx.INDEX[name]]

    known: dict[str, int] = {}

    def says(name: str, chance: float) -> int:
        if get(name) and rng.random() < chance:
            known[name] = get(name)
            return get(name)
        return 0

    shape, colour = says("shape", 0.88), says("colour", 0.85)
    size, count = says("size", 0.25), get("count")
    words = []
    if size:
        words.append(pick(rng, lx.SIZES[size - 1]))
    if colour:
        words.append(pick(rng, lx.COLOURS[colour - 1], 0.8))
    noun = (
        pick(rng, lx.SHAPES[shape - 1], 0.6) if shape else rng.choice(["shape", "object", "thing"])
    )
    if count > 1 and rng.random() < 0.12:
        text = " ".join(words + [plural(noun)])  # says nothing about how many
    else:
        known["count"] = count
        number = pick(rng, lx.COUNTS[count - 1], 0.8)
        if count == 1:
            phrase = " ".join(words + [noun])
            text = article(phrase) if number == "a" else f"{number} {phrase}"
        else:
            text = f"{number} " + " ".join(words + [plural(noun)])
    if spot := says("place_at", 0.2):
        text += " " + rng.choice(lx.SPOTS[spot - 1])
    if ground := says("ground", 0.22):
        name = pick(rng, lx.GROUNDS[ground - 1])
        text += rng.choice(
            [f" on a {name} background", f" on {name}", f" in front of a {name} background"]
        )
    cond = get("cond")
    if cond != lx.COND["clear"] and rng.random() < 0.5:
        known["cond"] = cond
        text = rng.choice(lx.WITH_PLACE[lx.COND_NAMES[cond - 1]]).format(text)
    return text, claim(group=lx.OBJECTS, **known)


def condition_caption(rng: random.Random, attrs: list[int]) -> tuple[str, Claim]:
    """Names the state of the picture and nothing else, often with its degree."""
    cond, degree = attrs[lx.INDEX["cond"]], attrs[lx.INDEX["degree"]]
    name = lx.COND_NAMES[cond - 1]
    if degree and rng.random() < 0.4:
        return rng.choice(lx.DEGREES[name][degree - 1]), claim(cond=cond, degree=degree)
    return pick(rng, lx.CONDITIONS[name], 0.3), claim(cond=cond)


def place_caption(rng: random.Random, attrs: list[int]) -> tuple[str, Claim]:
    def get(name: str) -> int:
        return attrs[lx.INDEX[name]]

    place, cond, time = get("place"), get("cond"), get("time")
    name = lx.COND_NAMES[cond - 1]
    text = pick(rng, lx.PLACE[place - 1] + [article(lx.PLACE_NOUN[place - 1])], 0.45)
    if time == lx.SUNSET and rng.random() < 0.4:
        return text + rng.choice([" at sunset", " in the evening sun"]), claim(
            place=place, time=time
        )
    draw = rng.random()
    if name != "clear" and draw < 0.45 or name == "clear" and draw < 0.1:
        return rng.choice(lx.WITH_PLACE[name]).format(text), claim(place=place, cond=cond)
    if draw < 0.7:
        return text, claim(place=place)
    return condition_caption(rng, attrs)


def caption(rng: random.Random, attrs: list[int]) -> tuple[str, Claim]:
    """A random true caption of a picture with these attributes."""

    def get(name: str) -> int:
        return attrs[lx.INDEX[name]]

    group, cond = get("group"), get("cond")
    draw = rng.random()
    if draw < 0.06 and group in lx.GROUP_PHRASES:
        text, row = rng.choice(lx.GROUP_PHRASES[group]), claim(group=group)
    elif draw < 0.14 or group in (lx.CARDS, lx.BLANK, lx.STATIC):
        text, row = pick(rng, lx.CONDITIONS[lx.COND_NAMES[cond - 1]], 0.3), claim(cond=cond)
        if get("flat") and rng.random() < 0.6:
            name = pick(rng, lx.COLOURS[get("flat") - 1])
            text = rng.choice([f"a plain {name} screen", f"all {name}", f"a flat {name} picture"])
            row = claim(cond=cond, flat=get("flat"))
    elif group == lx.OBJECTS:
        text, row = object_caption(rng, attrs)
    elif not get("place"):
        text, row = condition_caption(rng, attrs)
    else:
        text, row = place_caption(rng, attrs)
    return rng.choice(lx.TEMPLATES).format(text), row
