#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the programs say when something cannot be written, as a TAP test:
check_outputs.py TINY_MODEL PROGRAM...
"""

import os
import pathlib
import re
import socket
import subprocess
import sys

sys.path.append(str(pathlib.Path(__file__).parents[1] / "support"))
from tap import Folder, run_tests, skip  # noqa: E402

TINY_MODEL = sys.argv[1]
PROGRAMS = {pathlib.Path(path).name: path for path in sys.argv[2:]}
COMMANDS = [(name,) for name in PROGRAMS] + [("pe-live", "ctl"),
                                             ("pe-model", "convert")]
HELP = [(*command, "--help") for command in COMMANDS]
# What is printed by the ways that they have: text and lines of JSON.
RESULTS = [("pe-model", "inspect", TINY_MODEL),
           ("pe-model", "inspect", "--json", TINY_MODEL),
           ("pe-bench", "--list"),
           ("pe-embed", "-d", "cpu", "-t", "a dog"),
           ("pe-embed", "-d", "cpu", "-t", "a dog " * 2000)]


def run(name, *args, **how):
    """(exit status, standard output, standard error)"""
    how = {"stdout": subprocess.PIPE, **how}
    done = subprocess.run([PROGRAMS[name], *map(str, args)], check=False,
                          stderr=subprocess.PIPE, text=True, **how)
    return done.returncode, done.stdout, done.stderr


def tells_that_the_disk_is_full(_):
    if not pathlib.Path("/dev/full").is_char_device():
        skip("there is no /dev/full")
    for command in HELP + RESULTS:
        with open("/dev/full", "w", encoding="utf-8") as full:
            status, _, err = run(*command, stdout=full)
        assert status == 1, (command, status, err)
        assert (f"{command[0]}: standard output: No space left on device\n"
                in err), (command, err)


def tells_that_standard_output_is_closed(_):
    for command in HELP + RESULTS:
        status, _, err = run(*command, preexec_fn=lambda: os.close(1))
        assert status == 1, (command, status, err)
        assert f"{command[0]}: standard output: " in err, (command, err)


def tells_its_version(_):
    for name, *words in COMMANDS + [("pe-embed", "-d", "cpu"),
                                    ("pe-calibrate", "labels.json")]:
        status, out, err = run(name, *words, "--version")
        assert (status, err) == (0, ""), (name, words, status, err)
        assert re.fullmatch(
            rf"{name} \(gst-perception-encoder\) \d+\.\d+\.\d+\n", out), out
        assert "\n  --version " in run(name, *words, "--help")[1], (name, words)


def tells_the_command_in_its_usage(_):
    for name, *words in COMMANDS:
        usage = re.match(r"Usage:\s*(.*)", run(name, *words, "--help")[1])[1]
        assert usage.startswith(" ".join([name, *words])), usage


def needs_no_standard_output_for_an_error(_):
    status, _, err = run("pe-model", "frobnicate",
                         preexec_fn=lambda: os.close(1))
    assert status == 2 and "standard output" not in err, (status, err)


def embed_into(path):
    status, _, err = run("pe-embed", "-d", "cpu", "-t", "a dog", "--out", path)
    return status, err


def convert_into(path):
    status, _, err = run("pe-model", "convert", TINY_MODEL, path)
    return status, err


def replaces_regular_files_only(folder):
    fifo, sub, sock = (folder / f"{name}.safetensors"
                       for name in ("fifo", "folder", "socket"))
    os.mkfifo(fifo)
    sub.mkdir()
    dangling = folder / "dangling.safetensors"
    dangling.symlink_to("nowhere")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(sock))
        for write in embed_into, convert_into:
            for path, kind in ((fifo, "a named pipe"), (sub, "a folder"),
                               (sock, "a socket"),
                               (dangling, "leads to no file")):
                before = os.lstat(path)
                status, err = write(path)
                assert status == 1, (path, status, err)
                assert f"{path}: is a" in err and kind in err, err
                assert os.lstat(path).st_ino == before.st_ino
    assert sorted(p.name for p in folder.iterdir()) == [
        f"{name}.safetensors" for name in ("dangling", "fifo", "folder",
                                           "socket")]


def replaces_the_file_behind_a_link(folder):
    for write in embed_into, convert_into:
        real, link = folder / "real.safetensors", folder / "link.safetensors"
        real.write_text("old")
        link.unlink(missing_ok=True)
        link.symlink_to(real.name)
        status, err = write(link)
        assert status == 0, err
        assert link.is_symlink() and real.read_bytes()[:3] != b"old"


def spares_what_is_the_archives(folder):
    (folder / "packs").mkdir()
    for name in "index.sqlite", "packs/0.f16":
        (folder / name).write_text("of the archive")
        status, _, err = run("pe-search", "-a", folder, "a dog", "--html",
                             folder / name)
        assert status == 2 and "archive's own files" in err, (status, err)
        assert (folder / name).read_text() == "of the archive"
    os.mkfifo(folder / "fifo.html")
    status, _, err = run("pe-search", "-a", folder, "a dog", "--html",
                         folder / "fifo.html")
    assert status == 1 and "a named pipe" in err, (status, err)
    _, _, err = run("pe-search", "-a", folder, "a dog", "--html",
                    folder / "found.html")
    assert "found.html" not in err, err


def bounds_the_frames_of_a_video(_):
    for n in 0, -1, 4097, 2147483647:
        status, _, err = run("pe-embed", "--video", "/nowhere.mp4", "--frames", n)
        assert status == 2, (n, status, err)
        assert f"--frames {n}: must be from 1 to 4096" in err, err


if __name__ == "__main__":
    sys.exit(run_tests([
        tells_its_version, tells_the_command_in_its_usage,
        tells_that_the_disk_is_full, tells_that_standard_output_is_closed,
        needs_no_standard_output_for_an_error, replaces_regular_files_only,
        replaces_the_file_behind_a_link, spares_what_is_the_archives,
        bounds_the_frames_of_a_video], Folder))
