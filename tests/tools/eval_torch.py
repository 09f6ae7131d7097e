# SPDX-License-Identifier: LGPL-2.1-or-later
"""The figures of eval_data.classify() and eval_data.retrieve() by PyTorch's own
operations: top-k, softmax, sorting, histograms.
"""

import torch


def rank_area(positives, negatives):
    """AUROC by mid-ranks, as in Hanley and McNeil 1982."""
    both = torch.cat([positives, negatives])
    values, inverse, counts = torch.unique(both, return_inverse=True,
                                           return_counts=True)
    last = torch.cumsum(counts, 0)
    middle = last.double() - (counts.double() - 1) / 2  # of equal values
    ranks = middle[inverse][:len(positives)].sum()
    n, m = len(positives), len(negatives)
    return ((ranks - n * (n + 1) / 2) / (n * m)).item()


def reliability(chances, right, n_bins=15):
    """(n, mean confidence, accuracy) of each bin, and the error of all."""
    # the bins are (low, high], and 0 is in the first
    at = (torch.ceil(chances * n_bins) - 1).clamp(0, n_bins - 1).long()
    n = torch.bincount(at, minlength=n_bins)
    sums = torch.bincount(at, chances, n_bins)
    hits = torch.bincount(at, right.double(), n_bins)
    error = ((hits - sums).abs().sum() / len(chances)).item()
    bins = [(int(k), (s / k).item(), (h / k).item()) if k else (0, None, None)
            for k, s, h in zip(n, sums, hits)]
    return bins, error


def recall_of_classes(predicted, truth, n_classes):
    """Of each class: how many it has, and the share that was found."""
    n = torch.bincount(truth, minlength=n_classes)
    hits = torch.bincount(truth[predicted == truth], minlength=n_classes)
    return [(int(k), (h.double() / k).item() if k else None)
            for k, h in zip(n, hits)]


def classify(vectors, truth, classes, scale):
    images = torch.tensor(vectors, dtype=torch.float64)
    texts = torch.tensor([list(c) for c in classes], dtype=torch.float64)
    truth = torch.tensor(truth)
    scores = images @ texts.T
    top = scores.topk(min(5, len(classes)), 1).indices
    right = top == truth[:, None]
    scale = torch.tensor(scale, dtype=torch.float32).double()
    chances = torch.softmax(scale * scores, 1)
    shown = torch.nn.functional.one_hot(truth, len(classes)).bool()
    bins, error = reliability(chances.max(1).values, right[:, 0])
    each = []
    for c, (n, recall) in enumerate(
            recall_of_classes(top[:, 0], truth, len(classes))):
        mine = shown[:, c]
        area = rank_area(chances[mine, c], chances[~mine, c]) if n else None
        each.append((n, recall, area))
    recalls = [r for _, r, _ in each if r is not None]
    areas = [a for _, _, a in each if a is not None]
    pairs = torch.stack([truth, top[:, 0]], 1)
    cells, counts = torch.unique(pairs, dim=0, return_counts=True)
    return {
        "top1": right[:, 0].double().mean().item(),
        "top5": right.any(1).double().mean().item(),
        "mean-per-class-recall": sum(recalls) / len(recalls),
        "auroc-macro": sum(areas) / len(areas),
        "auroc-micro": rank_area(chances[shown], chances[~shown]),
        "ece": error,
        "reliability": bins,
        "per-class": each,
        "confusion": [[*cell, n] for cell, n in zip(cells.tolist(),
                                                    counts.tolist())],
    }


def retrieve(items, texts, owners):
    items = torch.tensor([list(i) for i in items], dtype=torch.float64)
    texts = torch.tensor([list(t) for t in texts], dtype=torch.float64)
    pairs = torch.nn.functional.one_hot(torch.tensor(owners), len(items))
    scores, found = texts @ items.T, {}
    for way, matrix, relevant in (("text-to-item", scores, pairs),
                                  ("item-to-text", scores.T, pairs.T)):
        for k in (1, 5, 10):
            top = matrix.topk(min(k, matrix.shape[1]), 1).indices
            hits = relevant.gather(1, top).amax(1)
            found[way, f"recall-{k}"] = hits.double().mean().item()
    return found
