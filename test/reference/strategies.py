"""Writes test/fixtures/strategies.json: two epochs of the strategies separate, dn, dr and mamdr in
float64 PyTorch, with whole copies of the state, and every row order, domain order and helper drawn.

    pip install torch==2.13 && python test/reference/strategies.py
"""

import json
import pathlib

import torch
from torch import nn
from torch.nn import functional

torch.manual_seed(3)
torch.set_default_dtype(torch.float64)
SIZES = {"user": 30, "item": 20, "domain": 4}  # the last for unknown domains
ROWS = [40, 25, 9]  # of each domain; the last is less than a batch
DIM, HIDDEN, BATCH, EPOCHS, RATE = 4, [8], 16, 2, 1e-2
OUTER_RATE, REGULARIZATION_RATE = 0.5, 0.3
DOMAINS = range(len(ROWS))

start = {}
for name, size in SIZES.items():
    start[f"embedding.{name}.weight"] = torch.randn(size, DIM) * 0.3
width = DIM * len(SIZES)
for i, out in enumerate(HIDDEN):
    start[f"hidden.{i}.weight"] = torch.randn(out, width) / width**0.5
    start[f"hidden.{i}.bias"] = torch.randn(out) * 0.1
    width = out
start["output.weight"] = torch.randn(1, width) / width**0.5
start["bias"] = torch.randn(1) * 0.1
# The values that float32 can hold: both sides start from the same numbers.
start = {k: v.float().double() for k, v in start.items()}

data = [
    {
        # Each domain misses some users and items and shares others.
        "user": torch.randint(5 * domain, 5 * domain + 15, (rows,)),
        "item": torch.randint(0, 12 + 4 * domain, (rows,)),
        "label": torch.randint(0, 2, (rows,)).double(),
    }
    for domain, rows in enumerate(ROWS)
]


def copy(state):
    return {k: v.detach().clone() for k, v in state.items()}


def forward(parameters, batch):
    x = torch.cat(
        [
            functional.embedding(batch[name], parameters[f"embedding.{name}.weight"], sparse=True)
            for name in SIZES
        ],
        1,
    )
    for i in range(len(HIDDEN)):
        x = functional.linear(x, parameters[f"hidden.{i}.weight"], parameters[f"hidden.{i}.bias"])
        x = functional.relu(x)
    return functional.linear(x, parameters["output.weight"]).squeeze(1) + parameters["bias"]


class Trained:
    """One set of tensors and its optimizer, whose state outlives every set()."""

    def __init__(self):
        self.parameters = {k: nn.Parameter(v) for k, v in copy(start).items()}
        tables = [v for k, v in self.parameters.items() if k.startswith("embedding.")]
        dense = [v for k, v in self.parameters.items() if not k.startswith("embedding.")]
        self.optimizers = [
            torch.optim.SparseAdam(tables, lr=RATE),
            torch.optim.Adam(dense, lr=RATE),
        ]

    def get(self):
        return copy(self.parameters)

    def set(self, state):
        with torch.no_grad():
            for name, value in state.items():
                self.parameters[name].copy_(value)

    def run(self, domain, passes):
        """A pass over a domain in an order of its own, which `passes` gets."""
        order = torch.randperm(ROWS[domain])
        passes.append({"domain": domain, "order": order.tolist()})
        for rows in order.split(BATCH):
            batch = {k: v[rows] for k, v in data[domain].items()}
            batch["domain"] = torch.full((len(rows),), domain)
            for optimizer in self.optimizers:
                optimizer.zero_grad()
            logits = forward(self.parameters, batch)
            functional.binary_cross_entropy_with_logits(logits, batch["label"]).backward()
            for optimizer in self.optimizers:
                optimizer.step()


def towards(old, new, rate):
    return {k: old[k] + rate * (new[k] - old[k]) for k in old}


def plus(a, b):
    return {k: a[k] + b[k] for k in a}


def alternate(trained, epoch):
    epoch["domainOrder"] = torch.randperm(len(ROWS)).tolist()
    for domain in epoch["domainOrder"]:
        trained.run(domain, epoch["passes"])


def negotiate(trained, epoch):
    before = trained.get()
    alternate(trained, epoch)
    trained.set(towards(before, trained.get(), OUTER_RATE))


def regularize(trained, specific, helpers, epoch):
    """Leaves the shared parameters, which trained holds, as they were."""
    shared = trained.get()
    epoch["helpers"] = []
    for domain in epoch["domainOrder"]:
        others = [d for d in torch.randperm(len(ROWS)).tolist() if d != domain][:helpers]
        epoch["helpers"].append(others)
        for helper in [*others, domain]:
            begin = plus(shared, specific[domain])
            trained.set(begin)
            trained.run(helper, epoch["passes"])
            trained.run(domain, epoch["passes"])
            end = trained.get()
            for k in begin:
                specific[domain][k] += REGULARIZATION_RATE * (end[k] - begin[k])
    trained.set(shared)


def numbers(state):
    """Nine digits: far below float32's rounding."""
    return {k: [float(f"{x:.9g}") for x in v.flatten().tolist()] for k, v in state.items()}


def golden(epochs, shared, effective, **settings):
    return {
        "settings": settings,
        "epochs": epochs,
        "shared": numbers(shared),
        "effective": [numbers(state) for state in effective],
    }


def run_separate():
    trained = [Trained() for _ in DOMAINS]
    epochs = []
    for _ in range(EPOCHS):
        epochs.append({"passes": []})
        for domain in DOMAINS:
            trained[domain].run(domain, epochs[-1]["passes"])
    return golden(epochs, start, [each.get() for each in trained])


def run_dn():
    trained = Trained()
    epochs = []
    for _ in range(EPOCHS):
        epochs.append({"passes": []})
        negotiate(trained, epochs[-1])
    return golden(epochs, trained.get(), [], outerRate=OUTER_RATE)


def run_regularized(first, helpers, **settings):
    trained = Trained()
    specific = [{k: torch.zeros_like(v) for k, v in start.items()} for _ in DOMAINS]
    epochs = []
    for _ in range(EPOCHS):
        epochs.append({"passes": []})
        first(trained, epochs[-1])
        regularize(trained, specific, helpers, epochs[-1])
    shared = trained.get()
    settings |= {"regularizationRate": REGULARIZATION_RATE, "helpers": helpers}
    return golden(epochs, shared, [plus(shared, own) for own in specific], **settings)


fixture = {
    "torch": torch.__version__,
    "sizes": SIZES,
    "dim": DIM,
    "hidden": HIDDEN,
    "batchSize": BATCH,
    "learningRate": RATE,
    "start": {k: v.flatten().tolist() for k, v in start.items()},
    "data": [{k: v.tolist() for k, v in domain.items()} for domain in data],
    "strategies": {
        "separate": run_separate(),
        "dn": run_dn(),
        "dr": run_regularized(alternate, 1),
        "mamdr": run_regularized(negotiate, 2, outerRate=OUTER_RATE),
    },
}
path = pathlib.Path(__file__).parent.parent / "fixtures" / "strategies.json"
path.write_text(json.dumps(fixture) + "\n")
