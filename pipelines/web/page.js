// SPDX-License-Identifier: LGPL-2.1-or-later
//
// page.js - asks the program once a second what streams show. Every text is put
// in as a text, never as HTML.
"use strict";

const PERIOD_MS = 1000;
const HOUR_MS = 3600 * 1000;
const cards = new Map();

function make(parent, tag) {
    const element = document.createElement(tag);
    parent.append(element);
    return element;
}

function makeCard(name) {
    const card = {article: make(document.getElementById("streams"), "article")};
    card.image = make(card.article, "img");
    card.image.alt = "";
    card.image.className = "away";
    card.image.addEventListener("error", () => {
        card.image.className = "away";
    });
    card.image.addEventListener("load", () => {
        card.image.className = "";
    });
    const box = make(card.article, "div");
    card.title = make(box, "h2");
    card.title.textContent = name;
    card.status = make(box, "p");
    card.detail = make(box, "p");
    card.labels = make(box, "ul");
    card.line = make(box, "div");
    card.line.className = "line";
    card.line.hidden = true;
    card.event = make(box, "p");
    return card;
}

function seconds(nanoseconds) {
    return (nanoseconds / 1e9).toFixed(1) + " s";
}

function showLabels(list, labels) {
    list.replaceChildren();
    for (const {label, score} of labels) {
        const item = make(list, "li");
        make(item, "span").textContent = label;
        const meter = make(item, "meter");
        meter.value = score;
        meter.max = 1;
        make(item, "span").textContent = Math.round(score * 100) + " %";
    }
}

function describeEvent(event) {
    const start = new Date(event.start), end = new Date(event.end);
    return start.toLocaleTimeString() + " " + event.title + ", " +
        (event.over ? "" : "since ") + ((end - start) / 1000).toFixed(0) +
        " s, " + Math.round(event["peak-score"] * 100) + " %";
}

// The last hour from left to right.
function showEvents(card, events) {
    const now = Date.now(), begin = now - HOUR_MS;
    card.line.replaceChildren();
    card.line.hidden = events.length === 0;
    for (const event of events) {
        const start = Math.max(Date.parse(event.start), begin);
        const end = event.over ? Date.parse(event.end) : now;
        const mark = make(card.line, "span");
        mark.title = describeEvent(event);
        mark.className = event.over ? "" : "open";
        mark.style.left = (start - begin) / HOUR_MS * 100 + "%";
        mark.style.width = Math.max(end - start, 0) / HOUR_MS * 100 + "%";
    }
    card.event.textContent =
        events.length ? describeEvent(events[events.length - 1]) : "";
}

function showStream(card, stream) {
    card.status.textContent = stream.status + " · " +
        stream["frame-rate"].toFixed(1) + " fps" +
        ("result-age" in stream ? " · " + seconds(stream["result-age"]) : "");
    card.status.className = stream.status;
    const wrong = stream.status !== "running" && stream.reason;
    card.detail.textContent = wrong ? stream.reason + ": " + stream.detail : "";
    showLabels(card.labels, stream.labels || []);
    showEvents(card, stream.events);
    card.image.src = "thumbnails/" + encodeURIComponent(stream.stream) +
        "?" + Date.now();
}

function show(streams) {
    const names = new Set(streams.map((stream) => stream.stream));
    for (const [name, card] of cards) {
        if (!names.has(name)) {
            card.article.remove();
            cards.delete(name);
        }
    }
    for (const stream of streams) {
        if (!cards.has(stream.stream))
            cards.set(stream.stream, makeCard(stream.stream));
        showStream(cards.get(stream.stream), stream);
    }
    const running = streams.filter((stream) => stream.status === "running");
    document.getElementById("summary").textContent =
        running.length + " of " + streams.length + " streams are running.";
}

function showFound(hits) {
    const list = document.getElementById("found");
    list.replaceChildren();
    for (const hit of hits) {
        const item = make(list, "li");
        const image = make(item, "img");
        image.alt = "";
        if (hit.picture)
            image.src = "moments/" + hit.moment;
        else
            image.className = "away";
        make(item, "p").textContent =
            new Date(hit.start).toLocaleTimeString() + " " + hit.stream;
        make(item, "p").textContent = "similarity " +
            hit.similarity.toFixed(3);
    }
}

async function search(event) {
    event.preventDefault();
    const text = document.getElementById("text").value;
    const place = document.getElementById("answer");
    place.textContent = "Searching.";
    try {
        const answer = await fetch("search?text=" + encodeURIComponent(text));
        const found = await answer.json();
        showFound(found.hits || []);
        place.textContent = found.ok ?
            found.hits.length + " moments, best first." : found.error;
    } catch (error) {
        place.textContent = "The program does not answer.";
    }
}

async function update() {
    try {
        const answer = await fetch("streams", {cache: "no-store"});
        if (!answer.ok)
            throw new Error(answer.statusText);
        show((await answer.json()).streams);
    } catch (error) {
        document.getElementById("summary").textContent =
            "The program does not answer.";
    }
    setTimeout(update, PERIOD_MS);
}

document.getElementById("search").addEventListener("submit", search);
update();
