"""Writes test/fixtures/statistics.json: scikit-learn's AUCs by domain, bootstrapped with NumPy, and
ranks by pandas.

    pip install scikit-learn pandas && python test/reference/statistics.py
"""

import json
import pathlib

import numpy as np
import pandas as pd
from sklearn.metrics import log_loss, roc_auc_score

rng = np.random.default_rng(3)
SIZES, RESAMPLES = [400, 60, 25], 4000
offsets = np.concatenate([[0], np.cumsum(SIZES)])
labels = (rng.random(offsets[-1]) < 0.3).astype(int)
noise = rng.normal(size=(2, len(labels)))
runs = [
    np.round(labels * 0.9 + noise[0], 1).astype(np.float32),  # ties
    (labels * 0.7 + 0.8 * noise[0] + 0.6 * noise[1]).astype(np.float32),
]


def mean_auc(scores, rows):
    return np.mean([roc_auc_score(labels[own], scores[own]) for own in rows])


def resample():
    """Of every domain as many positives and negatives as it has, with replacement."""
    rows = []
    for begin, end in zip(offsets, offsets[1:]):
        own = np.arange(begin, end)
        classes = [own[labels[own] == label] for label in (0, 1)]
        rows.append(np.concatenate([rng.choice(one, len(one)) for one in classes]))
    return rows


whole = [np.arange(begin, end) for begin, end in zip(offsets, offsets[1:])]
differences = []
for _ in range(RESAMPLES):
    rows = resample()
    differences.append(mean_auc(runs[0], rows) - mean_auc(runs[1], rows))
ascending = np.sort(differences)

# Many rows of few scores, by a formula that test/train/streaming.test.ts has, too.
row = np.arange(30_000)
item = row * 7919 % 1009
clicked = (row * 104_729 + item * item) % 17 < 3 + item % 100 / 10
logits = (item % 100 / 10 - 5).astype(np.float32).astype(float)

table = pd.DataFrame(rng.integers(60, 70, (5, 7)) / 100)  # entries x domains, with ties
fixture = {
    "labels": labels.tolist(),
    "offsets": offsets.tolist(),
    "runs": [run.astype(float).tolist() for run in runs],
    "aucs": [mean_auc(run, whole) for run in runs],
    "deviation": float(np.std(differences)),
    "low": float(np.quantile(ascending, 0.025)),
    "high": float(np.quantile(ascending, 0.975)),
    "differences": [float(value) for value in differences[:200]],
    "quantiles": np.quantile(differences[:200], [0.025, 0.975]).tolist(),
    "streamed": {
        "auc": roc_auc_score(clicked, logits),
        "loss": log_loss(clicked, 1 / (1 + np.exp(-logits))),
    },
    "table": table.values.tolist(),
    "ranks": table.rank(ascending=False, method="average").values.tolist(),
    "meanRanks": table.rank(ascending=False, method="average").mean(axis=1).tolist(),
    "deviations": table.std(axis=1).tolist(),
}
path = pathlib.Path(__file__).parent.parent / "fixtures/statistics.json"
path.write_text(json.dumps(fixture))
