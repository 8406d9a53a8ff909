"""The models of test/reference/formulas.py in the form that trains fastest in PyTorch on a CPU: sparse gradients
of tables with SparseAdam, the fused Adam for the rest, a domain's own layers as tensors of their own, of
which a step touches one domain's.
"""

import pathlib
import sys

import torch
from torch.nn import functional as F

sys.path.append(str(pathlib.Path(__file__).parents[2] / "test" / "reference"))
from formulas import FORMULAS, Parameters  # noqa: E402


class Trained(Parameters):
    training = True

    def rows(self, name, shape, ids):
        return F.embedding(ids, self.draw(name, shape, 0.01), sparse=True)

    def own(self, name, shape, scale, middle=0.0):
        return self.draw(f"{name}.{self.domain}", shape, scale, middle)

    def normalized(self, name, x, weight, bias, bank):
        own = self.own if bank else self.draw
        shape = (x.shape[1],)
        mean = own(f"{name}.runningMean", shape, 0.1).requires_grad_(False)
        variance = own(f"{name}.runningVar", shape, 0.1, 1.0).requires_grad_(False)
        return F.batch_norm(x, mean, variance, weight, bias, True, momentum=0.01, eps=1e-3)


class Model:
    """A model with its optimizers. `samples`: a batch of every domain, by which parameters are drawn."""

    def __init__(self, name, options, sizes, samples, learning_rate):
        torch.manual_seed(0)
        self.forward = FORMULAS[name]
        bias = torch.zeros(1, requires_grad=True)
        self.parameters = Trained(sizes, len(samples), 0, options, bias=bias)
        for domain, batch in enumerate(samples):
            self.loss(domain, batch)
        self.trained = {k: v for k, v in self.parameters.items() if v.requires_grad}
        rows = [table for _, table in self.tables()]
        dense = [v for v in self.trained.values() if not any(v is table for table in rows)]
        # SparseAdam is PyTorch's only Adam that takes sparse gradients: it updates touched rows.
        self.optimizers = [
            torch.optim.SparseAdam(rows, lr=learning_rate),
            torch.optim.Adam(dense, lr=learning_rate, fused=True),
        ]

    def tables(self):
        """Each with the name of the batch's ids that it is read by."""
        tables = ("embedding.", "linear.weights.")
        return [(k.split(".")[-2], v) for k, v in self.trained.items() if k.startswith(tables)]

    def loss(self, domain, batch):
        p = self.parameters
        p.domain = domain
        p.penalties = []
        logits = (self.forward(p, batch) + p["bias"]).squeeze(1)
        return sum(p.penalties, F.binary_cross_entropy_with_logits(logits, batch["label"]))

    def step(self, domain, batch):
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        self.loss(domain, batch).backward()
        for optimizer in self.optimizers:
            optimizer.step()
