// SPDX-License-Identifier: LGPL-2.1-or-later
//
// page.js - asks the program for moments and shows them. Every text is put in
// as a text, never as HTML.
"use strict";

const HEIGHT = 24, TOP = 5; // pixels of a score line; at least up to this score
const form = document.getElementById("search");
const player = document.getElementById("player");
const video = player.querySelector("video");
let shown = null; // the moment in the player

function make(parent, tag, text) {
    const element = document.createElement(tag);
    if (text !== undefined)
        element.textContent = text;
    parent.append(element);
    return element;
}

function clock(seconds) {
    const s = Math.floor(seconds);
    const two = (n) => String(n).padStart(2, "0");
    return Math.floor(s / 3600) + ":" + two(Math.floor(s / 60) % 60) + ":" +
        two(s % 60) + "." + Math.floor(seconds * 10 % 10);
}

function baseName(path) {
    return path.slice(path.lastIndexOf("/") + 1);
}

function describe(moment) {
    return clock(moment.start) + " – " + clock(moment.end);
}

// The scores of all of the file from left to right, and where the moment is.
function makeLine(parent, moment) {
    const template = document.getElementById("line").content;
    const svg = document.importNode(template, true).firstElementChild;
    const n = moment.scores.length;
    const unit = n / Math.max(moment.duration, 0.001);
    const top = Math.max(TOP, ...moment.scores);
    const points = moment.scores.map((score, i) => {
        const y = HEIGHT * (1 - score / top);
        return `${i},${y} ${i + 1},${y}`;
    });
    const [rect, line] = svg.children;
    svg.setAttribute("viewBox", `0 0 ${n} ${HEIGHT}`);
    rect.setAttribute("x", moment.start * unit);
    rect.setAttribute("width",
                      Math.max((moment.end - moment.start) * unit, 1));
    rect.setAttribute("height", HEIGHT);
    line.setAttribute("points", points.join(" "));
    parent.append(svg);
}

function showMoment(list, moment) {
    const card = make(make(list, "li"), "button");
    card.type = "button";
    const image = make(card, "img");
    image.alt = "";
    image.addEventListener("error", () => { image.className = "away"; });
    if (moment.picture)
        image.src = "thumbnails/" + moment.row;
    else
        image.className = "away";
    const box = make(card, "div");
    make(box, "h3", baseName(moment.name));
    make(box, "p", describe(moment) + " · score " + moment.score.toFixed(1));
    if (moment.label)
        make(box, "p", moment.label);
    makeLine(box, moment);
    if (moment.time)
        make(box, "small", new Date(moment.time).toLocaleString());
    card.addEventListener("click", () => play(moment));
}

function say(text) {
    document.getElementById("answer").textContent = text;
}

async function search(parameters) {
    const list = document.getElementById("found");
    say("Searching.");
    list.replaceChildren();
    try {
        const answer = await fetch("search?" + parameters);
        const found = await answer.json();
        if (!found.ok) {
            say(found.error);
            return;
        }
        const left = found["left-out"];
        say((found.moments.length || "No") + " moments" +
            (found.moments.length ? ", best first." : ".") +
            (left ? " " + left + " files are left out: nobody knows when " +
             "they were recorded." : ""));
        for (const moment of found.moments)
            showMoment(list, moment);
    } catch (error) {
        say("The program does not answer.");
    }
}

// The fields of the form besides the texts.
function readWhere() {
    const parameters = new URLSearchParams();
    for (const name of ["in", "camera", "words"])
        parameters.set(name, form.elements[name].value);
    for (const name of ["since", "until"]) {
        const value = form.elements[name].value;
        if (value)
            parameters.set(name, new Date(value).toISOString());
    }
    const from = form.elements.from.value, to = form.elements.to.value;
    if (from || to)
        parameters.set("time-of-day",
                       (from || "00:00") + "-" + (to || "24:00"));
    return parameters;
}

form.addEventListener("submit", (event) => {
    event.preventDefault();
    const parameters = readWhere();
    parameters.set("text", form.elements.text.value);
    parameters.set("not", form.elements.not.value);
    search(parameters);
});

// ---- Player -----------------------------------------------------------------

function play(moment) {
    shown = moment;
    player.querySelector("h2").textContent = baseName(moment.name) + ", " +
        describe(moment);
    player.querySelector("p").textContent = moment.name;
    document.getElementById("save").href =
        `clips/${moment["first-row"]}-${moment["last-row"]}`;
    video.src = `videos/${moment.row}#t=${moment.start},${moment.end}`;
    player.showModal();
    video.play().catch(() => {}); // its "error" says why
}

video.addEventListener("error", async () => {
    const moment = shown;
    if (!moment)
        return;
    let reason = "this browser cannot play it, but the clip can be saved";
    try {
        const answer = await fetch("videos/" + moment.row,
                                   {headers: {Range: "bytes=0-0"}});
        if (!answer.ok)
            reason = await answer.text();
    } catch (error) {
        reason = "the program does not answer";
    }
    if (shown === moment)
        player.querySelector("p").textContent = moment.name + ": " + reason;
});

function stop() {
    shown = null;
    video.removeAttribute("src");
    video.load();
}

player.addEventListener("close", stop);
document.getElementById("close").addEventListener("click", () => {
    player.close();
});
document.getElementById("like").addEventListener("click", () => {
    const parameters = readWhere();
    parameters.set("like", shown.row);
    player.close();
    search(parameters);
});

// ---- Folders ----------------------------------------------------------------

async function listFolders() {
    const answer = await fetch("archive");
    const archive = await answer.json();
    const cameras = new Set();
    for (const {folder, files} of archive.folders) {
        make(form.elements.in, "option", `${folder} (${files})`).value = folder;
        cameras.add(baseName(folder));
    }
    for (const camera of cameras)
        make(form.elements.camera, "option", camera).value = camera;
    say(archive.files + " files.");
}

listFolders().catch(() => say("The program does not answer."));
