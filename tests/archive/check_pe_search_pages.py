#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The pages of pe-search in a browser, as a TAP test:
check_pe_search_pages.py PE_TAG PE_SEARCH TINY_MODEL

Skipped where there is no Chromium.
"""

import json
import os
import pathlib
import sys

import tagging
from chromium import Page, find_browser
from make_archive import HEIGHT, WIDTH
from serving import EVIL_LABEL, SEARCH, SEEN, serving, videos
from tagging import folder, run_tests, scenes

def check_texts(page, paths):
    """Names and labels were put in as texts."""
    text = page.run("document.body.innerText")
    assert paths[0].name in text and paths[1].name in text, text
    assert EVIL_LABEL in text, text
    assert page.run("document.querySelectorAll('img[onerror], b b, "
                    "main script, #found script').length") == 0
    assert not page.dialogs and page.run("document.title") == "pe-search"


GRID = 4, 3  # of a picture, for its colours


def find_colours(frame):
    """Of an RGB picture, as the browser sees its thumbnail."""
    columns, rows = GRID
    found = []
    for y in range(rows):
        for x in range(columns):
            lines = range(y * HEIGHT // rows, (y + 1) * HEIGHT // rows, 4)
            part = b"".join(frame[3 * (line * WIDTH + x * WIDTH // columns):
                                  3 * (line * WIDTH +
                                       (x + 1) * WIDTH // columns)]
                            for line in lines)
            found += [sum(part[k::3]) * 3 / len(part) for k in range(3)]
    return found


def check_pictures(page, n, label):
    """Those of the page, which all show this scene."""
    page.wait(f"""[...document.images].filter(
        (i) => i.complete && i.naturalWidth == 160).length == {n}""")
    pictures = page.run("""[...document.images].map((image) => {
        const canvas = document.createElement("canvas");
        [canvas.width, canvas.height] = [%d, %d];
        const context = canvas.getContext("2d");
        context.imageSmoothingQuality = "high";
        context.drawImage(image, 0, 0, canvas.width, canvas.height);
        return [...context.getImageData(0, 0, canvas.width,
                                        canvas.height).data]
            .filter((_, i) => i %% 4 != 3);
    })""" % GRID)
    known = {name: find_colours(scenes()[name][5]) for name in SEEN}
    for picture in pictures:
        far = {name: sum(abs(a - b) for a, b in zip(colours, picture))
               for name, colours in known.items()}
        assert min(far, key=far.get) == label, far


def shows_moments_in_a_browser():
    find_browser()
    _, paths, index = videos()
    with serving(index) as server, Page() as page:
        url = f"http://127.0.0.1:{server.port}/"
        page.load(url)
        page.wait("document.querySelectorAll('option').length == 4")
        page.click("document.forms[0].elements.text")
        page.call("Input.insertText", text=SEEN[1])
        page.click("document.forms[0].querySelector('button')")
        page.wait("document.querySelectorAll('#found li').length == 2")
        check_texts(page, paths)
        check_pictures(page, 2, SEEN[1])
        peak = page.run("document.querySelector('#found polyline')"
                        ".getAttribute('points')")
        assert len(set(point.split(",")[1] for point in peak.split())) > 1
        for number in 1, 2:  # in whatever order
            page.click(f"document.querySelectorAll('#found button')"
                       f"[{number - 1}]")
            moment = page.wait("shown && {start: shown.start, end: shown.end, "
                               "name: shown.name}")
            plays_it = ("video.readyState >= 2 && !video.error && "
                        f"video.currentTime >= {moment['start']} - 0.1 && "
                        f"video.currentTime <= {moment['end']} + 0.5")
            if moment["name"].endswith("webm"):
                page.wait(plays_it)  # every Chromium can
            assert page.run("document.getElementById('save').href").startswith(
                url + "clips/")
            assert page.run("fetch(document.getElementById('save').href)"
                            ".then((a) => a.blob())"
                            ".then((b) => b.size)") > 1000
            page.click("document.getElementById('close')")
            page.wait("!player.open && !shown")
        page.click("document.querySelector('#found button')")
        page.click("document.getElementById('like')")
        page.wait("location.href && document.getElementById('answer')"
                  ".textContent.includes('best first')")
        for field, value in (("since", "2100-01-01T00:00"),
                             ("until", "2020-01-01T00:00")):
            page.run(f"form.reset(); form.elements.text.value = {SEEN[1]!r}; "
                     f"form.elements.{field}.value = '{value}'; "
                     "form.requestSubmit()")
            page.wait("document.getElementById('answer').textContent == "
                      "'No moments.'")
        page.run(f"form.reset(); form.elements.text.value = {SEEN[1]!r}; "
                 f"form.elements.in.value = {json.dumps(str(paths[0].parent))};"
                 "form.elements.from.value = '00:00'; form.requestSubmit()")
        page.wait("document.querySelectorAll('#found li').length == 2")
        assert not page.dialogs
        outside = [r for r in page.requests
                   if not r.startswith((url, "data:"))]
        assert not outside, outside


def tells_in_a_browser_why_it_does_not_play():
    find_browser()
    out, paths, index = videos()
    with serving(index) as server, Page() as page:
        page.load(f"http://127.0.0.1:{server.port}/")
        os.rename(paths[0], out / "away")
        try:
            page.run(f"search(new URLSearchParams({{text: {SEEN[0]!r}, "
                     f"in: {json.dumps(str(paths[0]))}}}))")
            page.wait("document.querySelectorAll('#found li').length == 1")
            check_pictures(page, 1, SEEN[0])
            page.click("document.querySelector('#found button')")
            page.wait("player.querySelector('p').textContent"
                      ".includes('No such file')")
        finally:
            os.rename(out / "away", paths[0])


def shows_the_written_page_in_a_browser():
    find_browser()
    _, paths, index = videos()
    with folder() as out, Page() as page:
        path = pathlib.Path(out, "found.html").resolve()
        tagging.run(SEARCH, "-a", index, SEEN[1], "--html", path)
        page.load(path.as_uri())
        check_texts(page, paths)
        check_pictures(page, 2, SEEN[1])
        for number in 0, 1:
            page.click(f"document.querySelectorAll('summary')[{number}]")
            assert page.run(f"document.querySelectorAll('details')[{number}]"
                            ".open"), "not clickable"
        number = page.run("[...document.querySelectorAll('video')].findIndex("
                          "(v) => v.src.includes('webm'))")
        start = page.run(f"""(async () => {{
            const video = document.querySelectorAll("video")[{number}];
            await video.play();
            return video.currentTime - parseFloat(video.src.split("#t=")[1]);
        }})()""")
        assert -.1 <= start < 3, start
        outside = [r for r in page.requests
                   if not r.startswith(("file:", "data:"))]
        assert not outside, outside


TESTS = [
    shows_moments_in_a_browser,
    tells_in_a_browser_why_it_does_not_play,
    shows_the_written_page_in_a_browser,
]

if __name__ == "__main__":
    sys.exit(run_tests(TESTS))
