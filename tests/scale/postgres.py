# SPDX-License-Identifier: LGPL-2.1-or-later
"""A PostgreSQL server with pgvector in a folder of its own, and archives of many
contents that no video is needed for.
"""

import contextlib
import hashlib
import os
import pathlib
import random
import re
import shutil
import socket
import sqlite3
import struct
import subprocess
import time

PATIENCE = 240  # s; only what hangs waits as long
NEEDED = (0, 8)  # of pgvector


# Below which Debian's packages lie, if not on this system.
ROOT = pathlib.Path(os.environ.get("PE_TEST_POSTGRES", "/"))


def find_programs():
    """The folder of the newest server's programs, or None."""
    found = [p for p in (ROOT / "usr/lib/postgresql").glob("*/bin")
             if (p / "initdb").exists()]
    return max(found, key=lambda p: int(p.parent.name), default=None)


def find_pgvector(programs):
    """Its version as numbers; None: it is not there."""
    control = (ROOT / "usr/share/postgresql" / programs.parent.name /
               "extension" / "vector.control")
    if not control.exists():
        return None
    version = re.search(r"default_version = '([\d.]+)'", control.read_text())[1]
    return tuple(map(int, version.split(".")))


def find_user():
    """Who runs the server, which refuses to be root; None: who we are."""
    if os.getuid() != 0:
        return None
    names = pathlib.Path("/etc/passwd").read_text().splitlines()
    names = {line.partition(":")[0] for line in names}
    return "postgres" if "postgres" in names else "nobody"


def free_port():
    """Below those that connections are given, which might have it while the
    server is stopped."""
    for port in range(20000 + os.getpid() % 9000, 32000):
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


class Server:
    """with Server(folder) as server: ... The superuser is "owner"."""

    def __init__(self, folder, settings=()):
        self.folder = pathlib.Path(folder)
        self.programs = find_programs()
        self.settings = settings
        self.port = free_port()
        self.user = find_user()

    def __enter__(self):
        os.chmod(self.folder, 0o755)
        data = self.folder / "data"
        data.mkdir(mode=0o700)
        password = self.folder / "password"
        password.write_text("secret word\n")
        if self.user:
            shutil.chown(data, self.user)
            shutil.chown(password, self.user)
        subprocess.run(
            [self.programs / "initdb", "-D", data, "-U", "owner", "-E", "UTF8",
             "--locale", "C", "--no-sync", "-A", "scram-sha-256",
             "--pwfile", password],
            check=True, cwd="/", user=self.user, group=self.user and
            self.group(), extra_groups=[] if self.user else None,
            stdout=subprocess.DEVNULL, timeout=PATIENCE)
        self.start()
        return self

    def start(self):
        settings = ["listen_addresses=127.0.0.1", f"port={self.port}",
                    "unix_socket_directories=", "max_connections=20",
                    *self.settings]
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                [self.programs / "postgres", "-D", self.folder / "data",
                 *(word for s in settings for word in ("-c", s))],
                cwd="/", user=self.user, group=self.user and self.group(),
                extra_groups=[] if self.user else None, stdout=log, stderr=log)
        self.wait()

    def group(self):
        return {"postgres": "postgres"}.get(self.user, "nogroup")

    def wait(self):
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return self.sql("SELECT 1")
            except AssertionError:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise
                time.sleep(.1)

    def stop(self):
        self.process.send_signal(2)  # SIGINT: at once, and in order
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def __exit__(self, *what):
        self.stop()

    def uri(self, database="postgres", user="owner", password="secret%20word"):
        return (f"postgresql://{user}:{password}@127.0.0.1:{self.port}/"
                f"{database}")

    def sql(self, text, database="postgres", patience=PATIENCE):
        """What a statement gives, a line for each row."""
        done = subprocess.run(
            [self.programs / "psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1",
             "-d", self.uri(database), "-c", text],
            capture_output=True, text=True, check=False, timeout=patience)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    @contextlib.contextmanager
    def psql(self, text, database):
        """Statements of a session that is ended afterwards."""
        session = subprocess.Popen(
            [self.programs / "psql", "-X", "-d", self.uri(database), "-c", text],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield
        finally:
            self.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                     "WHERE application_name = 'psql' AND pid <> "
                     "pg_backend_pid()")
            session.wait(PATIENCE)

    def make_database(self, name):
        self.sql(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
        return self.uri(name)


# ---- Archives -------------------------------------------------------------

# What SQL, C and terminals may stumble over.
HOSTILE = ("'; DROP TABLE facts; --", "a \"quoted\" \\ back\\\\slash",
           "new\nline\ttab", "$1 %s {1,2} \\N", "日本語 ünï")


def to_bytes(records):
    """Their numbers as the archive stores them: eight bytes each."""
    return b"".join(struct.pack("<q" if isinstance(value, int) else "<d", value)
                    for record in records for value in record)


class Growing:
    """Adds contents to an archive that pe-tag has made, without videos."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.database = sqlite3.connect(self.folder / "index.sqlite")
        facts = dict(self.database.execute("SELECT name, number FROM facts"))
        self.dim, self.n_rows = facts["dim"], facts["rows"]
        self.stride = (self.dim + 31) // 32 * 64
        assert self.n_rows < facts["pack-rows"] / 2, "only the first pack"
        self.rows = self.read_rows()

    def read_rows(self):
        packs = sorted((self.folder / "vectors").glob("*.pack"))
        data = packs[0].read_bytes() if packs else b""
        return [data[i * self.stride:(i + 1) * self.stride]
                for i in range(self.n_rows)]

    def change_row(self, row, rng):
        """A row that is nearly one of those that there are."""
        values = list(struct.unpack(f"<{self.stride // 2}e", row))
        for _ in range(16):
            values[rng.randrange(self.dim)] += rng.gauss(0, .08)
        norm = sum(v * v for v in values) ** .5
        return struct.pack(f"<{self.stride // 2}e", *(v / norm for v in values))

    def add_segment(self, content, n_frames, rng):
        """All of a content, with every hostile label."""
        names = sorted(name.encode() for name in HOSTILE)
        scores = sorted((rng.random() for _ in names), reverse=True)
        thumbnail = rng.randbytes(300)
        self.database.execute(
            "INSERT INTO segments VALUES (?, ?, ?, ?)",
            (content, to_bytes([(0, n_frames, 0, n_frames * 10 ** 9, 0,
                                 len(thumbnail))]),
             b"".join(name + b"\0" for name in names),
             to_bytes((0, i, score) for i, score in enumerate(scores))))
        self.database.execute("INSERT INTO thumbnails VALUES (?, 0, ?)",
                              (content, thumbnail))

    def add(self, name, n_frames, rng, wall=-1):
        """A file of which each frame is like one that there is."""
        self.add_rows(name, [self.change_row(rng.choice(self.rows), rng)
                             for _ in range(n_frames)], rng, wall)

    def add_rows(self, name, rows, rng, wall=-1):
        """A file, of which `name` may be bytes, with a content of its own."""
        run = self.database.execute
        n_frames = len(rows)
        total = hashlib.sha256(b"".join(rows)).hexdigest()
        number = run(
            "INSERT INTO contents (key, settings, problem_at, duration, width,"
            " height, codec, first_row, n_rows, sum, label_set) VALUES"
            " (?, 'few', -1, ?, 160, 90, 'H.264', ?, ?, ?, 'set')",
            (f"key-{rng.random()}", n_frames * 10 ** 9, self.n_rows, n_frames,
             total)).lastrowid
        run("INSERT INTO frames VALUES (?, ?, ?)",
            (number, 2 * n_frames, to_bytes(
                (i * 10 ** 9, (i + 1) * 10 ** 9, 2) for i in range(n_frames))))
        self.add_segment(number, n_frames, rng)
        text = name.decode("latin-1") if isinstance(name, bytes) else name
        run("INSERT INTO files VALUES (CAST(? AS TEXT), 1, 2, ?, ?, ?, ?)",
            (name if isinstance(name, bytes) else text.encode(), "e'tag", wall,
             "name" if wall >= 0 else None, number))
        with open(self.folder / "vectors" / "000000.pack", "ab") as pack:
            pack.write(b"".join(rows))
        self.n_rows += n_frames

    def end(self):
        self.database.execute("UPDATE facts SET number = ? WHERE name = 'rows'",
                              (self.n_rows,))
        self.database.commit()
        self.database.close()


def grow(folder, n_files, n_frames, seed=1):
    """Files of two cameras, an hour apart, and some with hostile names."""
    rng = random.Random(seed)
    growing = Growing(folder)
    for i, name in enumerate(HOSTILE):
        growing.add(f"/video/{name}.mkv", 3, rng, 10 ** 18 + i)
    growing.add(b"/video/\xff\xfe latin \xe9.mkv", 3, rng)
    for i in range(n_files):
        camera = "gate" if i % 100 == 0 else "yard"
        growing.add(f"/video/{camera}/{i:05d}.mkv", n_frames, rng,
                    1_700_000_000 * 10 ** 9 + i * 3600 * 10 ** 9)
    growing.end()


def repeat(folder):
    """A file with nine copies of each frame of an archive: pgvector keeps ten
    that are the same at one place of its graph. The number of those that differ."""
    growing = Growing(folder)
    growing.add_rows("/video/again.mkv", growing.rows * 9, random.Random(1))
    growing.end()
    return len(set(growing.rows))
