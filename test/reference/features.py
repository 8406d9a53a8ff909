"""Writes test/fixtures/features.json: the MLP and DeepFM over a categorical feature, a numeric one,
hashed ids, and a list that shares its table with the categorical one, in float64 PyTorch: raw rows,
logits and gradients of the weighted loss of one batch. Standardisation, embedding bags and weights
are PyTorch's and NumPy's own.

    pip install torch==2.13 && python test/reference/features.py
"""

import json
import math
import pathlib

import torch
from torch.nn import functional as F

torch.manual_seed(7)
torch.set_default_dtype(torch.float64)
ROWS, DIM, DOMAINS = 24, 4, 2
ITEMS = [f"i{n}" for n in range(6)]
TAGS = [f"t{n}" for n in range(5)]


def choice(values):
    return values[int(torch.randint(0, len(values), ()))]


# One domain holds all rows of the batch, the other one row.
rows = [
    {
        "shop": "a" if r < ROWS else "b",
        "part": "train",
        "item": choice(ITEMS),
        "age": None if r % 5 == 2 else int(torch.randint(18, 70, ())),
        "tags": [choice(TAGS) for _ in range(int(torch.randint(0, 4, ())))],
        "history": [choice(ITEMS) for _ in range(int(torch.randint(0, 4, ())))],
        "label": int(torch.randint(0, 2, ())),
        "weight": int(torch.randint(0, 9, ())) / 4,
    }
    for r in range(ROWS + 1)
]


def vocabulary(*columns):
    """Ids from 1 in the order of first appearance, column by column; 0 is unknown."""
    known = {}
    for column in columns:
        for row in rows:
            for value in row[column] if isinstance(row[column], list) else [row[column]]:
                known.setdefault(value, len(known) + 1)
    return known


items = vocabulary("item", "history")
tags = vocabulary("tags")
ages = torch.tensor([row["age"] for row in rows if row["age"] is not None], dtype=torch.float64)
mean, deviation = ages.mean(), ages.std(correction=0)
batch = rows[:ROWS]
item = torch.tensor([items[row["item"]] for row in batch])
# float32, as the library keeps it.
number = torch.tensor(
    [
        [0.0, 1.0] if row["age"] is None else [float((row["age"] - mean) / deviation), 0.0]
        for row in batch
    ]
).float().double()
label = torch.tensor([row["label"] for row in batch]).double()
weight = torch.tensor([row["weight"] for row in batch])
classes = torch.tensor([0.5, 2.0])


def bag(table, known, column, mode):
    flat = torch.tensor([known[value] for row in batch for value in row[column]])
    offsets = torch.tensor([0] + [len(row[column]) for row in batch]).cumsum(0)
    return F.embedding_bag(flat, table, offsets, mode=mode, include_last_offset=True)


def fields(p, prefix, dim, number_dim):
    shared = p.draw(f"{prefix}.item.weight", (len(items) + 1, dim))
    list_table = p.draw(f"{prefix}.tags.weight", (len(tags) + 1, dim))
    domain = p.draw(f"{prefix}.domain.weight", (DOMAINS + 1, dim))
    value = number
    if number_dim:
        name = "numeric" if prefix == "embedding" else "linear.numeric"
        value = number @ p.draw(f"{name}.age.weight", (number_dim, 2)).T
    return [
        shared[item],
        value,
        bag(list_table, tags, "tags", "sum"),
        bag(shared, items, "history", "mean"),
        domain[torch.zeros(ROWS, dtype=torch.int64)],
    ]


class Parameters(dict):
    def draw(self, name, shape):
        if name not in self:
            self[name] = (torch.randn(*shape) * 0.4).float().double().requires_grad_()
        return self[name]


def half_square(values):
    return 0.5 * (sum(values) ** 2 - sum(value**2 for value in values)).sum(1, keepdim=True)


def hidden(p, name, x, sizes):
    for i, size in enumerate(sizes):
        x = F.linear(x, p.draw(f"{name}.{i}.weight", (size, x.shape[1])), p.draw(f"{name}.{i}.bias", (size,)))
        x = torch.relu(x)
    return F.linear(x, p.draw("output.weight", (1, x.shape[1])))


def mlp(p):
    return hidden(p, "hidden", torch.cat(fields(p, "embedding", DIM, None), 1), [6])


def deepfm(p):
    own = fields(p, "embedding", DIM, DIM)
    first = sum(fields(p, "linear.weights", 1, 1))
    return first + half_square(own) + hidden(p, "dnn.layers", torch.cat(own, 1), [6])


def golden(forward):
    p = Parameters(bias=torch.tensor([0.75], requires_grad=True))
    logits = (forward(p) + p["bias"]).squeeze(1)
    loss = F.binary_cross_entropy_with_logits(
        logits, label, weight=weight * classes[label.long()]
    )
    loss.backward()
    rounded = lambda values: [float(f"{v:.9g}") for v in values.flatten().tolist()]
    return {
        "start": {k: rounded(v.detach()) for k, v in p.items()},
        "logits": rounded(logits.detach()),
        "loss": float(loss.detach()),
        # Reported losses are weighted by rows and not by classes.
        "evaluation": float(
            F.binary_cross_entropy_with_logits(logits.detach(), label, weight=weight)
        ),
        "gradients": {k: rounded(v.grad) for k, v in p.items()},
    }


assert math.isfinite(mean) and deviation > 0
fixture = {
    "torch": torch.__version__,
    "rows": rows,
    "batch": ROWS,
    "classWeights": classes.tolist(),
    "mean": float(mean),
    "deviation": float(deviation),
    "options": {"embeddingDim": DIM, "dropout": 0, "hidden": [6]},
    "models": {"mlp": golden(mlp), "deepfm": golden(deepfm)},
}
path = pathlib.Path(__file__).parent.parent / "fixtures" / "features.json"
path.write_text(json.dumps(fixture) + "\n")
