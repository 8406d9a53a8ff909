"""Lazy against dense Adam on a prepared dataset, in PyTorch: mean test AUC of the best epoch by
validation, for three seeds. Lazy is SparseAdam on the tables, dense is Adam on everything.

    pip install torch safetensors scikit-learn
    python benchmarks/experiments/lazy_adam.py <dataset folder> > lazy-adam.json
"""

import json
import sys

import numpy
import torch
from safetensors.numpy import load_file
from sklearn.metrics import roc_auc_score
from torch import nn
from torch.nn import functional

DIM, HIDDEN, BATCH, EPOCHS, RATE = 16, [64, 32], 2048, 9, 2e-3
folder = sys.argv[1]
schema = json.load(open(f"{folder}/schema.json"))["schema"]
tensors = load_file(f"{folder}/dataset.safetensors")
domains = len(schema["domains"])
sizes = [feature["size"] for feature in schema["features"]] + [domains]


def part(name):
    offsets = tensors[f"{name}.domainOffsets"]
    ids = [torch.from_numpy(tensors[f"{name}.ids.{i}"]).long() for i in range(len(sizes) - 1)]
    domain = torch.from_numpy(numpy.repeat(numpy.arange(domains), numpy.diff(offsets))).long()
    return offsets, [*ids, domain], torch.from_numpy(tensors[f"{name}.labels"])


parts = {name: part(name) for name in ("train", "validation", "test")}


class Mlp(nn.Module):
    def __init__(self, sparse):
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(n, DIM, sparse=sparse) for n in sizes)
        widths = [DIM * len(sizes), *HIDDEN, 1]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths, widths[1:]))
        for table in self.tables:
            nn.init.normal_(table.weight, std=1e-4)

    def forward(self, columns):
        x = torch.cat([table(ids) for table, ids in zip(self.tables, columns)], 1)
        for layer in self.layers[:-1]:
            x = functional.relu(layer(x))
        return self.layers[-1](x).squeeze(1)


def aucs(model, name):
    offsets, columns, labels = parts[name]
    with torch.no_grad():
        scores = torch.cat(
            [model([c[i : i + 65536] for c in columns]) for i in range(0, len(labels), 65536)]
        )
    bounds = list(zip(offsets, offsets[1:]))
    return [roc_auc_score(labels[a:b], scores[a:b]) for a, b in bounds]


def run(lazy, seed):
    torch.manual_seed(seed)
    model = Mlp(lazy)
    if lazy:
        optimizers = [
            torch.optim.SparseAdam(model.tables.parameters(), lr=RATE),
            torch.optim.Adam(model.layers.parameters(), lr=RATE),
        ]
    else:
        optimizers = [torch.optim.Adam(model.parameters(), lr=RATE, foreach=True)]
    offsets, columns, labels = parts["train"]
    best = (0.0, [])
    for _ in range(EPOCHS):
        for domain in torch.randperm(domains).tolist():
            begin, end = int(offsets[domain]), int(offsets[domain + 1])
            for rows in (begin + torch.randperm(end - begin)).split(BATCH):
                for optimizer in optimizers:
                    optimizer.zero_grad()
                logits = model([column[rows] for column in columns])
                functional.binary_cross_entropy_with_logits(logits, labels[rows]).backward()
                for optimizer in optimizers:
                    optimizer.step()
        validation = float(numpy.mean(aucs(model, "validation")))
        if validation > best[0]:
            best = (validation, aucs(model, "test"))
    print(f"lazy {lazy} seed {seed}: {numpy.mean(best[1]):.4f}", file=sys.stderr, flush=True)
    return {"lazy": lazy, "seed": seed, "validation": best[0], "test": best[1]}


torch.set_num_threads(2)
runs = [run(lazy, seed) for seed in (1, 2, 3) for lazy in (True, False)]
rows = numpy.diff(parts["train"][0])
small = rows <= numpy.median(rows)
for lazy in (True, False):
    own = numpy.array([r["test"] for r in runs if r["lazy"] == lazy])
    print(
        f"{'lazy' if lazy else 'dense'}: mean {own.mean():.4f} (seeds {own.mean(1).std(ddof=1):.4f}),"
        f" smaller half {own[:, small].mean():.4f}, larger half {own[:, ~small].mean():.4f}",
        file=sys.stderr,
    )
json.dump({"torch": torch.__version__, "runs": runs}, sys.stdout)
