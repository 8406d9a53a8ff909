"""The models of ts/models from their formulas in PyTorch: what their golden tests (models.py) and their
benchmark (benchmarks/peers/pytorch_models.py) compare the library with.
"""

from math import prod

import torch
from torch.nn import functional as F


class Parameters(dict):
    """Values by name; asking for one that is not there draws it, so that formulas name the shapes.

    `sizes` are the rows of the fields' tables, the domain's last. A batch is of one `domain`, whose
    own values are rows of tables with `slots` rows. `options` are those of the model in ts/models.
    """

    training = False

    def __init__(self, sizes, slots, domain, options, **values):
        super().__init__(values)
        self.sizes, self.slots, self.domain, self.options = sizes, slots, domain, options
        self.banks = set()
        self.penalties = []
        self.active = getattr(torch, options.get("activation", "relu"))
        self.normed = options.get("batchNorm", False)

    def draw(self, name, shape, scale, middle=0.0):
        if name not in self:
            # The values that float32 can hold: both sides start from the same numbers.
            values = (middle + torch.randn(*shape) * scale).float().to(torch.get_default_dtype())
            self[name] = values.requires_grad_()
        return self[name]

    def own(self, name, shape, scale, middle=0.0):
        """The domain's own value: a row of a bank."""
        self.banks.add(name)
        return self.draw(name, (self.slots, prod(shape)), scale, middle)[self.domain].reshape(shape)

    def average(self, name, shape, middle, value, bank):
        """The value in training, which moves its average; the average elsewhere."""
        (self.own if bank else self.draw)(name, shape, 0.1, middle)
        kept = self[name].requires_grad_(False)
        kept = kept[self.domain] if bank else kept
        if not self.training:
            return kept
        kept.copy_(0.99 * kept + 0.01 * value.detach())
        return value

    def normalized(self, name, x, weight, bias, bank):
        shape = (x.shape[1],)
        mean = self.average(f"{name}.runningMean", shape, 0.0, x.mean(0), bank)
        square = ((x - x.mean(0)) ** 2).mean(0)
        variance = self.average(f"{name}.runningVar", shape, 1.0, square, bank)
        return (x - mean) / (variance + 1e-3).sqrt() * weight + bias

    def norm(self, name, x, bank=False, scale=None, shift=None):
        own = self.own if bank else self.draw
        weight = own(f"{name}.weight", (x.shape[1],), 0.2, 1.0)
        bias = own(f"{name}.bias", (x.shape[1],), 0.2)
        weight = weight if scale is None else scale * weight
        bias = bias if shift is None else shift + bias
        return self.normalized(name, x, weight, bias, bank)

    def rows(self, name, shape, ids):
        return self.draw(name, shape, 0.4)[ids]

    def fields(self, batch, prefix="embedding", dim=None):
        dim = dim or self.options["embeddingDim"]
        return [
            self.rows(f"{prefix}.{name}.weight", (size, dim), batch[name])
            for name, size in self.sizes.items()
        ]

    def first_order(self, batch):
        return sum(self.fields(batch, "linear.weights", 1))

    def linear(self, name, x, out, bias=True):
        weight = self.draw(f"{name}.weight", (out, x.shape[1]), x.shape[1] ** -0.5)
        return F.linear(x, weight, self.draw(f"{name}.bias", (out,), 0.1) if bias else None)

    def bank(self, name, x, out, bias=True):
        inputs = x.shape[1]
        weight = self.own(f"{name}.weight", (out, inputs), inputs**-0.5)
        return F.linear(x, weight, self.own(f"{name}.bias", (out,), 0.1) if bias else None)

    def star(self, name, x, out):
        inputs = x.shape[1]
        shared = self.draw(f"{name}.shared.weight", (out, inputs), inputs**-0.5)
        own = self.own(f"{name}.own.weight", (out, inputs), 0.3, 1.0)
        bias = self.draw(f"{name}.shared.bias", (out,), 0.1)
        return F.linear(x, shared * own, bias + self.own(f"{name}.own.bias", (out,), 0.1))

    def dropout(self, x):
        rate = self.options.get("dropout", 0)
        return F.dropout(x, rate, self.training) if rate else x

    def dnn(self, name, x, sizes, layer="linear"):
        for i, size in enumerate(sizes):
            x = getattr(self, layer)(f"{name}.layers.{i}", x, size, not self.normed)
            x = self.norm(f"{name}.norms.{i}", x, layer == "bank") if self.normed else x
            x = self.dropout(self.active(x))
        return x

    def bank_dnn(self, name, x, sizes):
        return self.dnn(name, x, sizes, "bank")

    def hidden(self, x):
        return self.dnn("dnn", x, self.options["hidden"])

    def tower(self, x):
        hidden = self.bank_dnn("towers.hidden", x, self.options["tower"])
        return self.bank("towers.output", hidden, 1, bias=False)

    def output(self, x):
        return self.linear("output", x, 1, bias=False)


def half_square(fields):
    return 0.5 * (sum(fields) ** 2 - sum(field**2 for field in fields))


def mlp(p, batch):
    x = torch.cat(p.fields(batch), 1)
    return p.output(p.dnn("hidden", x, p.options["hidden"]))


def wdl(p, batch):
    x = torch.cat(p.fields(batch), 1)
    return p.first_order(batch) + p.output(p.hidden(x))


def nfm(p, batch):
    x = half_square(p.fields(batch))
    return p.first_order(batch) + p.output(p.hidden(x))


def deepfm(p, batch):
    fields = p.fields(batch)
    deep = p.output(p.hidden(torch.cat(fields, 1)))
    return p.first_order(batch) + half_square(fields).sum(1, keepdim=True) + deep


def pnn(p, batch):
    fields = p.fields(batch)
    dots = [
        (a * b).sum(1, keepdim=True) for i, a in enumerate(fields) for b in fields[i + 1 :]
    ]
    return p.output(p.hidden(torch.cat([*fields, *dots], 1)))


def autoint(p, batch):
    heads, dim = p.options["heads"], p.options["headDim"]
    fields = p.fields(batch)
    x = torch.stack(fields, 1)  # [rows, fields, inputs]
    rows, count = x.shape[:2]
    for layer in range(p.options["layers"]):
        project = {
            kind: x @ p.draw(f"interacting.{layer}.{kind}", (heads * dim, x.shape[2]), 0.5).T
            for kind in ("query", "key", "value", "residual")
        }
        q, k, v = (
            project[kind].reshape(rows, count, heads, dim).transpose(1, 2)
            for kind in ("query", "key", "value")
        )
        attended = torch.softmax(q @ k.transpose(2, 3), -1) @ v  # [rows, heads, fields, dim]
        attended = attended.transpose(1, 2).reshape(rows, count, heads * dim)
        x = torch.relu(attended + project["residual"])
    deep = p.hidden(torch.cat(fields, 1))
    return p.first_order(batch) + p.output(torch.cat([x.reshape(rows, -1), deep], 1))


def ccpm(p, batch):
    x = torch.stack(p.fields(batch), 1)[:, None]  # [rows, channels, fields, dim]
    fields = x.shape[2]
    layers = p.options["convolutions"]
    for i, layer in enumerate(layers, 1):
        inputs = x.shape[1]
        width, filters = layer["width"], layer["filters"]
        at = f"convolutions.{i - 1}"
        weight = p.draw(f"{at}.weight", (filters, inputs, width), (width * inputs) ** -0.5)
        bias = p.draw(f"{at}.bias", (filters,), 0.1)
        x = torch.tanh(F.conv2d(x, weight[..., None], bias, padding="same"))
        last = i == len(layers)
        k = 3 if last else max(1, int((1 - (i / len(layers)) ** (len(layers) - i)) * fields))
        places = x.topk(min(k, x.shape[2]), 2).indices.sort(2).values
        x = x.gather(2, places)
    deep = p.output(p.hidden(x.flatten(1)))
    return p.first_order(batch) + deep


def shared_bottom(p, batch):
    return p.tower(p.dnn("bottom", torch.cat(p.fields(batch), 1), p.options["hidden"]))


def mixture(logits, experts):
    gate = torch.softmax(logits, 1)
    return sum(gate[:, i : i + 1] * expert for i, expert in enumerate(experts))


def moe(p, batch):
    x = torch.cat(p.fields(batch), 1)
    count, hidden = p.options["experts"], p.options["hidden"]
    experts = [p.dnn(f"experts.{i}", x, hidden) for i in range(count)]
    return p.tower(mixture(p.linear("gate", x, count, bias=False), experts))


def mmoe(p, batch):
    x = torch.cat(p.fields(batch), 1)
    count, hidden = p.options["experts"], p.options["hidden"]
    experts = [p.dnn(f"experts.{i}", x, hidden) for i in range(count)]
    gate = p.bank_dnn("gateLayers", x, p.options["gate"])
    return p.tower(mixture(p.bank("gates", gate, count, bias=False), experts))


def ple(p, batch):
    hidden, sizes, levels = (p.options[key] for key in ("hidden", "gate", "levels"))
    specific, common = p.options["specificExperts"], p.options["sharedExperts"]
    own = shared = torch.cat(p.fields(batch), 1)
    for i in range(levels):
        at = f"levels.{i}"
        experts = [p.bank_dnn(f"{at}.specific.{e}", own, hidden) for e in range(specific)]
        experts += [p.dnn(f"{at}.shared.{e}", shared, hidden) for e in range(common)]
        count = len(experts)
        gate = p.bank(f"{at}.gates", p.bank_dnn(f"{at}.gateLayers", own, sizes), count, bias=False)
        if i + 1 < levels:
            up = p.dnn(f"{at}.sharedGateLayers", shared, sizes)
            up = p.linear(f"{at}.sharedGate", up, count, bias=False)
            shared_up = mixture(up, experts)
        own = mixture(gate, experts)
        if i + 1 < levels:
            shared = shared_up
    return p.tower(own)


def gate(p, name, x, out):
    hidden = torch.relu(p.linear(f"{name}.first", x, p.options["gate"]))
    return 2 * torch.sigmoid(p.linear(f"{name}.second", hidden, out))


def pepnet(p, batch):
    *features, domain = p.fields(batch)
    features = torch.cat(features, 1)
    scales = gate(
        p, "embeddingGate", torch.cat([domain, features.detach()], 1), features.shape[1]
    )
    personal = scales * features
    prior = torch.cat([features, personal.detach()], 1)
    x = personal
    for i, size in enumerate(p.options["hidden"]):
        scales = gate(p, f"layerGates.{i}", prior, size)
        x = p.dropout(scales * torch.relu(p.linear(f"hidden.{i}", x, size)))
    return p.output(x)


def star(p, batch):
    norm, dense = p.options.get("norm", "pn"), p.options.get("dense", "star")
    x = torch.cat(p.fields(batch), 1)
    if norm == "pn":
        scale = p.draw("norm.sharedWeight", (x.shape[1],), 0.2, 1.0)
        shift = p.draw("norm.sharedBias", (x.shape[1],), 0.2)
        x = p.norm("norm", x, True, scale, shift)
    elif norm == "bn":
        x = p.norm("norm", x)
    hidden = x
    for i, size in enumerate(p.options["hidden"]):
        at = f"layers.{i}"
        star = dense == "star"
        hidden = p.star(at, hidden, size) if star else p.linear(f"{at}.shared", hidden, size)
        hidden = torch.relu(hidden)
    if p.options.get("auxiliary", False):
        hidden = hidden + torch.relu(p.bank("auxiliary", x, hidden.shape[1]))
    return p.output(hidden)


def adasparse(p, batch):
    sizes = p.options["hidden"]
    factors, alpha, beta, epsilon, sparsity, weight = (
        p.options[key]
        for key in ("factors", "alpha", "beta", "epsilon", "sparsity", "sparsityWeight")
    )
    fields = p.fields(batch)
    x = torch.cat(fields, 1)
    for i, size in enumerate(sizes):
        h = torch.relu(p.linear(f"hidden.{i}", x, size))
        v = p.linear(f"pruners.{i}.linear", torch.cat([fields[-1], h], 1), size)
        if factors == "scaling":
            x = p.dropout(h * beta * torch.sigmoid(v))
            continue
        soft = (beta if factors == "fusion" else 1) * torch.sigmoid(alpha * v)
        kept = (soft > epsilon).to(soft.dtype)
        straight = kept + soft - soft.detach()
        x = p.dropout(h * (soft * kept if factors == "fusion" else straight))
        # Zero within the range.
        distance = 1 - straight.mean() - sum(sparsity) / 2
        outside = distance.abs() > (sparsity[1] - sparsity[0]) / 2
        p.penalties.append(weight / len(sizes) * outside * distance**2)
    return p.output(x)


FORMULAS = {
    "mlp": mlp,
    "wdl": wdl,
    "nfm": nfm,
    "deepfm": deepfm,
    "autoint": autoint,
    "ccpm": ccpm,
    "pnn": pnn,
    "shared-bottom": shared_bottom,
    "moe": moe,
    "mmoe": mmoe,
    "ple": ple,
    "pepnet": pepnet,
    "star": star,
    "adasparse": adasparse,
}
