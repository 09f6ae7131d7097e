#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""pe-embed --image and every kind of picture file, as a TAP test:
check_pictures.py PE_EMBED

Each file is embedded and compared with its pixels as Pillow's convert("RGB")
has them, turned by EXIF, in an 8-bit PNG; or it is refused in words that say
why. Skips without Pillow.
"""

import io
import json
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import zlib

try:
    from PIL import Image, ImageOps
except ImportError:
    print("1..0 # SKIP no Pillow (Debian: python3-pil)")
    sys.exit(0)

ALIKE = 0.99999
WIDTH, HEIGHT = 120, 88
CUT = "the file ends too early"
GREY16 = "a grey picture of 16 bits"


def draw():
    """Colours that change slowly, with some noise, and a bright corner."""
    noise = random.Random(1)
    data = bytearray()
    for y in range(HEIGHT):
        for x in range(WIDTH):
            corner = 90 if x < 40 and y < 20 else 0
            data += bytes((min(255, 2 * x + corner), min(255, y + 2 * corner),
                           (x * y // 40 + noise.randrange(9)) % 256))
    return Image.frombytes("RGB", (WIDTH, HEIGHT), bytes(data))


RGB = draw()
GREY = RGB.convert("L")
ALPHA = Image.linear_gradient("L").resize((WIDTH, HEIGHT))
RGBA = RGB.copy()
RGBA.putalpha(ALPHA)
PALETTE = RGB.quantize(200)
TURNED = RGB.transpose(Image.ROTATE_180)


def save(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def exif(orientation, order="<"):
    """A directory of one tag in either order of bytes."""
    return (b"Exif\0\0" + (b"II" if order == "<" else b"MM") +
            struct.pack(order + "HIHHHIHHI", 42, 8, 1, 274, 3, 1, orientation,
                        0, 0))


def chunk(name, data):
    return (struct.pack(">I", len(data)) + name + data +
            struct.pack(">I", zlib.crc32(name + data)))


def png(colour, depth, samples, more=b""):
    """Of samples in lines; a 16-bit one has other low bytes than high ones."""
    n = len(samples) // HEIGHT
    lines = [samples[i * n:(i + 1) * n] for i in range(HEIGHT)]
    if depth == 16:
        lines = [bytes(b for v in line for b in (v, 255 - v))
                 for line in lines]
    head = struct.pack(">IIBBBBB", WIDTH, HEIGHT, depth, colour, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + more +
            chunk(b"IDAT", zlib.compress(b"".join(b"\0" + s for s in lines))) +
            chunk(b"IEND", b""))


def interlaced_png():
    pixels = RGB.load()
    data = b""
    for x0, y0, dx, dy in ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8),
                           (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
                           (0, 1, 1, 2)):
        for y in range(y0, HEIGHT, dy):
            data += b"\0" + bytes(v for x in range(x0, WIDTH, dx)
                                  for v in pixels[x, y])
    head = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 1)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) +
            chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b""))


def tiff16(samples, photometric, image):
    """Without compression, little endian."""
    data = bytes(b for i, v in enumerate(image.tobytes())
                 for b in (i * 77 % 256, v))
    tags = [(256, WIDTH), (257, HEIGHT), (258, 16), (259, 1),
            (262, photometric), (273, 0), (277, samples), (278, HEIGHT),
            (279, len(data))]
    after = 8 + 2 + 12 * len(tags) + 4
    entries = b""
    for tag, value in tags:
        count, kind = 1, 4
        if tag == 258:
            count, kind = samples, 3
            value = after if samples > 2 else value
        if tag == 273:
            value = after + 2 * samples
        entries += struct.pack("<HHII", tag, kind, count, value)
    return (b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries +
            bytes(4) + struct.pack(f"<{samples}H", *[16] * samples) + data)


def cmyk_jpeg(transform):
    """Adobe's marker says whether the four are CMYK (0) or YCCK (2)."""
    data = bytearray(save(RGB.convert("CMYK"), "JPEG", quality=90))
    data[data.index(b"Adobe") + 11] = transform
    return bytes(data)


def profiled(kind):
    """Nobody looks into the colour profile."""
    return save(RGB, kind, icc_profile=b"x" * 200)


def tif(image=RGB, compression=None, **options):
    return save(image, "TIFF", compression=compression, **options)


def webp(image=RGB, **options):
    return save(image, "WEBP", **{"lossless": True, "exact": True, **options})


def make_files():
    """name -> bytes; None: Pillow cannot write that here"""
    files = {
        "rgb.png": save(RGB, "PNG"), "grey.png": save(GREY, "PNG"),
        "rgba.png": save(RGBA, "PNG"),
        "grey-alpha.png": save(RGBA.convert("LA"), "PNG"),
        "rgb16.png": png(2, 16, RGB.tobytes()),
        "rgba16.png": png(6, 16, RGBA.tobytes()),
        "palette.png": save(PALETTE, "PNG"),
        "palette4.png": save(RGB.quantize(13), "PNG", bits=4),
        "palette-alpha.png": save(PALETTE, "PNG",
                                  transparency=bytes([0, 128] * 100)),
        "colour-key.png": png(2, 8, RGB.tobytes(), chunk(
            b"tRNS", struct.pack(">HHH", *RGB.getpixel((3, 3))))),
        "one-bit.png": save(RGB.convert("1"), "PNG"),
        "interlaced.png": interlaced_png(),
        "gamma.png": png(2, 8, RGB.tobytes(),
                         chunk(b"gAMA", struct.pack(">I", 100000))),
        "profile.png": profiled("PNG"),
        "turned.png": png(2, 8, RGB.tobytes(), chunk(b"eXIf", exif(6)[6:])),
        "baseline.jpg": save(RGB, "JPEG", quality=90),
        "progressive.jpg": save(RGB, "JPEG", quality=90, progressive=True),
        "full-chroma.jpg": save(RGB, "JPEG", quality=90, subsampling=0),
        "grey.jpg": save(GREY, "JPEG", quality=90),
        "cmyk.jpg": cmyk_jpeg(0), "ycck.jpg": cmyk_jpeg(2),
        "profile.jpg": profiled("JPEG"),
        "big-endian.jpg": save(RGB, "JPEG", quality=90, exif=exif(8, ">")),
        "trailing-bytes.jpg": save(RGB, "JPEG", quality=90) + bytes(999),
        "rgb.bmp": save(RGB, "BMP"), "palette.bmp": save(PALETTE, "BMP"),
        "one-bit.bmp": save(RGB.convert("1"), "BMP"),
        "raw.tif": tif(), "lzw.tif": tif(compression="tiff_lzw"),
        "deflate.tif": tif(compression="tiff_deflate"),
        "cmyk.tif": tif(RGB.convert("CMYK")), "grey.tif": tif(GREY),
        "palette.tif": tif(PALETTE),
        "fax.tif": tif(RGB.convert("1"), compression="group4"),
        "rgb16.tif": tiff16(3, 2, RGB),
        "lossless.webp": webp(), "lossy.webp": webp(lossless=False),
        "alpha.webp": webp(RGBA),
        "animated.webp": webp(save_all=True, append_images=[TURNED]),
        "turned.webp": webp(exif=exif(6)),
        "still.gif": save(PALETTE, "GIF"),
        "animated.gif": save(PALETTE, "GIF", save_all=True, duration=100,
                             append_images=[TURNED.quantize(99)]),
        "transparent.gif": save(PALETTE, "GIF",
                                transparency=PALETTE.getpixel((60, 40))),
        "rgb.ppm": save(RGB, "PPM"), "grey.pgm": save(GREY, "PPM"),
        "one-bit.pbm": save(RGB.convert("1"), "PPM"),
        "bitmap.ico": save(RGBA.resize((64, 64)), "ICO", sizes=[(64, 64)],
                           bitmap_format="bmp"),
        "bitmaps.ico": save(RGB.resize((64, 64)), "ICO", bitmap_format="bmp",
                            sizes=[(16, 16), (64, 64), (32, 32)]),
        "png.ico": save(RGBA.resize((64, 64)), "ICO",
                        sizes=[(32, 32), (64, 64), (16, 16)]),
        "rgb.tga": save(RGB, "TGA"),
    }
    for i in range(1, 9):
        files[f"exif-{i}.jpg"] = save(RGB, "JPEG", quality=90, exif=exif(i))
        files[f"tag-{i}.tif"] = tif(tiffinfo={274: i})
    files["wrong-name.png"] = files["baseline.jpg"]
    files["no-name"] = files["lzw.tif"]
    return files


def make_refused(files):
    """name -> bytes, words of the refusal"""
    pgm16 = b"P5\n# a comment\n%d %d\n65535\n" % (WIDTH, HEIGHT)
    refused = {
        "empty.png": (b"", "the file is empty"),
        "text.jpg": (b"hello " * 99, "not a picture of a known kind (png"),
        "video.png": (b"\0\0\0\x18ftypisom" + bytes(99),
                      "a video, not a picture (pe-embed takes it as --video)"),
        "jpeg2000.jp2": (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(99),
                         "JPEG 2000, which is not a picture of a known kind"),
        "grey16.png": (png(0, 16, GREY.tobytes()), GREY16),
        "grey16.tif": (tiff16(1, 1, GREY), GREY16),
        "grey16.pgm": (pgm16 + bytes(2 * WIDTH * HEIGHT), GREY16),
        "alpha.tif": (tif(RGBA), "a TIFF with transparency"),
        "wide.png": (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(
            ">IIBBBBB", 16385, 8, 8, 2, 0, 0, 0)) + chunk(b"IDAT", b""),
                     "16385x8"),
    }
    for name in ("rgb.png", "interlaced.png", "baseline.jpg",
                 "progressive.jpg", "exif-6.jpg", "rgb.bmp", "lossy.webp",
                 "still.gif", "rgb.ppm", "raw.tif", "lzw.tif", "rgb.tga",
                 "bitmap.ico", "png.ico"):
        words = ("cannot be decoded" if name.endswith(("gif", "tif", "tga"))
                 else CUT)
        size = len(files[name])
        cuts = [size * 2 // 3]
        # The others end with something that the picture does not need.
        if not name.endswith(("tga", "ico")):
            cuts.append(size - 20)
        for n in cuts:
            refused[f"{n}-of-{name}"] = (files[name][:n], words)
    return refused


def see(data):
    """The picture as the reference's loader has it, seen upright."""
    image = Image.open(io.BytesIO(data))
    image.load()
    # A TIFF has been turned by load(), and keeps its tag in some versions.
    if image.format != "TIFF":
        image = ImageOps.exif_transpose(image)
    return image.convert("RGB")


def embed(program, paths):
    """path -> embedding, and the lines of standard error"""
    args = [program]
    for path in paths:
        args += ["--image", str(path)]
    done = subprocess.run(args, capture_output=True, text=True, check=False)
    lines = map(json.loads, done.stdout.splitlines())
    return ({line["path"]: line["embedding"] for line in lines},
            done.stderr.splitlines(), done.returncode)


class Tap:
    n = 0
    failed = 0

    def check(self, ok, name, remark):
        self.n += 1
        self.failed += not ok
        print(f"{'ok' if ok else 'not ok'} {self.n} - {name}: {remark}")


def check_same(tap, program, folder, files):
    for name, data in files.items():
        (folder / name).write_bytes(data)
        see(data).save(folder / (name + ".seen.png"))
    names = [name + end for name in files for end in ("", ".seen.png")]
    found, errors, _ = embed(program, [folder / name for name in names])
    for name in files:
        a, b = (found.get(str(folder / (name + end)))
                for end in ("", ".seen.png"))
        if not a or not b:
            said = [e for e in errors if str(folder / name) in e]
            tap.check(False, name, f"not embedded {said}")
            continue
        cosine = sum(x * y for x, y in zip(a, b))
        tap.check(cosine >= ALIKE, name,
                  f"cosine {cosine:.7f} to Pillow's (limit {ALIKE})")


def check_refused(tap, program, folder, refused):
    for name, (data, _) in refused.items():
        (folder / name).write_bytes(data)
    found, errors, status = embed(program, [folder / n for n in refused])
    for name, (_, words) in refused.items():
        path = str(folder / name)
        said = [e for e in errors if f"{path}: " in e]
        tap.check(path not in found and len(said) == 1 and words in said[0],
                  name, f"{said}, expected: {words}")
    _, errors, _ = embed(program, [folder])
    tap.check(len(errors) == 1 and "is not a regular file" in errors[0],
              "a folder", errors)
    tap.check(status == 1, "the exit status tells of refusals", status)


def main():
    tap = Tap()
    files = make_files()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        check_same(tap, sys.argv[1], folder, files)
        check_refused(tap, sys.argv[1], folder, make_refused(files))
    print(f"1..{tap.n}")
    sys.exit(tap.failed > 0)


main()
