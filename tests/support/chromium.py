# SPDX-License-Identifier: LGPL-2.1-or-later
"""A page in a headless Chromium, driven by its DevTools protocol through a
pipe: JSON objects that end in a NUL, on its descriptors 3 and 4.
"""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

from tap import skip

PATIENCE = 60  # s; only what hangs waits as long


def find_browser():
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if not browser:
        skip("there is no Chromium")
    return browser


class Page:
    """A context: the page, and the addresses that it has asked for."""

    def __init__(self, width=1280, height=800):
        browser = find_browser()
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.number, self.data, self.session = 0, b"", None
        self.requests, self.dialogs = [], []
        to_browser, self.write_end = os.pipe()
        self.read_end, from_browser = os.pipe()
        # Two that are neither 3 nor 4 become these.
        ends = [os.dup(end) for end in (to_browser, from_browser)]

        def place():
            high = [os.dup2(end, 100 + i) for i, end in enumerate(ends)]
            for i, end in enumerate(high):
                os.dup2(end, 3 + i)
                os.close(end)
        self.process = subprocess.Popen(
            [browser, "--headless", "--no-sandbox", "--disable-gpu",
             "--remote-debugging-pipe", "--disable-background-networking",
             "--disable-dev-shm-usage", "--mute-audio",
             "--autoplay-policy=no-user-gesture-required",
             f"--window-size={width},{height}",
             f"--user-data-dir={self.folder.name}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, preexec_fn=place, close_fds=False)
        for end in (to_browser, from_browser, *ends):
            os.close(end)

    def __enter__(self):
        target = self.call("Target.createTarget", url="about:blank")
        self.session = self.call("Target.attachToTarget", flatten=True,
                                 targetId=target["targetId"])["sessionId"]
        for domain in "Page", "Network", "Runtime":
            self.call(domain + ".enable")
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        os.close(self.write_end)
        os.close(self.read_end)
        self.folder.cleanup()

    def read(self, limit):
        """The next object that the browser sends."""
        while b"\0" not in self.data:
            left = limit - time.monotonic()
            assert left > 0 and select.select([self.read_end], [], [], left)[0], (
                "the browser does not answer")
            more = os.read(self.read_end, 1 << 16)
            assert more, "the browser has ended"
            self.data += more
        line, self.data = self.data.split(b"\0", 1)
        return json.loads(line)

    def note(self, event):
        if event.get("method") == "Network.requestWillBeSent":
            self.requests.append(event["params"]["request"]["url"])
        if event.get("method") == "Page.javascriptDialogOpening":
            self.dialogs.append(event["params"]["message"])

    def call(self, method, **params):
        self.number += 1
        request = {"id": self.number, "method": method, "params": params}
        if self.session:
            request["sessionId"] = self.session
        os.write(self.write_end, json.dumps(request).encode() + b"\0")
        limit = time.monotonic() + PATIENCE
        while True:
            answer = self.read(limit)
            if answer.get("id") == self.number:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]
            self.note(answer)

    def run(self, script):
        """The value of an expression in the page."""
        result = self.call("Runtime.evaluate", expression=script,
                           returnByValue=True, awaitPromise=True,
                           userGesture=True)
        assert "exceptionDetails" not in result, (script, result)
        return result["result"].get("value")

    def wait(self, script):
        """Until an expression is true; its value."""
        limit = time.monotonic() + PATIENCE
        while True:
            value = self.run(script)
            if value:
                return value
            assert time.monotonic() < limit, (
                f"never true: {script}\n" + self.run("document.body.innerText"))
            time.sleep(0.05)

    def load(self, url):
        self.call("Page.navigate", url=url)
        self.wait("document.readyState == 'complete' && "
                  "location.href != 'about:blank'")

    def click(self, script):
        """The middle of an element, by the mouse."""
        x, y = self.run(f"""(() => {{
            const element = {script};
            element.scrollIntoView({{block: "center"}});
            const box = element.getBoundingClientRect();
            return [box.x + box.width / 2, box.y + box.height / 2];
        }})()""")
        for kind in "mousePressed", "mouseReleased":
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y,
                      button="left", clickCount=1)

    def screenshot(self, quality=80):
        """As a JPEG."""
        return base64.b64decode(self.call("Page.captureScreenshot",
                                          format="jpeg",
                                          quality=quality)["data"])
