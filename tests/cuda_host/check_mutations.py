#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Plants bugs in the CUDA kernels and asks the tests to find them, as a TAP
test:

    check_mutations.py ROOT CHECK_CUDA_HOST LIBPE_CORE [PATTERN]
    check_mutations.py --ptx ROOT CHECK_PTX [NVCC [PATTERN]]

Every mutation of mutations.txt is made in a copy of its kernel file, which is
compiled for the emulator and put below the test program with LD_PRELOAD; the
tests of that file have to fail. The files as they are have to pass in the same
way. PATTERN takes only mutations whose title matches. $CXX is the compiler.

With --ptx, those of ptx/mutations.txt are bugs in cuda/device.h and
cuda/hopper/device.h, which the emulator does not see. nvcc makes PTX of a kernel
file with that header, and the interpreter runs it. Skips without NVCC.
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

FILES = ("attention", "bias", "hopper/attention", "hopper/linear", "int8/linear",
         "int8/rows", "norm", "pool", "preprocess", "tokens")
SECONDS = 60  # of one run with a mutation, which may never end
HERE = pathlib.Path(__file__).parent
# Misaligned reads, which this machine forgives and a GPU does not, trap.
FLAGS = ("-std=gnu++17 -O1 -fPIC -shared -w -fsanitize=alignment "
         "-fsanitize-undefined-trap-on-error").split()
NVCC_FLAGS = "-std=c++17 -O3 -diag-suppress=1217 -w".split()


@dataclasses.dataclass(frozen=True)
class Unit:
    """A kernel file, and in PTX for what."""
    file: str
    arch: str = ""

    def __str__(self):
        return f"{self.file} {self.arch}".strip()


@dataclasses.dataclass
class Mutation:
    title: str
    unit: Unit
    old: str
    new: str


def read_mutations(path):
    """See the head of mutations.txt."""
    mutations = []
    for block in path.read_text().split("\n=== ")[1:]:
        head, body = block.split("\n", 1)
        unit, title = head.split(": ", 1)
        old, new = body.split("\n---\n", 1)
        mutations.append(Mutation(title, Unit(*unit.split(" ")),
                                  old.strip("\n"), new.strip("\n")))
    return mutations


def mutate(source, mutation):
    """The source with the bug, or None: `old` is not there exactly once.
    Blanks and line ends count alike, as the formatter moves them."""
    pattern = r"\s+".join(re.escape(word) for word in mutation.old.split())
    if len(re.findall(pattern, source)) != 1:
        return None
    return re.sub(pattern, lambda _: mutation.new, source)


class Runner:
    """Compiles a source and runs the tests of its file with it."""

    def __init__(self, root, program, folder):
        self.root, self.program, self.folder = root, program, folder
        self.includes = self.pkg_config("--cflags-only-I")

    @staticmethod
    def pkg_config(what):
        return subprocess.run(
            ["pkg-config", what, "glib-2.0", "gmodule-no-export-2.0"],
            check=True, capture_output=True, text=True).stdout.split()

    @staticmethod
    def compile(command):
        """The compiler's words are in the exception."""
        subprocess.run(command, check=True, capture_output=True, text=True)

    def run(self, name, unit, source, limit):
        """How the tests of a file end with this source: "passed", "failed",
        "crashed", "never ended" within the limit in seconds, or why it could
        not be compiled."""
        try:
            made = self.build(name, unit, source)
        except subprocess.CalledProcessError as e:
            return "did not compile: " + e.stderr.strip().split("\n")[0]
        arguments, env = self.use(made)
        try:
            code = subprocess.run(
                [self.program, *arguments, "-p", f"/cuda_host/{unit.file}"],
                env=dict(os.environ, PE_TEST_ONE_FAILURE="1", **env),
                timeout=limit,
                capture_output=True).returncode
        except subprocess.TimeoutExpired:
            return "never ended"
        finally:
            made.unlink()
        # GLib's tests end with abort() after a failure.
        if code > 0 or code == -signal.SIGABRT:
            return "failed"
        return "crashed" if code else "passed"


class EmulatorRunner(Runner):
    mutations = HERE / "mutations.txt"
    # That only the kernel files include.
    headers = ("cuda/frame.h", "cuda/fragments.h", "cuda/gelu.h",
               "cuda/softmax.h", "cuda/hopper/device.h", "cuda/hopper/ring.h")

    def __init__(self, root, program, folder, core):
        super().__init__(root, program, folder)
        self.libs = [core] + self.pkg_config("--libs")

    @staticmethod
    def units(mutations):
        return [Unit(f) for f in FILES]

    def build(self, name, unit, source):
        """A library with the kernels of a file."""
        kernel = self.folder / f"{name}.cu"
        kernel.write_text(source)
        cpp = self.folder / f"{name}.cpp"
        cpp.write_text('#include "tests/cuda_host/hopper.h"\n'
                       f'#include "{kernel}"\n')
        library = self.folder / f"{name}.so"
        compiler = os.environ.get("CXX", "c++").split()
        self.compile([*compiler, *FLAGS, f"-I{self.root}", *self.includes,
                      str(cpp), "-o", str(library), *self.libs])
        return library

    @staticmethod
    def use(library):
        return [], {"LD_PRELOAD": str(library)}


class PtxRunner(Runner):
    mutations = HERE / "ptx/mutations.txt"
    headers = ("cuda/device.h", "cuda/frame.h", "cuda/fragments.h", "cuda/gelu.h",
               "cuda/softmax.h", "cuda/hopper/device.h", "cuda/hopper/ring.h",
               "cuda/int8/device.h")

    def __init__(self, root, program, folder, nvcc):
        super().__init__(root, program, folder)
        self.nvcc = nvcc

    @staticmethod
    def units(mutations):
        return list(dict.fromkeys(m.unit for m in mutations))

    def build(self, name, unit, source):
        kernel = self.folder / f"{name}.cu"
        kernel.write_text(source)
        ptx = self.folder / f"{name}.ptx"
        self.compile([self.nvcc, "-ptx", f"-arch={unit.arch}", *NVCC_FLAGS,
                      f"-I{self.root}", *self.includes, str(kernel), "-o",
                      str(ptx)])
        return ptx

    @staticmethod
    def use(ptx):
        return [str(ptx)], {}


def read_source(root, file, headers):
    """A kernel's source with some of its headers in it, each once."""
    source = (root / "cuda" / f"{file}.cu").read_text()
    for header in reversed(headers):
        include = f'#include "{header}"\n'
        text = (root / header).read_text().replace("#pragma once\n", "")
        source = source.replace(include, text, 1)
    for header in headers:
        source = source.replace(f'#include "{header}"\n', "")
    return source


def parse_arguments(arguments):
    """The runner's class and its arguments but for the folder, and a pattern;
    None when there is no nvcc."""
    of_ptx = arguments[:1] == ["--ptx"]
    if of_ptx and len(arguments) < 4:
        return None
    root, program, tool, *pattern = arguments[of_ptx:]
    root, program = pathlib.Path(root).resolve(), pathlib.Path(program).resolve()
    if of_ptx:
        return PtxRunner, (root, program), tool, pattern
    tool = str(pathlib.Path(tool).resolve())
    return EmulatorRunner, (root, program), tool, pattern


def list_jobs(kind, root, pattern):
    """(title, unit, source, whether it has to pass)"""
    mutations = read_mutations(kind.mutations)
    if pattern:
        mutations = [m for m in mutations
                     if re.search(pattern[0], f"{m.unit}: {m.title}")]
    units = kind.units(mutations)
    sources = {u: read_source(root, u.file, kind.headers) for u in units}
    jobs = [(f"{u}: as it is", u, sources[u], True) for u in units]
    for m in mutations:
        jobs.append((f"{m.unit}: {m.title}", m.unit,
                     mutate(sources[m.unit], m), False))
    return jobs


def main():
    parsed = parse_arguments(sys.argv[1:])
    if not parsed:
        print("1..0 # SKIP there is no nvcc")
        return 0
    kind, (root, program), tool, pattern = parsed
    jobs = list_jobs(kind, root, pattern)
    print(f"1..{len(jobs)}", flush=True)

    def work(job):
        index, (_, unit, source, pristine) = job
        if source is None:
            return "does not apply any more"
        began = time.monotonic()
        # A busy machine is no failure of the source as it is.
        end = runner.run(f"m{index}", unit, source,
                         None if pristine else SECONDS)
        return end, time.monotonic() - began

    failures = 0
    with tempfile.TemporaryDirectory() as folder, \
            concurrent.futures.ThreadPoolExecutor(
                min(4, os.cpu_count() or 1)) as pool:
        runner = kind(root, program, pathlib.Path(folder), tool)
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
