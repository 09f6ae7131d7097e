#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The layer rules over the includes, as a TAP test: check_layers.py ROOT

Also asks that a .c file includes its own header first, and that no folder has
more than 15 .c files.
"""

import pathlib
import re
import sys

# Folder -> (our headers it may include besides its own folder's,
#            system headers it must not include). The longest folder wins.
GSTREAMER = r"gst/"
CUDA = r"(cuda|cublas|cudnn|nv)"
# Rooms of core/: each sees those above it.
ROOMS = ("base", "checkpoint", "model", "text", "device", "tower", "queue",
         "engine", "labels", "events", "search")
# What a device implements, and what it may call.
DEVICE = {"core/pe.h", "core/pebench.h", "core/base/",
          "core/device/backend.h",
          "core/device/formats.h", "core/device/int8.h", "core/device/narrow.h",
          "core/device/preprocess.h",
          "core/device/resize_cache.h", "core/device/weight.h"}
LAYERS = {
    f"core/{room}": ({"core/pe.h", "core/pebench.h"} | {f"core/{r}/" for r in ROOMS[:i]},
                     f"{GSTREAMER}|{CUDA}")
    for i, room in enumerate(ROOMS)
} | {
    "core": (set(), f"{GSTREAMER}|{CUDA}"),
    "core/device/cpu": (DEVICE, f"{GSTREAMER}|{CUDA}"),
    "cuda": (DEVICE | {"cuda/hopper/attend.h", "cuda/int8/int8.h"}, GSTREAMER),
    "cuda/hopper": (DEVICE | {"cuda/"}, GSTREAMER),
    "cuda/int8": (DEVICE | {"cuda/"}, GSTREAMER),
    "gst": ({"core/pe.h", "gst/inference/", "gst/convert/", "gst/health/",
             "gst/meta/",
             "gst/overlay/", "gst/score/"},
            "(cuda|cublas|cudnn)"),
    "gst/convert": ({"gst/meta/", "gst/video/"}, "(cuda|cublas|cudnn)"),
    "gst/database": ({"core/pe.h"}, f"{GSTREAMER}|{CUDA}"),
    "gst/engine": ({"core/pe.h"}, "(cuda|cublas|cudnn)"),
    "gst/events": ({"core/pe.h", "gst/meta/", "gst/video/"},
                   "(cuda|cublas|cudnn)"),
    "gst/health": ({"core/pe.h", "gst/events/", "gst/meta/", "gst/result/",
                    "gst/video/"}, "(cuda|cublas|cudnn)"),
    "gst/inference": ({"core/pe.h", "gst/engine/", "gst/events/",
                       "gst/labels/", "gst/meta/", "gst/result/",
                       "gst/video/"},
                      "(cuda|cublas|cudnn)"),
    "gst/kafka": ({"core/pe.h", "gst/sink/"}, "(cuda|cublas|cudnn)"),
    "gst/labels": ({"core/pe.h", "gst/engine/", "gst/events/", "gst/meta/",
                    "gst/result/", "gst/video/"},
                   "(cuda|cublas|cudnn)"),
    "gst/meta": ({"core/pe.h"}, CUDA),
    "gst/mqtt": ({"core/pe.h", "gst/sink/"}, "(cuda|cublas|cudnn)"),
    "gst/overlay": ({"gst/meta/"}, "(cuda|cublas|cudnn)"),
    "gst/result": ({"core/pe.h", "gst/meta/", "gst/video/"},
                   "(cuda|cublas|cudnn)"),
    "gst/score": ({"core/pe.h", "gst/engine/", "gst/labels/", "gst/meta/",
                   "gst/result/", "gst/video/"},
                  "(cuda|cublas|cudnn)"),
    "gst/sink": ({"core/pe.h", "gst/labels/gstpeproperty.h", "gst/spool/"},
                 "(cuda|cublas|cudnn|mosquitto|librdkafka)"),
    "gst/spool": ({"core/pe.h", "gst/database/"}, f"{GSTREAMER}|{CUDA}"),
    "gst/video": ({"core/pe.h"}, "(cuda|cublas|cudnn)"),
    "pipelines": ({"core/pe.h", "gst/convert/gstpewebvtt.h", "gst/meta/",
                   "gst/video/", "pipelines/http/", "pipelines/index/",
                   "pipelines/postgres/postgres.h",
                   "pipelines/tag/collector.h", "tools/program_output.h"},
                  CUDA),
    "pipelines/http": ({"core/pe.h"}, f"{GSTREAMER}|{CUDA}"),
    "pipelines/index": ({"core/pe.h", "gst/database/"}, f"{GSTREAMER}|{CUDA}"),
    "pipelines/postgres": ({"core/pe.h", "pipelines/index/"},
                           f"{GSTREAMER}|{CUDA}"),
    "pipelines/search": ({"core/pe.h", "gst/video/", "pipelines/http/",
                          "pipelines/index/", "pipelines/postgres/postgres.h",
                          "pipelines/tag/", "tools/"},
                         CUDA),
    "pipelines/tag": ({"core/pe.h", "gst/meta/", "gst/video/",
                       "pipelines/index/", "pipelines/postgres/postgres.h",
                       "tools/"}, CUDA),
    "tools": ({"core/pe.h", "core/pebench.h", "gst/video/"}, CUDA),
    "tools/calibrate": ({"core/pe.h", "gst/video/", "tools/"}, CUDA),
    "tools/eval": ({"core/pe.h", "gst/video/", "tools/"}, CUDA),
    "tools/labels": ({"core/pe.h", "gst/video/", "tools/"}, CUDA),
}
MAX_SOURCES = 15  # .c files of a folder
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.MULTILINE)


def layer_of(path):
    """The longest folder of LAYERS that holds path, or None."""
    holders = [f for f in LAYERS if path.startswith(f + "/")]
    return max(holders, key=len, default=None)


def resolve(root, path, name):
    """A quoted include as a path from the root, or None: no such file."""
    sibling = (path.parent / name).as_posix()
    for candidate in (sibling, name):
        if (root / candidate).is_file():
            return candidate
    return None


def may_include(layer, target):
    own = layer_of(target) == layer
    allowed = LAYERS[layer][0]
    return own or any(
        target == a or (a.endswith("/") and target.startswith(a))
        for a in allowed)


def check_include(root, path, layer, kind, name):
    """What is wrong with one include, or None."""
    if kind == "<":
        if re.match(LAYERS[layer][1], name):
            return f"<{name}> is not for {layer}/"
        return None
    target = resolve(root, path, name)
    if target is None:
        return None  # made by the build
    if not may_include(layer, target):
        return f"{target} is not for {layer}/"
    return None


def check_file(root, path, layer):
    includes = INCLUDE.findall((root / path).read_text())
    wrong = [check_include(root, path, layer, *i) for i in includes]
    own = [path.with_name(path.stem + end) for end in (".h", "_private.h")]
    own = [header.as_posix() for header in own if (root / header).is_file()]
    if path.suffix in (".c", ".cu") and own:
        first = resolve(root, path, includes[0][1]) if includes else None
        if first not in own:
            wrong.append(f"does not include {own[0]} first")
    return [f"{path}: {w}" for w in wrong if w]


def find_crowded(root):
    folders = {}
    for file in root.rglob("*.c"):
        folder = file.parent.relative_to(root)
        if not re.match(r"build|\.", folder.as_posix()):
            folders[folder] = folders.get(folder, 0) + 1
    return [f"{folder}/ has {n} .c files, limit {MAX_SOURCES}"
            for folder, n in sorted(folders.items()) if n > MAX_SOURCES]


def main():
    root = pathlib.Path(sys.argv[1])
    wrong = {layer: [] for layer in LAYERS}
    for file in sorted(root.rglob("*.*")):
        path = file.relative_to(root)
        layer = layer_of(path.as_posix())
        if layer and file.suffix in (".c", ".h", ".cu", ".cuh"):
            wrong[layer] += check_file(root, path, layer)
    crowded = find_crowded(root)
    print(f"1..{len(LAYERS) + 1}")
    for number, (layer, lines) in enumerate(wrong.items(), 1):
        for line in lines:
            print(f"# {line}")
        print(f"{'not ok' if lines else 'ok'} {number} - {layer}")
    for line in crowded:
        print(f"# {line}")
    print(f"{'not ok' if crowded else 'ok'} {len(LAYERS) + 1} - crowded")
    return bool(crowded) or any(wrong.values())


if __name__ == "__main__":
    sys.exit(main())
