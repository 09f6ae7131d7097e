# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests in Python as the Test Anything Protocol: functions that run one after
the other, each of which may be skipped by itself.
"""

import pathlib
import subprocess
import sys
import tempfile


class Skipped(Exception):
    """Something that a test needs is not here."""


def skip(why):
    raise Skipped(why)


def need_elements(*names):
    """Without GStreamer's own elements, no video can be read."""
    for name in names:
        try:
            # Without a version it would ask for GStreamer's own.
            missing = subprocess.run(
                ["gst-inspect-1.0", "--exists", "--atleast-version=0.0", name],
                check=False, stderr=subprocess.DEVNULL).returncode
        except FileNotFoundError:
            skip("there is no gst-inspect-1.0")
        if missing:
            skip(f"there is no element {name}")


class Folder(tempfile.TemporaryDirectory):
    """An empty folder, by its real path, as the programs name it."""

    def __enter__(self):
        return pathlib.Path(super().__enter__()).resolve()


def run_one(test, make_folder):
    if make_folder is None:
        return test()
    with make_folder() as folder:
        return test(folder)


def tell(error):
    """What went wrong, and in which line of the test: where the log of a test
    that failed shows it.
    """
    text = str(error) or repr(error)
    if not isinstance(error, AssertionError):
        text = f"{type(error).__name__}: {text}"
    for line in text.splitlines():
        print(f"# {line}", file=sys.stderr)
    where = error.__traceback__
    while where.tb_next:
        where = where.tb_next
    print(f"# at {where.tb_frame.f_code.co_name}:{where.tb_lineno}",
          file=sys.stderr, flush=True)


def run_tests(tests, make_folder=None):
    """Whether any failed.

    make_folder() is a context with an empty folder, which each test is given.
    """
    print(f"1..{len(tests)}")
    failed = False
    for number, test in enumerate(tests, 1):
        try:
            run_one(test, make_folder)
            print(f"ok {number} - {test.__name__}", flush=True)
        except Skipped as why:
            print(f"ok {number} - {test.__name__} # SKIP {why}", flush=True)
        except Exception as error:  # pylint: disable=broad-except
            failed = True
            tell(error)
            print(f"not ok {number} - {test.__name__}", flush=True)
    return failed
