"""Writes test/fixtures/dense-rows.json: what torch.optim.Adam makes of two embedding tables with dense
gradients, which it moves by momentum in every step, after hundreds of steps of a logistic regression
on the sum of a user's and an item's vector.

The rows of batches are not in the file. Row i of the data is of user ctz2(i + 1) and item ctz3(i + 1),
the powers of 2 and of 3 that divide i + 1: some are in every batch, others once in a thousand. Its
label is bit 7 of 40503 (i + 1).

    pip install torch==2.13 && python test/reference/dense_rows.py
"""

import json
import pathlib

import torch
from torch.nn import functional
from torch.optim import lr_scheduler

torch.manual_seed(6)
torch.set_default_dtype(torch.float64)
BATCH, STEPS, WIDTH = 4, 2600, 3
ENDS = [40, 700, STEPS]  # numbers of steps after which the values are kept
OUTER_RATE, ROUND = 0.5, 20  # of the interpolation, and the steps between two


def power(base, number):
    count = 0
    while number % base == 0:
        number //= base
        count += 1
    return count


rows = range(1, BATCH * STEPS + 1)
users = torch.tensor([power(2, i) for i in rows])
items = torch.tensor([power(3, i) for i in rows])
labels = torch.tensor([float(40503 * i >> 7 & 1) for i in rows])

start = {
    "user.weight": torch.randn(users.max() + 2, WIDTH),
    "item.weight": torch.randn(items.max() + 2, WIDTH),
    "linear.weight": torch.randn(1, WIDTH),
    "linear.bias": torch.randn(1),
}
start = {name: value.float().double() for name, value in start.items()}


def trained(options, schedule=None, clip_norm=None, interpolated=False):
    weights = {name: value.clone().requires_grad_() for name, value in start.items()}
    optimizer = torch.optim.Adam(
        weights.values(),
        lr=options["learningRate"],
        betas=(options.get("beta1", 0.9), options.get("beta2", 0.999)),
        eps=options.get("epsilon", 1e-8),
    )
    scheduler = schedule and lr_scheduler.MultiStepLR(
        optimizer, schedule["milestones"], schedule["gamma"]
    )
    ends = []
    for step in range(STEPS):
        if interpolated and step % ROUND == 0:
            before = {name: value.detach().clone() for name, value in weights.items()}
        batch = slice(step * BATCH, (step + 1) * BATCH)
        vector = weights["user.weight"][users[batch]] + weights["item.weight"][items[batch]]
        logits = functional.linear(vector, weights["linear.weight"], weights["linear.bias"])[:, 0]
        optimizer.zero_grad()
        functional.binary_cross_entropy_with_logits(logits, labels[batch]).backward()
        if clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(weights.values(), clip_norm)
        optimizer.step()
        if scheduler:
            scheduler.step()
        if interpolated and (step + 1) % ROUND == 0:
            with torch.no_grad():
                for name, value in weights.items():
                    value.copy_(before[name] + OUTER_RATE * (value - before[name]))
        if step + 1 in ENDS:
            ends.append({name: value.detach().flatten().tolist() for name, value in weights.items()})
    return ends


def rounded(value):
    if isinstance(value, float):
        return float(f"{value:.9g}")
    if isinstance(value, list):
        return [rounded(one) for one in value]
    return {name: rounded(one) for name, one in value.items()}


def case(label, options, schedule=None, clip_norm=None, interpolated=False):
    optimizer = {**options, **({"schedule": {"kind": "step", **schedule}} if schedule else {})}
    return {
        "label": label,
        "optimizer": optimizer,
        **({"clipNorm": clip_norm} if clip_norm else {}),
        **({"interpolated": True} if interpolated else {}),
        "ends": rounded(trained(options, schedule, clip_norm, interpolated)),
    }


CASES = [
    case("as it stands", {"learningRate": 2e-3}),
    case("short memory, large epsilon", {"learningRate": 5e-3, "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3}),
    case("a schedule", {"learningRate": 5e-3}, {"milestones": [30, 600, 1500], "gamma": 0.5}),
    case("clipped gradients", {"learningRate": 2e-3}, clip_norm=0.1),
    case("interpolated", {"learningRate": 2e-3}, interpolated=True),
]
fixture = {
    "torch": torch.__version__,
    "batch": BATCH,
    "width": WIDTH,
    "steps": ENDS,
    "outerRate": OUTER_RATE,
    "round": ROUND,
    "users": start["user.weight"].shape[0],
    "items": start["item.weight"].shape[0],
    "start": rounded({name: value.flatten().tolist() for name, value in start.items()}),
    "cases": CASES,
}
path = pathlib.Path(__file__).parent.parent / "fixtures" / "dense-rows.json"
path.write_text(json.dumps(fixture) + "\n")
