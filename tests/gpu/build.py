#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The build step of tests/gpu/run: core, the CUDA module for this card alone, and
what the other steps start. build.py BUILD_DIR ARCH

Needs neither GStreamer nor a network. Where GLib's headers are missing, see
tests/gpu/prefix; where the toolkit has no cuBLASLt, that of Python's packages
is taken.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig

ROOT = pathlib.Path(__file__).resolve().parents[2]
PREFIX = ROOT / "build-gpu-prefix"
TOOLKIT = pathlib.Path("/usr/local/cuda")


def prepend(env, name, *paths):
    env[name] = os.pathsep.join([*map(str, paths), *filter(None, [env.get(name)])])


def python_libraries():
    """Folders of the libraries that came with PyTorch."""
    packages = pathlib.Path(sysconfig.get_paths()["purelib"])
    return sorted(packages.glob("nvidia/*/lib"))


def find_cublaslt():
    """Where it is, if the loader does not find it by itself."""
    for tool in ("ldconfig", "/sbin/ldconfig"):
        if shutil.which(tool):
            known = subprocess.run([tool, "-p"], capture_output=True, text=True)
            if "libcublasLt.so.1" in known.stdout:
                return None
    folders = [TOOLKIT / "lib64", *python_libraries()]
    return next((f for f in folders if list(f.glob("libcublasLt.so.1[23]"))), None)


def program_env():
    """The environment of a program of ours."""
    env = dict(os.environ)
    found = find_cublaslt()
    if found:
        prepend(env, "LD_LIBRARY_PATH", found)
    if PREFIX.is_dir():
        prepend(env, "LD_LIBRARY_PATH", PREFIX / "lib")
    return env


def build_env():
    env = dict(os.environ)
    if PREFIX.is_dir():
        prepend(env, "PKG_CONFIG_PATH", PREFIX / "lib/pkgconfig")
        prepend(env, "PATH", PREFIX / "bin")
    nvcc = shutil.which("nvcc")
    if not nvcc:
        env["PATH"] += f"{os.pathsep}{TOOLKIT / 'bin'}"
    tops = [TOOLKIT] + ([pathlib.Path(nvcc).parents[1]] if nvcc else [])
    if any((t / "include/cublasLt.h").exists() for t in tops):
        return env
    for lib in python_libraries():
        include = lib.parent / "include"
        if (include / "cublasLt.h").exists():
            env["CFLAGS"] = f"-isystem {include} {env.get('CFLAGS', '')}"
            env["LDFLAGS"] = f"-L{lib} {env.get('LDFLAGS', '')}"
            return env
    print("cublasLt.h was not found")
    return env


def command(name, module):
    """A Python program that may be installed without its command."""
    return [name] if shutil.which(name) else [sys.executable, "-m", module]


def main():
    build, arch = pathlib.Path(sys.argv[1]), sys.argv[2]
    env = build_env()
    if not (build / "build.ninja").exists():
        status = subprocess.call(
            [*command("meson", "mesonbuild.mesonmain"), "setup", build, ROOT,
             "-Dgst=disabled", "-Dintrospection=disabled", "-Donednn=disabled",
             "-Dcuda=enabled", "-Dbuildtype=debugoptimized",
             f"-Dgpu-arch={arch}"], env=env)
        if status:
            return 1
    return 1 if subprocess.call([*command("ninja", "ninja"), "-C", build, "-k",
                                 "0"], env=env) else 0


if __name__ == "__main__":
    sys.exit(main())
