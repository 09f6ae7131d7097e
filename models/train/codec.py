# SPDX-License-Identifier: LGPL-2.1-or-later
"""Frames through a real H.264 encoder and decoder, by way of gst-launch-1.0."""

from __future__ import annotations

import shlex
import subprocess
import tempfile
from pathlib import Path

import numpy as np

# GStreamer colorimetry of BT.601 (standard) and BT.709 (high) definition video.
LIMITED_601, LIMITED_709 = "bt601", "bt709"
FULL_601, FULL_709 = "1:4:16:4", "1:3:5:1"


def launch(pipeline: str, data: bytes = b"") -> bytes:
    """Run a pipeline with `data` on fdsrc; what fdsink writes comes back."""
    command = ["gst-launch-1.0", "-q", *shlex.split(pipeline)]
    done = subprocess.run(command, input=data, capture_output=True)
    if done.returncode != 0:
        raise RuntimeError(f"{pipeline}: {done.stderr.decode(errors='replace')}")
    return done.stdout


def as_frames(raw: bytes, height: int, width: int) -> np.ndarray:
    """Rows of RGB padded to 4 bytes, as GStreamer lays them out, to [n, h, w, 3]."""
    stride = (width * 3 + 3) // 4 * 4
    rows = np.frombuffer(raw, np.uint8).reshape(-1, height, stride)
    return rows[:, :, : width * 3].reshape(-1, height, width, 3)


def source(frames: np.ndarray, fps: int) -> str:
    n, h, w, _ = frames.shape
    if w % 4:
        raise ValueError(f"a width of {w} is not a multiple of 4")
    return (
        f"fdsrc blocksize={h * w * 3} ! "
        f"rawvideoparse format=rgb width={w} height={h} framerate={fps}/1"
    )


def encoder(quantizer: int, key_int: int, colorimetry: str, layout: str) -> str:
    return (
        f"videoconvert ! video/x-raw,format={layout},colorimetry={colorimetry} ! "
        f"x264enc pass=quant quantizer={quantizer} key-int-max={key_int} "
        "speed-preset=veryfast bframes=0 threads=1"
    )


def round_trip(
    frames: np.ndarray, quantizer: int, key_int: int = 4, colorimetry: str = LIMITED_601
) -> np.ndarray:
    """RGB [n, h, w, 3] encoded, decoded and converted back."""
    raw = launch(
        f"{source(frames, 25)} ! {encoder(quantizer, key_int, colorimetry, 'I420')} ! "
        "h264parse ! avdec_h264 max-threads=1 ! videoconvert ! "
        "video/x-raw,format=RGB ! fdsink sync=false",
        frames.tobytes(),
    )
    return as_frames(raw, *frames.shape[1:3])


def write_mp4(
    path: str | Path,
    frames: np.ndarray,
    fps: int,
    quantizer: int = 26,
    key_int: int = 60,
    colorimetry: str = LIMITED_601,
    layout: str = "I420",
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "clip.mp4"
        launch(
            f"{source(frames, fps)} ! {encoder(quantizer, key_int, colorimetry, layout)} ! "
            f"h264parse ! mp4mux ! filesink location={out}",
            frames.tobytes(),
        )
        Path(path).write_bytes(out.read_bytes())


def test_pattern(pattern: str, height: int, width: int, n: int, extra: str = "") -> np.ndarray:
    """Frames of a pattern of videotestsrc after H.264."""
    raw = launch(
        f"videotestsrc num-buffers={n} pattern={pattern} {extra} ! "
        f"video/x-raw,format=I420,width={width},height={height},framerate=5/1 ! "
        "x264enc pass=quant quantizer=26 speed-preset=veryfast bframes=0 threads=1 ! "
        "avdec_h264 max-threads=1 ! "
        "videoconvert ! video/x-raw,format=RGB ! fdsink sync=false"
    )
    return as_frames(raw, height, width)


def read_mp4(path: str | Path, height: int, width: int) -> np.ndarray:
    """All frames of an H.264 file as RGB [n, h, w, 3]."""
    raw = launch(
        f"filesrc location={path} ! qtdemux ! h264parse ! avdec_h264 ! videoconvert ! "
        "video/x-raw,format=RGB ! fdsink sync=false"
    )
    return as_frames(raw, height, width)
