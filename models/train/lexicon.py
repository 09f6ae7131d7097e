# SPDX-License-Identifier: LGPL-2.1-or-later
"""What can be in a picture, and every way to say it.

A picture is described by one small integer per attribute (ATTRS); 0 means "not
said" in a caption and "does not apply" in a picture. The first word of every
list is the canonical one. Knows nothing about drawing or about the model.
"""

from __future__ import annotations

ATTRS = (
    "group",
    "shape",
    "colour",
    "count",
    "size",
    "ground",
    "place_at",
    "place",
    "time",
    "cond",
    "flat",
    "degree",
)
INDEX = {name: i for i, name in enumerate(ATTRS)}

# group
OBJECTS, PLACES, CARDS, BLANK, STATIC = 1, 2, 3, 4, 5
# time
SUNSET = 1
# degree of a fault
SLIGHT, STRONG = 1, 2

SHAPES = [
    ["circle", "disc", "round spot", "ball", "dot"],
    ["square", "box", "block"],
    ["triangle"],
    ["star"],
    ["cross", "plus sign", "plus"],
    ["ring", "hoop", "donut"],
    ["heart"],
    ["crescent", "half moon", "moon"],
]
PLURALS = {"cross": "crosses", "box": "boxes", "plus": "pluses"}

COLOURS = [
    ["red"],
    ["green"],
    ["blue"],
    ["yellow"],
    ["orange"],
    ["purple", "violet"],
    ["pink"],
    ["white"],
    ["black"],
]
RGB = [  # typical values; drawing varies them
    (220, 30, 30),
    (30, 170, 50),
    (35, 70, 220),
    (240, 220, 30),
    (245, 135, 20),
    (130, 40, 180),
    (245, 140, 190),
    (245, 245, 245),
    (12, 12, 12),
]

GROUNDS = [["white"], ["black"], ["grey", "gray"], ["brown"], ["green"], ["blue"]]
GROUND_RGB = [
    (235, 235, 235),
    (14, 14, 14),
    (125, 125, 125),
    (110, 75, 45),
    (60, 120, 60),
    (70, 105, 160),
]
# A colour on a ground that is too much like it is never drawn.
CLASH = {
    ("white", "white"),
    ("black", "black"),
    ("green", "green"),
    ("blue", "blue"),
    ("orange", "brown"),
    ("red", "brown"),
    ("purple", "blue"),
    ("black", "brown"),
}

# (shape, colour) never drawn for training: the test of composition.
HELD_OUT = [
    ("star", "red"),
    ("heart", "blue"),
    ("ring", "green"),
    ("cross", "yellow"),
    ("triangle", "purple"),
    ("circle", "white"),
    ("square", "orange"),
    ("crescent", "pink"),
    ("heart", "black"),
    ("star", "orange"),
]

COUNTS = [["a", "one", "a single"], ["two", "2", "a pair of"], ["three", "3"], ["four", "4"]]
SIZES = [["small", "little", "tiny"], ["large", "big", "huge"]]
SPOTS = [
    ["on the left", "at the left side", "to the left"],
    ["on the right", "at the right side", "to the right"],
    ["at the top", "in the upper part", "high up"],
    ["at the bottom", "in the lower part", "low down"],
    ["in the middle", "in the centre", "in the center"],
]
LEFT, RIGHT, TOP, BOTTOM, MIDDLE = 1, 2, 3, 4, 5

PLACE = [
    [
        "a house in a meadow",
        "a cottage on the grass",
        "a farmhouse in a green field",
        "a country house",
    ],
    ["a city skyline", "tall buildings", "skyscrapers in a city", "a downtown with towers"],
    ["a road with cars", "a highway", "traffic on a street", "cars on a road"],
    ["a forest", "woods", "many trees", "a wood full of trees"],
    ["a beach", "a sandy shore by the sea", "sand and sea", "the seaside"],
    ["mountains", "snowy peaks", "a mountain range", "high mountains"],
    ["a desert", "sand dunes", "dunes with cactus plants", "a dry desert with cacti"],
    ["a boat at sea", "a sailing boat on the water", "a sailboat", "a ship on the sea"],
    ["a room with furniture", "the inside of a room", "an indoor room", "a living room"],
    ["a football pitch", "a soccer field", "a sports field with goals", "a football field"],
    ["a railway track", "train tracks", "rails and sleepers", "a railroad"],
    ["a bridge over a river", "an arched bridge", "a river under a bridge", "a stone bridge"],
]
# One word for "a foggy X" and the like.
PLACE_NOUN = [
    "house",
    "city",
    "road",
    "forest",
    "beach",
    "mountain landscape",
    "desert",
    "boat",
    "room",
    "football pitch",
    "railway",
    "bridge",
]

# name -> phrases; "{}" in a phrase of a scene condition is the place.
CONDITIONS: dict[str, list[str]] = {
    "clear": [
        "a clear picture",
        "a good clear picture",
        "a normal picture",
        "a sharp clean image",
        "an ordinary view",
        "a normal camera view",
        "a picture without faults",
    ],
    "colour bars": [
        "colour bars",
        "color bars",
        "vertical colour stripes",
        "a colour bar test signal",
        "tv colour bars",
        "smpte bars",
    ],
    "checkerboard": [
        "a checkerboard",
        "a chessboard pattern",
        "black and white squares",
        "a checkered pattern",
    ],
    "rings": [
        "concentric rings",
        "a zone plate",
        "a circular test pattern",
        "many rings around the centre",
    ],
    "spokes": [
        "spokes",
        "a pinwheel pattern",
        "rays from the centre",
        "a spoke wheel test pattern",
    ],
    "gradient": [
        "a grey ramp",
        "a gradient from black to white",
        "a smooth gradient",
        "a gray ramp test pattern",
    ],
    "grid": ["a grid of lines", "a crosshatch pattern", "a line grid", "thin crossing lines"],
    "black": [
        "a black screen",
        "a completely black picture",
        "all black",
        "no picture, only black",
        "a dark blank screen",
    ],
    "white": ["a white screen", "a completely white picture", "all white", "a blank white picture"],
    "flat colour": [
        "a plain colour",
        "a screen of one colour",
        "a single flat colour",
        "a solid colour",
        "a solid color",
    ],
    "static noise": [
        "static noise",
        "tv static",
        "white noise",
        "snow on the screen from no signal",
        "random noise",
        "analog noise",
    ],
    "rolling": [
        "a rolling picture",
        "the picture rolls vertically",
        "a rolling image with a black bar",
        "vertical roll",
        "lost vertical sync",
    ],
    "torn": [
        "a torn picture",
        "picture tearing",
        "a torn image with shifted lines",
        "horizontal tearing",
        "lost horizontal sync",
    ],
    "blurred": [
        "an out of focus picture",
        "a blurry picture",
        "a blurred image",
        "the camera is out of focus",
        "a defocused view",
    ],
    "over-exposed": [
        "an over-exposed picture",
        "an overexposed picture",
        "a picture that is too bright",
        "a washed out bright image",
        "burnt out highlights",
    ],
    "under-exposed": [
        "an under-exposed picture",
        "an underexposed picture",
        "a picture that is too dark",
        "a very dark image",
        "a dim picture without light",
    ],
    "covered lens": [
        "a covered lens",
        "a hand over the lens",
        "something blocks the camera",
        "a partly covered camera",
        "an obstructed view",
        "the lens is blocked",
    ],
    "rain": ["rain", "heavy rain", "rain streaks", "a rainy view", "it is raining"],
    "snowfall": [
        "snowfall",
        "falling snow",
        "snowflakes in the air",
        "a snowy view",
        "it is snowing",
    ],
    "fog": ["fog", "thick fog", "a foggy view", "mist and haze", "a misty view"],
    "night": [
        "night with lights",
        "a view at night",
        "night time",
        "a dark night with lamps",
        "lights in the night",
    ],
    "upside-down": [
        "an upside-down picture",
        "an upside down picture",
        "the camera is upside down",
        "a picture turned over",
        "an inverted flipped view",
    ],
    "mosaic": [
        "a blocky picture",
        "compression blocks",
        "block artefacts",
        "a mosaic of blocks",
        "a pixelated picture",
        "a picture broken into blocks",
    ],
    "monochrome": [
        "a black and white photo",
        "a monochrome picture",
        "a picture without colour",
        "a greyscale picture",
        "a grayscale image",
    ],
    # Below: of real cameras only, see faults.py.
    "motion blur": [
        "a picture with motion blur",
        "motion blur",
        "the camera is shaking",
        "a smeared picture",
    ],
    "dirty lens": [
        "a dirty lens",
        "dirt on the lens",
        "drops on the lens",
        "a lens with spots",
    ],
    "glare": [
        "glare",
        "a light shines into the camera",
        "the sun in the lens",
        "a dazzled camera",
    ],
    "noisy": [
        "a noisy picture",
        "strong picture noise",
        "a very grainy picture",
        "a grainy image",
    ],
}
COND_NAMES = list(CONDITIONS)
COND = {name: i + 1 for i, name in enumerate(COND_NAMES)}
CARD_CONDS = COND_NAMES[1:7]
BLANK_CONDS = ["black", "white", "flat colour"]
SCENE_CONDS = COND_NAMES[11:24]  # that conditions.py can draw

# The same with the place in it.
WITH_PLACE: dict[str, list[str]] = {
    "clear": ["a clear picture of {}", "a clear view of {}"],
    "rolling": ["a rolling picture of {}", "{} in a rolling picture"],
    "torn": ["a torn picture of {}", "{} with picture tearing"],
    "blurred": ["a blurry picture of {}", "an out of focus view of {}", "{} out of focus"],
    "over-exposed": ["an over-exposed picture of {}", "a too bright picture of {}"],
    "under-exposed": ["an under-exposed picture of {}", "a too dark picture of {}"],
    "covered lens": ["{} behind a covered lens", "an obstructed view of {}"],
    "rain": ["{} in the rain", "{} in heavy rain", "rain over {}"],
    "snowfall": ["{} in falling snow", "{} while it is snowing", "snowfall over {}"],
    "fog": ["{} in fog", "{} in thick fog", "mist over {}"],
    "night": ["{} at night", "{} in the night", "lights of {} at night"],
    "upside-down": ["an upside-down picture of {}", "{} upside down"],
    "mosaic": ["a blocky picture of {}", "{} with compression blocks", "a pixelated picture of {}"],
    "monochrome": ["a black and white photo of {}", "a monochrome picture of {}"],
    "motion blur": ["{} with motion blur", "a smeared picture of {}"],
    "dirty lens": ["{} through a dirty lens", "{} behind drops on the lens"],
    "glare": ["{} in glare", "{} with the sun in the lens"],
    "noisy": ["a noisy picture of {}", "a grainy picture of {}"],
}

# How much: slightly, strongly. A fault without an entry has no degree.
DEGREES: dict[str, tuple[list[str], list[str]]] = {
    "blurred": (
        ["a slightly out of focus picture", "a slightly blurry picture", "a little out of focus"],
        ["a very blurry picture", "badly out of focus", "totally out of focus"],
    ),
    "over-exposed": (
        ["a slightly over-exposed picture", "a picture that is a little too bright"],
        ["a badly over-exposed picture", "a picture that is far too bright"],
    ),
    "under-exposed": (
        ["a slightly under-exposed picture", "a picture that is a little too dark"],
        ["a badly under-exposed picture", "a picture that is far too dark"],
    ),
    "covered lens": (
        ["a partly covered lens", "something blocks a part of the camera"],
        ["a mostly covered lens", "a totally covered camera"],
    ),
    "rain": (["light rain", "a little rain"], ["very heavy rain", "pouring rain"]),
    "snowfall": (["light snowfall", "a little snow"], ["heavy snowfall", "a snow storm"]),
    "fog": (["light fog", "a slight haze"], ["very thick fog", "dense fog"]),
    "torn": (["a slightly torn picture"], ["a badly torn picture"]),
    "mosaic": (
        ["a slightly blocky picture", "a few compression blocks"],
        ["a very blocky picture", "a picture totally broken into blocks"],
    ),
    "motion blur": (["slight motion blur"], ["strong motion blur"]),
    "dirty lens": (["a slightly dirty lens", "a few spots on the lens"], ["a very dirty lens"]),
    "glare": (["slight glare"], ["strong glare"]),
    "noisy": (["a slightly noisy picture"], ["a very noisy picture"]),
}

GROUP_PHRASES = {
    OBJECTS: ["a shape", "a coloured shape", "shapes on a plain background", "a drawing of shapes"],
    PLACES: [
        "a landscape or a room",
        "a place",
        "a scene seen by a camera",
        "a camera view of a place",
    ],
    CARDS: ["a test card", "a test pattern", "a tv test card", "a video test signal"],
    BLANK: ["an empty picture", "a blank screen", "a picture with nothing in it", "nothing to see"],
}

TEMPLATES = [
    "{}",
    "{}",
    "{}",
    "{}.",
    "a photo of {}",
    "a photo of {}.",
    "a picture of {}",
    "an image of {}",
    "a video of {}.",
    "a video of {}",
    "a frame of {}",
    "this is {}",
    "there is {}",
    "the camera shows {}",
    "a video that shows {}",
]


def canonical(words: list[list[str]]) -> list[str]:
    """The first way to say each of them."""
    return [ways[0] for ways in words]
