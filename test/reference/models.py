"""Writes test/fixtures/models.json: each model of ts/models in float64 PyTorch, from its formula: the
logits and gradients of a batch, and the parameters after three steps of SparseAdam (tables and banks)
and Adam (the rest). Dropout is off. Logits are those of scoring: of running statistics, which are in the
gradients' place as they are after one step.

    pip install torch==2.13 && python test/reference/models.py
"""

import json
import pathlib
from functools import partial

import torch
from torch.nn import functional as F

torch.manual_seed(5)
torch.set_default_dtype(torch.float64)
SIZES = {"user": 12, "item": 9, "domain": 4}  # three domains; the last row for unknown ones
SLOTS, FIELDS, DIM, ROWS, STEPS, DOMAIN = 3, 3, 4, 16, 3, 1
# Of an epsilon that keeps Adam from making steps of rounding, where batch normalisation leaves no gradient.
ADAM = {"lr": 1e-2, "eps": 1e-3}
batches = [
    {
        "user": torch.randint(0, SIZES["user"], (ROWS,)),
        "item": torch.randint(0, 4, (ROWS,)),  # many duplicates
        "domain": torch.full((ROWS,), DOMAIN),
        "label": torch.randint(0, 2, (ROWS,)).double(),
    }
    for _ in range(STEPS)
]


class Parameters(dict):
    """Values by name; asking for one that is not there draws it, so that formulas name the shapes."""

    training = False

    def __init__(self, **values):
        super().__init__(values)
        self.banks = set()
        self.penalties = []

    def draw(self, name, shape, scale, middle=0.0, bank=False):
        if bank:
            self.banks.add(name)
        if name not in self:
            # The values that float32 can hold: both sides start from the same numbers.
            self[name] = (middle + torch.randn(*shape) * scale).float().double().requires_grad_()
        return self[name]

    def average(self, name, shape, middle, value, bank):
        """The value in training, which moves its average; the average elsewhere."""
        kept = self.draw(name, shape, 0.1, middle, bank).requires_grad_(False)
        kept = kept[DOMAIN] if bank else kept
        if not self.training:
            return kept
        kept.copy_(0.99 * kept + 0.01 * value.detach())
        return value

    def norm(self, name, x, bank=False, scale=None, shift=None):
        shape = (SLOTS, x.shape[1]) if bank else (x.shape[1],)
        at = (lambda table: table[DOMAIN]) if bank else (lambda vector: vector)
        weight = at(self.draw(f"{name}.weight", shape, 0.2, 1.0, bank))
        bias = at(self.draw(f"{name}.bias", shape, 0.2, bank=bank))
        mean = self.average(f"{name}.runningMean", shape, 0.0, x.mean(0), bank)
        square = ((x - x.mean(0)) ** 2).mean(0)
        variance = self.average(f"{name}.runningVar", shape, 1.0, square, bank)
        weight = weight if scale is None else scale * weight
        bias = bias if shift is None else shift + bias
        return (x - mean) / (variance + 1e-3).sqrt() * weight + bias

    def fields(self, batch, prefix="embedding", dim=DIM):
        return [
            self.draw(f"{prefix}.{name}.weight", (size, dim), 0.4)[batch[name]]
            for name, size in SIZES.items()
        ]

    def first_order(self, batch):
        return sum(self.fields(batch, "linear.weights", 1))

    def linear(self, name, x, out, bias=True):
        weight = self.draw(f"{name}.weight", (out, x.shape[1]), x.shape[1] ** -0.5)
        return F.linear(x, weight, self.draw(f"{name}.bias", (out,), 0.1) if bias else None)

    def bank(self, name, x, out, bias=True):
        inputs = x.shape[1]
        weight = self.draw(f"{name}.weight", (SLOTS, out * inputs), inputs**-0.5, bank=True)
        y = x @ weight[DOMAIN].reshape(out, inputs).T
        return y + self.draw(f"{name}.bias", (SLOTS, out), 0.1, bank=True)[DOMAIN] if bias else y

    def star(self, name, x, out):
        inputs = x.shape[1]
        shared = self.draw(f"{name}.shared.weight", (out, inputs), inputs**-0.5)
        own = self.draw(f"{name}.own.weight", (SLOTS, out * inputs), 0.3, 1.0, bank=True)
        bias = self.draw(f"{name}.shared.bias", (out,), 0.1)
        bias = bias + self.draw(f"{name}.own.bias", (SLOTS, out), 0.1, bank=True)[DOMAIN]
        return x @ (shared * own[DOMAIN].reshape(out, inputs)).T + bias

    active = staticmethod(torch.relu)
    normed = False

    def dnn(self, name, x, sizes, layer="linear"):
        for i, size in enumerate(sizes):
            x = getattr(self, layer)(f"{name}.layers.{i}", x, size, not self.normed)
            x = self.norm(f"{name}.norms.{i}", x, layer == "bank") if self.normed else x
            x = self.active(x)
        return x

    def bank_dnn(self, name, x, sizes):
        return self.dnn(name, x, sizes, "bank")

    def tower(self, x, sizes):
        return self.bank("towers.output", self.bank_dnn("towers.hidden", x, sizes), 1, bias=False)


def half_square(fields):
    return 0.5 * (sum(fields) ** 2 - sum(field**2 for field in fields))


def wdl(p, batch):
    x = torch.cat(p.fields(batch), 1)
    return p.first_order(batch) + p.linear("output", p.dnn("dnn", x, [6, 5]), 1, bias=False)


def nfm(p, batch):
    x = half_square(p.fields(batch))
    return p.first_order(batch) + p.linear("output", p.dnn("dnn", x, [6]), 1, bias=False)


def deepfm(p, batch):
    fields = p.fields(batch)
    deep = p.linear("output", p.dnn("dnn", torch.cat(fields, 1), [6]), 1, bias=False)
    return p.first_order(batch) + half_square(fields).sum(1, keepdim=True) + deep


def pnn(p, batch):
    fields = p.fields(batch)
    dots = [
        (fields[i] * fields[j]).sum(1, keepdim=True)
        for i in range(FIELDS)
        for j in range(i + 1, FIELDS)
    ]
    return p.linear("output", p.dnn("dnn", torch.cat([*fields, *dots], 1), [6]), 1, bias=False)


def autoint(p, batch, layers=2, heads=2, dim=3):
    fields = p.fields(batch)
    x = torch.stack(fields, 1)  # [rows, fields, inputs]
    for layer in range(layers):
        project = {
            kind: x @ p.draw(f"interacting.{layer}.{kind}", (heads * dim, x.shape[2]), 0.5).T
            for kind in ("query", "key", "value", "residual")
        }
        q, k, v = (
            project[kind].reshape(ROWS, FIELDS, heads, dim).transpose(1, 2)
            for kind in ("query", "key", "value")
        )
        attended = torch.softmax(q @ k.transpose(2, 3), -1) @ v  # [rows, heads, fields, dim]
        attended = attended.transpose(1, 2).reshape(ROWS, FIELDS, heads * dim)
        x = torch.relu(attended + project["residual"])
    deep = p.dnn("dnn", torch.cat(fields, 1), [6])
    both = torch.cat([x.reshape(ROWS, -1), deep], 1)
    return p.first_order(batch) + p.linear("output", both, 1, bias=False)


def ccpm(p, batch, layers):
    x = torch.stack(p.fields(batch), 1)[:, None]  # [rows, channels, fields, dim]
    for i, (width, filters) in enumerate(layers, 1):
        inputs = x.shape[1]
        at = f"convolutions.{i - 1}"
        weight = p.draw(f"{at}.weight", (filters, inputs, width), (width * inputs) ** -0.5)
        bias = p.draw(f"{at}.bias", (filters,), 0.1)
        x = torch.tanh(F.conv2d(x, weight[..., None], bias, padding="same"))
        last = i == len(layers)
        k = 3 if last else max(1, int((1 - (i / len(layers)) ** (len(layers) - i)) * FIELDS))
        places = x.topk(min(k, x.shape[2]), 2).indices.sort(2).values
        x = x.gather(2, places)
    deep = p.linear("output", p.dnn("dnn", x.flatten(1), [6]), 1, bias=False)
    return p.first_order(batch) + deep


def convolved(*layers):
    """The model and its options with these widths and filters."""
    options = [{"width": width, "filters": filters} for width, filters in layers]
    return lambda p, batch: ccpm(p, batch, layers), {**SMALL, "convolutions": options}


def shared_bottom(p, batch):
    return p.tower(p.dnn("bottom", torch.cat(p.fields(batch), 1), [6]), [5])


def mixture(logits, experts):
    gate = torch.softmax(logits, 1)
    return sum(gate[:, i : i + 1] * expert for i, expert in enumerate(experts))


def moe(p, batch):
    x = torch.cat(p.fields(batch), 1)
    experts = [p.dnn(f"experts.{i}", x, [6]) for i in range(3)]
    return p.tower(mixture(p.linear("gate", x, 3, bias=False), experts), [5])


def mmoe(p, batch):
    x = torch.cat(p.fields(batch), 1)
    experts = [p.dnn(f"experts.{i}", x, [6]) for i in range(3)]
    logits = p.bank("gates", p.bank_dnn("gateLayers", x, [4]), 3, bias=False)
    return p.tower(mixture(logits, experts), [5])


def ple(p, batch, levels=2):
    own = shared = torch.cat(p.fields(batch), 1)
    for i in range(levels):
        at = f"levels.{i}"
        experts = [p.bank_dnn(f"{at}.specific.{e}", own, [6]) for e in range(2)]
        experts += [p.dnn(f"{at}.shared.{e}", shared, [6]) for e in range(2)]
        gate = p.bank(f"{at}.gates", p.bank_dnn(f"{at}.gateLayers", own, [4]), 4, bias=False)
        if i + 1 < levels:
            up = p.dnn(f"{at}.sharedGateLayers", shared, [4])
            up = p.linear(f"{at}.sharedGate", up, 4, bias=False)
            shared_up = mixture(up, experts)
        own = mixture(gate, experts)
        if i + 1 < levels:
            shared = shared_up
    return p.tower(own, [5])


def gate(p, name, x, out):
    hidden = torch.relu(p.linear(f"{name}.first", x, 4))
    return 2 * torch.sigmoid(p.linear(f"{name}.second", hidden, out))


def pepnet(p, batch):
    *features, domain = p.fields(batch)
    features = torch.cat(features, 1)
    scales = gate(p, "embeddingGate", torch.cat([domain, features.detach()], 1), 2 * DIM)
    personal = scales * features
    prior = torch.cat([features, personal.detach()], 1)
    x = personal
    for i, size in enumerate([6, 5]):
        x = gate(p, f"layerGates.{i}", prior, size) * torch.relu(p.linear(f"hidden.{i}", x, size))
    return p.linear("output", x, 1, bias=False)


def star(p, batch, norm="pn", dense="star", auxiliary=False):
    x = torch.cat(p.fields(batch), 1)
    if norm == "pn":
        scale = p.draw("norm.sharedWeight", (x.shape[1],), 0.2, 1.0)
        shift = p.draw("norm.sharedBias", (x.shape[1],), 0.2)
        x = p.norm("norm", x, True, scale, shift)
    elif norm == "bn":
        x = p.norm("norm", x)
    hidden = x
    for i, size in enumerate([6, 5]):
        at = f"layers.{i}"
        star = dense == "star"
        hidden = p.star(at, hidden, size) if star else p.linear(f"{at}.shared", hidden, size)
        hidden = torch.relu(hidden)
    if auxiliary:
        hidden = hidden + torch.relu(p.bank("auxiliary", x, 5))
    return p.linear("output", hidden, 1, bias=False)


def adasparse(p, batch, factors, alpha, beta, epsilon, sparsity, sparsityWeight):
    fields = p.fields(batch)
    x = torch.cat(fields, 1)
    sizes = [6, 5]
    for i, size in enumerate(sizes):
        h = torch.relu(p.linear(f"hidden.{i}", x, size))
        v = p.linear(f"pruners.{i}.linear", torch.cat([fields[-1], h], 1), size)
        if factors == "scaling":
            x = h * beta * torch.sigmoid(v)
            continue
        soft = (beta if factors == "fusion" else 1) * torch.sigmoid(alpha * v)
        kept = (soft > epsilon).double()
        straight = kept + soft - soft.detach()
        x = h * (soft * kept if factors == "fusion" else straight)
        pruned = 1 - straight.mean()
        if not sparsity[0] <= pruned <= sparsity[1]:
            distance = pruned - sum(sparsity) / 2
            p.penalties.append(sparsityWeight / len(sizes) * distance**2)
    return p.linear("output", x, 1, bias=False)


def adasparse_case(factors):
    options = {
        "factors": factors,
        "alpha": 6,
        "beta": 1.5,
        "epsilon": 0.3,
        "sparsity": [0.05, 0.25],
        "sparsityWeight": 0.7,
    }
    return partial(adasparse, **options), {**SMALL, "hidden": [6, 5], **options}


def star_case(**options):
    return partial(star, **options), {"embeddingDim": DIM, "hidden": [6, 5], **options}


def with_layers(forward, active, normed):
    """The same model with other hidden layers."""

    def run(p, batch):
        p.active, p.normed = active, normed
        return forward(p, batch)

    return run


SMALL = {"embeddingDim": DIM, "dropout": 0, "hidden": [6]}
HEADS = {**SMALL, "tower": [5]}
MODELS = {
    "wdl": (wdl, {**SMALL, "hidden": [6, 5]}),
    "nfm": (nfm, SMALL),
    "deepfm": (deepfm, SMALL),
    "autoint": (autoint, {**SMALL, "layers": 2, "heads": 2, "headDim": 3}),
    "pnn": (pnn, SMALL),
    "shared-bottom": (shared_bottom, HEADS),
    "moe": (moe, {**HEADS, "experts": 3}),
    "mmoe": (mmoe, {**HEADS, "experts": 3, "gate": [4]}),
    "ple": (
        ple,
        {**HEADS, "specificExperts": 2, "sharedExperts": 2, "gate": [4], "levels": 2},
    ),
    "pepnet": (pepnet, {**SMALL, "hidden": [6, 5], "gate": 4}),
    "star": star_case(),
    "star with an auxiliary net": star_case(auxiliary=True),
    "star without norm": star_case(norm="none"),
    "star of shared layers": star_case(norm="bn", dense="dense"),
    "shared-bottom normalised": (
        with_layers(shared_bottom, torch.relu, True),
        {**HEADS, "batchNorm": True},
    ),
    "ple of tanh": (
        with_layers(ple, torch.tanh, True),
        {
            **HEADS,
            "specificExperts": 2,
            "sharedExperts": 2,
            "gate": [4],
            "levels": 2,
            "activation": "tanh",
            "batchNorm": True,
        },
    ),
    "wdl of sigmoids": (
        with_layers(wdl, torch.sigmoid, False),
        {**SMALL, "hidden": [6, 5], "activation": "sigmoid"},
    ),
    "ccpm": convolved((2, 3), (3, 4), (1, 2)),
    "ccpm of one convolution": convolved((6, 4)),
    "adasparse": adasparse_case("fusion"),
    "adasparse of zeros and ones": adasparse_case("binarization"),
    "adasparse of scales": adasparse_case("scaling"),
}


def touched(p, name, batch):
    """Rows of a table or bank that a batch reads; nothing for a dense parameter."""
    for field in SIZES:
        if f".{field}.weight" in f".{name}":
            return batch[field].unique()
    return torch.tensor([DOMAIN]) if name in p.banks else None


def numbers(values):
    """Nine digits: far below float32's rounding."""
    return {k: [float(f"{x:.9g}") for x in v.flatten().tolist()] for k, v in values.items()}


def golden(forward, options):
    # Away from zero: the gradients of the rows' logits would cancel out, and with them their digits.
    p = Parameters(bias=torch.tensor([0.75], requires_grad=True))

    def logits_of(batch):
        return (forward(p, batch) + p["bias"]).squeeze(1)

    logits = logits_of(batches[0]).detach()
    start = {k: v.detach().clone() for k, v in p.items()}
    averages = [k for k, v in p.items() if not v.requires_grad]
    trained = [k for k in p if k not in averages]
    tables = [k for k in trained if touched(p, k, batches[0]) is not None]
    p.training = True
    optimizers = [
        torch.optim.SparseAdam([p[k] for k in tables], **ADAM),
        torch.optim.Adam([p[k] for k in trained if k not in tables], **ADAM),
    ]
    gradients = None
    for batch in batches:
        for optimizer in optimizers:
            optimizer.zero_grad()
        p.penalties = []
        loss = F.binary_cross_entropy_with_logits(logits_of(batch), batch["label"])
        sum(p.penalties, loss).backward()
        if gradients is None:
            gradients = {k: (p[k].grad if k in trained else p[k]).clone() for k in p}
        for k in tables:
            rows = touched(p, k, batch)
            p[k].grad = torch.sparse_coo_tensor(rows[None], p[k].grad[rows], p[k].shape)
        for optimizer in optimizers:
            optimizer.step()
    return {
        "options": options,
        "start": numbers(start),
        "logits": logits.tolist(),
        "gradients": numbers(gradients),
        "end": numbers(p),
    }


fixture = {
    "torch": torch.__version__,
    "sizes": SIZES,
    "rows": ROWS,
    "domain": DOMAIN,
    "adam": {"learningRate": ADAM["lr"], "epsilon": ADAM["eps"]},
    "batches": [
        {k: v.tolist() for k, v in batch.items() if k != "domain"} for batch in batches
    ],
    "models": {name: golden(*case) for name, case in MODELS.items()},
}
path = pathlib.Path(__file__).parent.parent / "fixtures" / "models.json"
path.write_text(json.dumps(fixture) + "\n")
