# SPDX-License-Identifier: LGPL-2.1-or-later
"""Certificates for a test, by the program openssl, of an authority that lives
as long as the test.
"""

import subprocess

from feeding import find_program, need_localhost

CONFIG = """
[ca]
default_ca = own
[own]
dir = {folder}
new_certs_dir = {folder}
database = {folder}/index.txt
serial = {folder}/serial
default_md = sha256
policy = any
unique_subject = no
copy_extensions = copy
[any]
commonName = supplied
"""
# Made sooner than one of RSA.
NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
           "-nodes"]


class Authority:
    def __init__(self, folder, name="Test CA"):
        self.openssl = find_program("openssl")
        need_localhost()  # whose certificates they are
        self.folder = folder
        self.cert, self.key = folder / "ca.pem", folder / "ca.key"
        folder.mkdir(exist_ok=True)
        (folder / "ca.conf").write_text(CONFIG.format(folder=folder))
        (folder / "index.txt").write_text("")
        (folder / "serial").write_text("01\n")
        self.run("req", "-x509", *NEW_KEY, "-subj", f"/CN={name}", "-days", "2",
                 "-keyout", self.key, "-out", self.cert)

    def run(self, *words):
        done = subprocess.run([self.openssl, *map(str, words)], text=True,
                              capture_output=True, cwd=self.folder)
        assert done.returncode == 0, done.stderr

    def make(self, name, alternatives="DNS:localhost,IP:127.0.0.1",
             start="20200101000000Z", end="20400101000000Z"):
        """Paths of a certificate and its key."""
        cert, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        request = self.folder / f"{name}.csr"
        self.run("req", "-new", *NEW_KEY, "-subj", f"/CN={name}", "-addext",
                 f"subjectAltName={alternatives}", "-keyout", key, "-out",
                 request)
        self.run("ca", "-batch", "-notext", "-config", "ca.conf", "-cert",
                 self.cert, "-keyfile", self.key, "-startdate", start,
                 "-enddate", end, "-in", request, "-out", cert)
        return cert, key
