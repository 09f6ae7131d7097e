#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Plants bugs in the CUDA kernels and asks the tests to find them, as a TAP
test: check_mutations.py ROOT CHECK_CUDA_HOST LIBPE_CORE [PATTERN]

Every mutation of mutations.txt is made in a copy of its kernel file, which is
compiled for the emulator and put below the test program with LD_PRELOAD; the
tests of that file have to fail. The files as they are have to pass in the same
way. PATTERN takes only mutations whose title matches. $CXX is the compiler.
"""

import concurrent.futures
import dataclasses
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

FILES = ("attention", "bias", "norm", "pool", "preprocess", "tokens")
SECONDS = 60  # of one run with a mutation, which may never end
HERE = pathlib.Path(__file__).parent
# Misaligned reads, which this machine forgives and a GPU does not, trap.
FLAGS = ("-std=gnu++17 -O1 -fPIC -shared -w -fsanitize=alignment "
         "-fsanitize-undefined-trap-on-error").split()


@dataclasses.dataclass
class Mutation:
    title: str
    file: str
    old: str
    new: str


def read_mutations(path):
    """See the head of mutations.txt."""
    mutations = []
    for block in path.read_text().split("\n=== ")[1:]:
        head, body = block.split("\n", 1)
        file, title = head.split(": ", 1)
        old, new = body.split("\n---\n", 1)
        mutations.append(Mutation(title, file, old.strip("\n"),
                                  new.strip("\n")))
    return mutations


def mutate(source, mutation):
    """The source with the bug, or None: `old` is not there exactly once.
    Blanks and line ends count alike, as the formatter moves them."""
    pattern = r"\s+".join(re.escape(word) for word in mutation.old.split())
    if len(re.findall(pattern, source)) != 1:
        return None
    return re.sub(pattern, lambda _: mutation.new, source)


class Runner:
    def __init__(self, root, program, core, folder):
        self.root, self.program, self.folder = root, program, folder
        glib = ["glib-2.0", "gmodule-no-export-2.0"]
        self.libs = [core] + self.pkg_config("--libs", glib)
        self.cflags = self.pkg_config("--cflags", glib)

    @staticmethod
    def pkg_config(what, packages):
        return subprocess.run(["pkg-config", what, *packages], check=True,
                              capture_output=True, text=True).stdout.split()

    def build(self, name, source):
        """The library, or the compiler's words in an exception."""
        kernel = self.folder / f"{name}.cu"
        kernel.write_text(source)
        unit = self.folder / f"{name}.cpp"
        unit.write_text('#include "tests/cuda_host/emulator.h"\n'
                        f'#include "{kernel}"\n')
        library = self.folder / f"{name}.so"
        compiler = os.environ.get("CXX", "c++").split()
        subprocess.run([*compiler, *FLAGS, f"-I{self.root}", *self.cflags,
                        str(unit), "-o", str(library), *self.libs],
                       check=True, capture_output=True, text=True)
        return library

    def run(self, name, file, source, limit):
        """How the tests of a file end with this source: "passed", "failed",
        "crashed", "never ended" within the limit in seconds, or why it could
        not be compiled."""
        try:
            library = self.build(name, source)
        except subprocess.CalledProcessError as e:
            return "did not compile: " + e.stderr.strip().split("\n")[0]
        env = dict(os.environ, LD_PRELOAD=str(library))
        try:
            code = subprocess.run(
                [self.program, "-p", f"/cuda_host/{file}"], env=env,
                timeout=limit, capture_output=True).returncode
        except subprocess.TimeoutExpired:
            return "never ended"
        finally:
            library.unlink()
        # GLib's tests end with abort() after a failure.
        if code > 0 or code == -signal.SIGABRT:
            return "failed"
        return "crashed" if code else "passed"


def read_source(root, file):
    """A kernel's source with the header that only it includes."""
    def inline(match):
        header = (root / match.group(1)).read_text()
        return header.replace("#pragma once\n", "")
    source = (root / "cuda" / f"{file}.cu").read_text()
    return re.sub(r'#include "(cuda/frame\.h)"\n', inline, source)


def main():
    root, program, core = (pathlib.Path(a).resolve() for a in sys.argv[1:4])
    mutations = read_mutations(HERE / "mutations.txt")
    if len(sys.argv) > 4:
        mutations = [m for m in mutations
                     if re.search(sys.argv[4], f"{m.file}: {m.title}")]
    sources = {f: read_source(root, f) for f in FILES}
    jobs = [(f"{f}: as it is", f, sources[f], True) for f in FILES]
    for m in mutations:
        jobs.append((f"{m.file}: {m.title}", m.file,
                     mutate(sources[m.file], m), False))
    print(f"1..{len(jobs)}", flush=True)

    def work(job):
        index, (title, file, source, pristine) = job
        if source is None:
            return "does not apply any more"
        began = time.monotonic()
        # A busy machine is no failure of the source as it is.
        end = runner.run(f"m{index}", file, source,
                         None if pristine else SECONDS)
        return end, time.monotonic() - began

    failures = 0
    with tempfile.TemporaryDirectory() as folder, \
            concurrent.futures.ThreadPoolExecutor(
                min(4, os.cpu_count() or 1)) as pool:
        runner = Runner(root, program, str(core), pathlib.Path(folder))
        ends = pool.map(work, enumerate(jobs))
        for number, (job, end) in enumerate(zip(jobs, ends), 1):
            what, seconds = end if isinstance(end, tuple) else (end, 0)
            wanted = ("passed",) if job[3] else (
                "failed", "crashed", "never ended")
            ok = what in wanted
            failures += not ok
            print(f"{'ok' if ok else 'not ok'} {number} - {job[0]}: {what} "
                  f"({seconds:.1f} s)", flush=True)
    return failures > 0


if __name__ == "__main__":
    sys.exit(main())
