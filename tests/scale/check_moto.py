#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""pe-tag over presigned URLs of an object store, moto's server, as a TAP test:
check_moto.py PE_TAG PYTHON

PYTHON is one with the packages moto and boto3, see tests/scale/install.
"""

import functools
import json
import os
import pathlib
import re
import subprocess
import sys

import sharding
import tagging
from sharding import PATIENCE, video
from tagging import folder, need_elements, run_tests, skip

PROGRAM, PYTHON = sys.argv[1:3]
run = functools.partial(tagging.run, PROGRAM)
SECRET = "S3cr3tK3yOfTheTest"
N_FILES = 20

# A server in a process of its own. It reads "put NAME FILE" and "sign SECONDS NAME"
# and answers each with a line.
SERVER = """
import sys
import boto3
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
server.start()
host, port = server.get_host_and_port()
s3 = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}",
                  region_name="us-east-1", aws_access_key_id="AKIATEST",
                  aws_secret_access_key=sys.argv[1],
                  config=boto3.session.Config(signature_version="s3v4",
                                              s3={"addressing_style": "path"}))
s3.create_bucket(Bucket="videos")
print("ready", flush=True)
for line in sys.stdin:
    word, *rest = line.split()
    if word == "put":
        s3.upload_file(rest[1], "videos", rest[0])
        print("ok", flush=True)
    else:
        print(s3.generate_presigned_url(
            "get_object", Params={"Bucket": "videos", "Key": rest[1]},
            ExpiresIn=int(rest[0])), flush=True)
"""


class Store:
    def __enter__(self):
        need_elements("souphttpsrc")
        if not pathlib.Path(PYTHON).exists():
            skip("there is no Python with moto; tests/scale/install makes one")
        if subprocess.run([PYTHON, "-c", "import boto3, moto.server"],
                          capture_output=True, check=False).returncode:
            skip("Python's moto and boto3 are not installed")
        self.process = subprocess.Popen(
            [PYTHON, "-c", SERVER, SECRET], stdin=subprocess.PIPE, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env=sharding.environment(NO_PROXY="127.0.0.1"))
        # Moto has something to say first.
        assert any(line == "ready\n" for line in
                   iter(self.process.stdout.readline, "")), "moto has ended"
        return self

    def __exit__(self, *args):
        self.process.stdin.close()
        self.process.kill()
        self.process.wait(PATIENCE)

    def ask(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def put(self, out, name, data):
        path = pathlib.Path(out, "upload")
        path.write_bytes(data)
        assert self.ask("put", name, path) == "ok"

    def sign(self, name, seconds=3600):
        return self.ask("sign", seconds, name)


def find_secrets(uris):
    return {re.search("X-Amz-Signature=([0-9a-f]+)", uri)[1] for uri in uris}


def tags_presigned_urls_and_tells_no_signature():
    with Store() as store, folder() as out:
        names = [f"{i:02d}.mkv" for i in range(N_FILES)]
        for i, name in enumerate(names):
            store.put(out, name, video(i))
        uris = [store.sign(name) for name in names]
        secrets = find_secrets(uris)
        told = []  # all that the program says and keeps, but for the plan

        def tag(uris, *options):
            plan, err = run("plan", "-", input="\n".join(uris).encode())
            pathlib.Path(out, "plan.tsv").write_text(plan)
            lines, errors = run("--list", out + "/plan.tsv", "--out",
                                out + "/a", "--json", *options)
            told.extend((err, lines, errors))
            return json.loads(lines.splitlines()[-1])
        summary = tag(uris)
        assert summary["tagged"] == N_FILES, summary
        # Signed anew, one of them changed, and one that is no video.
        store.put(out, names[7], video(N_FILES))
        store.put(out, "broken.mkv", b"no video at all\n" * 99)
        uris = [store.sign(name, 3599) for name in [*names, "broken.mkv"]]
        secrets |= find_secrets(uris)
        summary = tag(uris)
        assert summary["known"] == N_FILES - 1, summary
        assert summary["tagged"] == 1 and summary["broken"] == 1, summary
        run("merge", out + "/a", "--out", out + "/m")
        told.append(run("export", "--out", out + "/m", "--format", "dump")[0])
        files = [path.read_bytes() for name in ("a", "m")
                 for path in pathlib.Path(out, name).rglob("*") if path.is_file()]
        files += [text.encode() for text in told]
        assert len(secrets) >= N_FILES + 1, secrets
        for data in files:
            for word in (*secrets, "X-Amz-Signature", "X-Amz-Credential"):
                assert word.encode() not in data, data[-2000:]


if __name__ == "__main__":
    os.environ["no_proxy"] = "127.0.0.1"
    sys.exit(run_tests([tags_presigned_urls_and_tells_no_signature]))
