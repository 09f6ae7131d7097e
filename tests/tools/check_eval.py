#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""pe-eval against an independent computation: check_eval.py PE_EVAL PE_EMBED
[torch]

Three data sets are drawn: folders of wnids, captions, and videos with Kinetics'
list. Every figure is computed again in Python from the vectors that pe-embed
prints, and must be equal to the last digit that is printed. With "torch", one
data set of each kind is computed by PyTorch.
"""

import csv
import json
import os
import pathlib
import subprocess
import sys

from eval_data import (NAMES, classify, draw, embed, mean_unit, mean_units,
                       new_rng, retrieve, same, write_avi, write_png)

sys.path.append(str(pathlib.Path(__file__).parents[1] / "support"))
from tap import Folder, need_elements, run_tests  # noqa: E402

PE_EVAL, PE_EMBED = sys.argv[1:3]
BY_TORCH = sys.argv[3:] == ["torch"]
if BY_TORCH:
    try:
        from eval_torch import classify, retrieve  # noqa: F811
    except ImportError as reason:
        print(f"1..0 # SKIP {reason}")
        sys.exit(0)
TEMPLATES = ["{}", "a photo of {}.", "{} on a white background"]
# wnids of the classes, in another order than the names' own
WNIDS = [f"n{(i * 7919) % 90000000 + 1000:08d}" for i in range(len(NAMES))]


def run(*args, status=0, env=None):
    """The report, after the program has ended as it should."""
    done = subprocess.run(
        [PE_EVAL, *map(str, args), "--json"], capture_output=True, text=True,
        env={**os.environ, **(env or {})}, check=False)
    assert done.returncode == status, (done.returncode, done.stderr)
    return json.loads(done.stdout)


def check_classification(report, expected):
    for key in ("top1", "top5", "mean-per-class-recall", "auroc-macro",
                "auroc-micro", "ece"):
        print(f"# {key}: {report[key]}, expected {expected[key]:.9g}")
        assert same(report[key], expected[key]), key
    for found, (n, confidence, accuracy) in zip(report["reliability"],
                                                expected["reliability"]):
        assert found["n"] == n, found
        assert same(found["confidence"], confidence), (found, confidence)
        assert same(found["accuracy"], accuracy), (found, accuracy)
    for found, (n, top1, area) in zip(report["per-class"],
                                      expected["per-class"]):
        assert found["n"] == n and same(found["top1"], top1), (found, n, top1)
        assert same(found["auroc"], area), (found, area)
    assert report["confusion"] == expected["confusion"]


def class_vectors(names, templates):
    texts = [t.replace("{}", name) for name in names for t in templates]
    vectors = embed(PE_EMBED, texts=texts)
    return [mean_unit([vectors["text", t.replace("{}", name)]
                       for t in templates]) for name in names]


def draw_folders(folder, ids, n=4, seed=1):
    """A folder for each class, and the paths with numbers of classes."""
    rng = new_rng(seed)
    paths = []
    for number, name in enumerate(NAMES):
        for i in range(n - number % 3):
            path = folder / ids[number] / f"{i}.png"
            # Some are drawn wrong, so that there is something to miss.
            shown = NAMES[(number + 5) % len(NAMES)] if i == 1 else name
            write_png(path, draw(shown, rng))
            paths.append((path, number))
    return paths


def write_words(folder):
    (folder / "classes.tsv").write_text("".join(
        f"{wnid}\t{name}\n" for wnid, name in zip(WNIDS, NAMES)))
    (folder / "templates.txt").write_text("\n".join(TEMPLATES) + "\n")
    return ("--classes", folder / "classes.tsv", "--templates",
            folder / "templates.txt", "--out", folder / "out")


def expect_pictures(paths, names, templates, scale):
    vectors = embed(PE_EMBED, images=[p for p, _ in paths])
    return classify([vectors["image", str(p)] for p, _ in paths],
                    [number for _, number in paths],
                    class_vectors(names, templates), scale)


# ---- Classification --------------------------------------------------------

def classifies_folders_of_wnids(folder):
    paths = draw_folders(folder / "val", WNIDS)
    report = run("classify", folder / "val", *write_words(folder))
    check_classification(report, expect_pictures(
        paths, NAMES, TEMPLATES, report["logit-scale"]))
    assert report["evaluated"] == report["items"] == len(paths)
    assert 0.3 < report["top1"] < 1, "the data set says nothing"


def takes_names_numbers_and_lists_alike(folder):
    """The same pictures by the names' folders, by numbers and by a CSV."""
    words = write_words(folder)
    figures = []
    numbers = [str(i) for i in range(len(NAMES))]
    for name, ids in [("ids", WNIDS), ("names", NAMES), ("numbers", numbers)]:
        paths = draw_folders(folder / name, ids)
        figures.append(run("classify", folder / name, *words))
    with open(folder / "list.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "class"])
        writer.writerows((p.relative_to(folder), NAMES[c]) for p, c in paths)
    figures.append(run("classify", folder / "list.csv", *words))
    for key in ("top1", "ece", "auroc-micro", "confusion", "per-class"):
        assert all(f[key] == figures[0][key] for f in figures), key


def takes_the_classes_that_the_data_has(folder):
    paths = draw_folders(folder / "val", NAMES)
    report = run("classify", folder / "val", "--out", folder / "out")
    names = sorted(NAMES)
    expected = expect_pictures([(p, names.index(NAMES[c])) for p, c in paths],
                               names, ["a photo of {}."],
                               report["logit-scale"])
    # The order of the items is that of their folders.
    for key in ("top1", "top5", "auroc-micro", "confusion"):
        assert report[key] == expected[key] or same(report[key],
                                                    expected[key]), key


def classifies_videos_of_kinetics(folder):
    need_elements("decodebin", "avidemux")
    rng = new_rng(3)
    names = NAMES[:6]
    rows, paths = [], []
    for number, name in enumerate(names):
        for i in range(2):
            stem = f"-id_{number}{i}"
            first, last = 10 * i, 10 * i + 10
            path = (folder / "videos" / name.replace(" ", "_")
                    / f"{stem}_{first:06d}_{last:06d}.avi")
            # 3 or 11 frames; the last ones show something else
            other = NAMES[(number + 3) % len(names)]
            frames = [draw(name if k < 8 - 7 * i else other, rng)
                      for k in range(11 - 8 * i)]
            write_avi(path, frames)
            rows.append([name, stem, first, last, "val"])
            paths.append((path, number))
    rows.append(["a cow", "other", 0, 10, "test"])
    with open(folder / "kinetics.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["label", "youtube_id", "time_start", "time_end",
                         "split"])
        writer.writerows(rows)
    report = run("classify", folder / "kinetics.csv", "--video", "--root",
                 folder / "videos", "--split", "val", "--out", folder / "out")
    vectors = embed(PE_EMBED, videos=[p for p, _ in paths])
    order = sorted(names)
    expected = classify(
        [vectors["video", str(p)] for p, _ in paths],
        [order.index(names[c]) for _, c in paths],
        class_vectors(order, ["a video of {}."]), report["logit-scale"])
    check_classification(report, expected)
    assert report["frames"] == 8 and report["evaluated"] == len(paths)


def reads_the_words_of_python_packages(folder):
    """Stand-ins for the packages, with three classes."""
    packages = folder / "packages"
    for name, text in {
            "open_clip/__init__.py": "raise RuntimeError('imported')\n",
            "open_clip/zero_shot_metadata.py":
            "OPENAI_IMAGENET_TEMPLATES = (lambda c: f'a {c}.',)\n"
            f"IMAGENET_CLASSNAMES = {NAMES[:3]!r}\n",
            "clip_benchmark/__init__.py": "",
            "clip_benchmark/datasets/builder.py":
            "import torch_is_not_there\n"
            "def build():\n    if True:\n"
            f"        imagenet_a_wnids = {WNIDS[1:3]!r}\n"
            f"all_imagenet_wordnet_ids = {WNIDS[:3]!r}\n"}.items():
        (packages / name).parent.mkdir(parents=True, exist_ok=True)
        (packages / name).write_text(text)
    env = {"PYTHONPATH": str(packages)}
    for i in range(3):
        write_png(folder / "val" / WNIDS[i] / "a.png",
                  draw(NAMES[i], new_rng(i)))
    words = ("--templates", "imagenet", "--out", folder / "out")
    report = run("classify", folder / "val", "--classes", "imagenet", *words,
                 env=env)
    assert report["templates"] == ["a {}."], report["templates"]
    assert [c["name"] for c in report["per-class"]] == NAMES[:3]
    assert [c["n"] for c in report["per-class"]] == [1, 1, 1]
    # Two of them, and the third folder is left out.
    report = run("classify", folder / "val", "--classes", "imagenet-a", *words,
                 env=env)
    assert [c["name"] for c in report["per-class"]] == NAMES[1:3]
    assert (report["left-out"], report["evaluated"]) == (1, 2)


def leaves_out_what_objectnet_does_not_share(folder):
    images = folder / "objectnet" / "images"
    labels = {"red_circle": "Red Circle", "blue_square": "Blue Square",
              "cow": "Cow"}
    for name in labels:
        shown = name.replace("_", " ") if name != "cow" else NAMES[2]
        write_png(images / name / "a.png", draw(shown, new_rng(4)))
    mappings = folder / "objectnet" / "mappings"
    mappings.mkdir()
    (mappings / "folder_to_objectnet_label.json").write_text(
        json.dumps(labels))
    (mappings / "objectnet_to_imagenet_1k.json").write_text(json.dumps(
        {"Red Circle": "ball; globe", "Blue Square": "box"}))
    report = run("classify", images, "--classes", "objectnet", "--out",
                 folder / "out")
    assert [(c["id"], c["name"]) for c in report["per-class"]] == [
        ("blue_square", "blue square"), ("red_circle", "red circle")]
    assert report["left-out"] == 1 and report["top1"] == 1


# ---- Retrieval -------------------------------------------------------------

def draw_captions(folder, videos=False):
    """Paths, and for each its captions; the frames of a video are there, too,
    as pictures."""
    rng = new_rng(9)
    found = []
    for i in range(30):
        name = NAMES[i % len(NAMES)]
        path = folder / "files" / f"video{i}.{'avi' if videos else 'png'}"
        frames = [draw(NAMES[(i + k) % len(NAMES)], rng)
                  for k in range(1 + i % 3 if videos else 1)]
        if videos:
            write_avi(path, frames)
        for k, frame in enumerate(frames):
            write_png(folder / f"frame{k}" / f"{i}.png" if videos else path,
                      frame)
        captions = [name, f"a photo of {name}", f"there is a {name} here"]
        found.append((path, captions[:1 + i % 3]))
    return found


def check_retrieval(report, found, vectors):
    texts = [c for _, captions in found for c in captions]
    owners = [i for i, (_, captions) in enumerate(found) for _ in captions]
    of_texts = embed(PE_EMBED, texts=texts)
    expected = retrieve(vectors[:len(found)],
                        [of_texts["text", t] for t in texts], owners)
    for (way, depth), value in expected.items():
        print(f"# {way}, {depth}: {report[way][depth]}, "
              f"expected {value:.9g}")
        assert same(report[way][depth], value), (way, depth)
    assert report["text-to-item"]["n"] == len(texts)
    assert report["item-to-text"]["n"] == len(found)


def vectors_of_pictures(found):
    vectors = embed(PE_EMBED, images=[p for p, _ in found])
    return [vectors["image", str(p)] for p, _ in found]


def vectors_of_videos(folder, found):
    """Those of 8 frames, some of them more than once."""
    all_of = []
    for i in range(len(found)):
        n = 1 + i % 3
        paths = [folder / f"frame{k}" / f"{i}.png" for k in range(n)]
        vectors = embed(PE_EMBED, images=paths)
        all_of.append(mean_units([
            vectors["image", str(paths[int(k * (n - 1) / 7)])]
            for k in range(8)]))
    return all_of


def retrieves_from_a_list_with_several_captions(folder):
    found = draw_captions(folder)
    # A column for each caption, one row for each, and quotes and line ends.
    found[3] = (found[3][0], ['a "red"\n square, small', "square"])
    with open(folder / "wide.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "caption", "caption2", "caption3", "note"])
        for path, captions in found:
            writer.writerow([path, *captions, *[""] * (3 - len(captions)),
                             "?"])
    with open(folder / "long.csv", "w", newline="") as file:
        file.write("\ufeff")
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow(["caption", "path"])
        for path, captions in found:
            writer.writerows((c, path.relative_to(folder)) for c in captions)
    for name in ("wide.csv", "long.csv"):
        report = run("retrieve", folder / name, "--out", folder / "out")
        check_retrieval(report, found, vectors_of_pictures(found))
    assert report["text-to-item"]["recall-1"] < 1, "the data set says nothing"


def retrieves_as_coco_lies_on_a_disk(folder):
    found = draw_captions(folder)
    images = [{"id": 100 - i, "file_name": path.name}
              for i, (path, _) in enumerate(found)]
    notes = [{"image_id": 100 - i, "id": k, "caption": caption}
             for k in range(3) for i, (_, captions) in enumerate(found)
             for caption in captions[k:k + 1]]
    (folder / "captions_val.json").write_text(json.dumps(
        {"images": images, "annotations": notes}))
    # And as Karpathy's split has it, with a part that is not asked for.
    (folder / "dataset.json").write_text(json.dumps({"images": [
        {"filepath": "files", "filename": path.name,
         "split": "test" if i < 25 else "train",
         "sentences": [{"raw": c} for c in captions]}
        for i, (path, captions) in enumerate(found)]}))
    out = ("--out", folder / "out")
    vectors = vectors_of_pictures(found)
    check_retrieval(run("retrieve", folder / "captions_val.json", "--root",
                        folder / "files", *out), found, vectors)
    check_retrieval(run("retrieve", folder / "dataset.json", "--split", "test",
                        *out), found[:25], vectors)


def retrieves_videos_of_msr_vtt(folder):
    need_elements("decodebin", "avidemux")
    found = draw_captions(folder, videos=True)
    vectors = vectors_of_videos(folder, found)
    (folder / "data.json").write_text(json.dumps({
        "videos": [{"video_id": path.stem, "split": "test"}
                   for path, _ in found] + [
            {"video_id": "gone", "split": "train"}],
        "sentences": [{"video_id": path.stem, "caption": c}
                      for path, captions in found for c in captions]}))
    with open(folder / "test.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["key", "video_id", "sentence"])
        writer.writerows((f"ret{i}", path.stem, captions[0])
                         for i, (path, captions) in enumerate(found))
    args = ("--video", "--root", folder / "files", "--out", folder / "out")
    check_retrieval(run("retrieve", folder / "data.json", "--split", "test",
                        *args), found, vectors)
    check_retrieval(run("retrieve", folder / "test.csv", *args),
                    [(p, c[:1]) for p, c in found], vectors)


if __name__ == "__main__":
    cases = [
        classifies_folders_of_wnids, classifies_videos_of_kinetics,
        retrieves_from_a_list_with_several_captions,
    ]
    if not BY_TORCH:
        cases += [
            takes_names_numbers_and_lists_alike,
            takes_the_classes_that_the_data_has,
            reads_the_words_of_python_packages,
            leaves_out_what_objectnet_does_not_share,
            retrieves_as_coco_lies_on_a_disk, retrieves_videos_of_msr_vtt,
        ]
    sys.exit(run_tests(cases, Folder))
