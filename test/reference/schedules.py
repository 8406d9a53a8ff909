"""Writes test/fixtures/schedules.json: what schedules of torch.optim.lr_scheduler make of three
optimizers, after some steps of a logistic regression on an item's effect and a bias.

    pip install torch==2.13 && python test/reference/schedules.py
"""

import json
import pathlib

import torch
from torch.nn import functional
from torch.optim import lr_scheduler

torch.manual_seed(5)
torch.set_default_dtype(torch.float64)
ITEMS, BATCH, STEPS = 4, 8, 24
ENDS = [3, 11, STEPS]  # numbers of steps after which the values are kept
RATE = 0.2

# Every batch has every item twice.
items = torch.stack([torch.randperm(BATCH) % ITEMS for _ in range(STEPS)])
labels = torch.randint(0, 2, (STEPS, BATCH)).double()
start = {"item.weight": torch.randn(ITEMS, 1).float().double(), "bias": torch.zeros(1)}


def exponential(optimizer, s):
    if s.get("every", 1) == 1:
        return lr_scheduler.ExponentialLR(optimizer, s["gamma"])
    return lr_scheduler.StepLR(optimizer, s["every"], s["gamma"])


def cosine(optimizer, s):
    # PyTorch's own rises again behind its last step.
    return lr_scheduler.SequentialLR(
        optimizer,
        [
            lr_scheduler.CosineAnnealingLR(optimizer, s["steps"], s.get("minimum", 0.0)),
            lr_scheduler.ConstantLR(optimizer, s.get("minimum", 0.0) / RATE, total_iters=STEPS + 1),
        ],
        milestones=[s["steps"]],
    )


RULES = {
    "constant": lambda o, s: lr_scheduler.ConstantLR(o, factor=1.0),
    "exponential": exponential,
    "step": lambda o, s: lr_scheduler.MultiStepLR(o, s["milestones"], s.get("gamma", 0.1)),
    "cosine": cosine,
    "inverse": lambda o, s: lr_scheduler.LambdaLR(
        o, lambda i: (1 + s.get("gamma", 1e-3) * i) ** -s.get("power", 0.75)
    ),
}


def scheduler(optimizer, s):
    warmup = s.get("warmup", 0)
    rule = RULES[s["kind"]]
    if warmup == 0:
        return rule(optimizer, s)
    rising = lr_scheduler.LinearLR(optimizer, 1 / warmup, total_iters=warmup - 1)
    return lr_scheduler.SequentialLR(optimizer, [rising, rule(optimizer, s)], milestones=[warmup])


def trained(kind, schedule):
    table = start["item.weight"].clone().requires_grad_()
    bias = start["bias"].clone().requires_grad_()
    if kind == "sgd":
        optimizers = [torch.optim.SGD([table, bias], lr=RATE, momentum=0.5)]
    elif kind == "adagrad":
        optimizers = [torch.optim.Adagrad([table, bias], lr=RATE)]
    elif kind == "adam":
        optimizers = [torch.optim.SparseAdam([table], lr=RATE), torch.optim.Adam([bias], lr=RATE)]
    else:
        # Every row is in every batch, and epsilon is far below the roots.
        optimizers = [torch.optim.AdamW([table, bias], lr=RATE, weight_decay=0.3)]
    schedulers = [scheduler(optimizer, schedule) for optimizer in optimizers]
    ends = []
    for step in range(STEPS):
        for optimizer in optimizers:
            optimizer.zero_grad()
        logits = functional.embedding(items[step], table, sparse=kind == "adam").squeeze(1) + bias
        functional.binary_cross_entropy_with_logits(logits, labels[step]).backward()
        for optimizer, each in zip(optimizers, schedulers, strict=True):
            optimizer.step()
            each.step()
        if step + 1 in ENDS:
            ends.append({"item.weight": rounded(table), "bias": rounded(bias)})
    return ends


def rounded(tensor):
    return [float(f"{x:.9g}") for x in tensor.detach().flatten().tolist()]


SCHEDULES = [
    {"kind": "constant", "warmup": 6},
    {"kind": "exponential", "gamma": 0.9},
    {"kind": "exponential", "gamma": 0.5, "every": 4, "warmup": 3},
    {"kind": "step", "milestones": [4, 12]},
    {"kind": "step", "milestones": [5, 9, 10], "gamma": 0.6, "warmup": 2},
    {"kind": "cosine", "steps": 15},
    {"kind": "cosine", "steps": 10, "minimum": 0.05},
    {"kind": "inverse"},
    {"kind": "inverse", "gamma": 0.3, "power": 2.0, "warmup": 4},
]
OPTIONS = {"sgd": {"momentum": 0.5}, "adagrad": {}, "adam": {}, "adamw": {"weightDecay": 0.3}}
fixture = {
    "torch": torch.__version__,
    "items": ITEMS,
    "batch": BATCH,
    "item": items.flatten().tolist(),
    "label": [int(label) for label in labels.flatten().tolist()],
    "start": {name: rounded(value) for name, value in start.items()},
    "steps": ENDS,
    "cases": [
        {
            "optimizer": {"name": kind, "learningRate": RATE, **options, "schedule": schedule},
            "ends": trained(kind, schedule),
        }
        for schedule in SCHEDULES
        for kind, options in OPTIONS.items()
    ],
}
path = pathlib.Path(__file__).parent.parent / "fixtures" / "schedules.json"
path.write_text(json.dumps(fixture) + "\n")
