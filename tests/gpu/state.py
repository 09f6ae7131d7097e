# SPDX-License-Identifier: LGPL-2.1-or-later
"""What an occasion on a card has brought so far: one JSON file that is valid at any
time, and the steps in it, each with its deadline.

    {"format": 1, "card": "...", "driver": "...", "commit": "...", "date": "...",
     "limit_s": 560, "state": "running",
     "steps": [{"name": "measure L bf16", "state": "done", "seconds": 31.5,
                "reason": "", "result": {...}}, ...]}

States of a step: waiting, running, done, failed, stopped (its time was up, or
the run was ended), skipped. All but the first and done have a reason. What a
program has measured is in the file within half a second, and stays there when the
program or the run is killed.
"""

import ctypes
import json
import os
import pathlib
import signal
import subprocess
import time

GRACE = 3  # seconds between asking a program to end and ending it
POLL = 0.3
SKIP = 77


def write_whole(path, text):
    new = path.with_name(path.name + ".new")
    new.write_text(text)
    os.replace(new, path)


def read_json(path):
    """None when there is none, or only half of one."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None


def end_with_parent():
    """In the child: a run that is killed leaves no program on the card behind."""
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class State:
    """The file, its steps by name, and the time that is left."""

    def __init__(self, path, head, limit, logs):
        self.path, self.logs = path, logs
        self.start = time.monotonic()
        self.limit = limit
        self.interrupted = False
        self.data = {"format": 1, **head, "limit_s": limit, "state": "running",
                     "steps": []}

    def resume(self):
        """Take over what an earlier run of the same has done. Returns how many steps
        that are; a file of another card or commit, or a finished one, is kept
        as .old."""
        old = read_json(self.path)
        if not old:
            return 0
        same = all(old.get(key) == self.data[key]
                   for key in ("format", "card", "driver", "commit", "device"))
        if not same or old.get("state") == "finished":
            os.replace(self.path, self.path.with_suffix(".json.old"))
            return 0
        done = [s for s in old["steps"] if s["state"] == "done"]
        self.data["steps"] = done
        return len(done)

    def save(self):
        write_whole(self.path, json.dumps(self.data, indent=1) + "\n")

    def interrupt(self, number, frame):
        """A handler of signals. What runs is ended by who waits for it, so that no
        moment is a wrong one."""
        self.interrupted = True

    def left(self):
        return self.limit - (time.monotonic() - self.start)

    def find(self, name):
        return next((s for s in self.data["steps"] if s["name"] == name), None)

    def add(self, name):
        """The step of this name, waiting unless an earlier run has done it."""
        step = self.find(name)
        if not step:
            step = {"name": name, "state": "waiting", "seconds": 0, "reason": ""}
            self.data["steps"].append(step)
        return step

    def set(self, step, state, reason=""):
        step["state"], step["reason"] = state, reason
        self.save()

    def run(self, step, command, limit, env, out=None):
        """Run a program for at most `limit` seconds. Its output goes into a log of
        the step's name, its JSON in `out` into the step."""
        log = self.logs / (step["name"].replace(" ", "-") + ".log")
        if out:
            out.unlink(missing_ok=True)
        step.pop("result", None)
        step["log"] = log.name
        self.set(step, "running")
        start = time.monotonic()
        with log.open("wb") as f:
            try:
                child = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=f, stderr=f,
                    env={**env, "PE_STEP": step["name"]},
                    start_new_session=True, preexec_fn=end_with_parent)
            except OSError as e:
                self.set(step, "failed", f"{command[0]}: {e.strerror}")
                return
            why = self._watch(child, step, start, limit, out)
        self._collect(step, out, start)
        if why:
            self.set(step, "stopped", why)
        elif child.returncode == SKIP:
            self.set(step, "skipped", last_line(log))
        elif child.returncode:
            self.set(step, "failed",
                     f"status {child.returncode}: {last_line(log)}")
        else:
            self.set(step, "done")

    def _collect(self, step, out, start):
        step["seconds"] = round(time.monotonic() - start, 1)
        result = read_json(out) if out else None
        if result is not None:
            step["result"] = result

    def _watch(self, child, step, start, limit, out):
        """Why it had to be ended; None when it has ended by itself."""
        seen = None
        while True:
            try:
                child.wait(POLL)
                return None
            except subprocess.TimeoutExpired:
                pass
            if self.interrupted or time.monotonic() >= start + limit:
                end(child)
                return ("the run was ended" if self.interrupted
                        else f"it had {limit:.0f} s")
            now = stamp(out)
            if now != seen:
                seen = now
                self._collect(step, out, start)
                self.save()


def stamp(path):
    try:
        found = path.stat() if path else None
        return found and (found.st_mtime_ns, found.st_ino)
    except OSError:
        return None


def end(child):
    """A program and what it has started: asked first, then ended."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, sign)
            child.wait(GRACE)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            pass


def last_line(log):
    lines = pathlib.Path(log).read_text(errors="replace").split("\n")
    lines = [x.strip() for x in lines if x.strip()]
    return lines[-1][:200] if lines else "no output"
