"""Writes test/fixtures/gradients.json: cosines between the gradients of domains' mean losses, in float64 PyTorch.

    pip install torch==2.13 && python test/reference/gradients.py
"""

import json
import pathlib

import torch
from torch.nn import functional

torch.manual_seed(4)
torch.set_default_dtype(torch.float64)
ITEMS, DIM, ROWS = 30, 3, [37, 33, 5]  # of batches of 16 the last ones are short
offsets = [0, *torch.tensor(ROWS).cumsum(0).tolist()]
items = torch.randint(ITEMS, (sum(ROWS),))
labels = torch.randint(2, (sum(ROWS),))
parameters = {
    "items.weight": torch.randn(ITEMS, DIM),
    "head.weight": torch.randn(1, DIM),
    "head.bias": torch.randn(1) * 0.1,
}
for values in parameters.values():
    values.requires_grad_()


def gradient(begin, end):
    own = functional.embedding(items[begin:end], parameters["items.weight"])
    logits = functional.linear(own, parameters["head.weight"], parameters["head.bias"])[:, 0]
    loss = functional.binary_cross_entropy_with_logits(logits, labels[begin:end].double())
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(parameters.values()))])


gradients = torch.stack([gradient(*rows) for rows in zip(offsets, offsets[1:])])
unit = functional.normalize(gradients)
fixture = {
    "items": items.tolist(),
    "labels": labels.tolist(),
    "domainOffsets": offsets,
    "parameters": {name: values.flatten().tolist() for name, values in parameters.items()},
    "cosines": (unit @ unit.T).tolist(),
}
path = pathlib.Path(__file__).parent.parent / "fixtures/gradients.json"
path.write_text(json.dumps(fixture))
