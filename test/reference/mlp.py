"""Writes test/fixtures/mlp.json: a float64 PyTorch MLP on click-through ids, its gradients, and its
parameters after three steps of SparseAdam (tables) and Adam (the rest).

    pip install torch==2.13 && python test/reference/mlp.py
"""

import json
import pathlib

import torch
from torch import nn
from torch.nn import functional

torch.manual_seed(1)
torch.set_default_dtype(torch.float64)
SIZES = {"user": 50, "item": 40, "domain": 3}
DIM, HIDDEN, ROWS, STEPS = 8, [16, 8], 32, 3

parameters = {}
for name, size in SIZES.items():
    parameters[f"embedding.{name}.weight"] = torch.randn(size, DIM) * 0.3
width = DIM * len(SIZES)
for i, out in enumerate(HIDDEN):
    parameters[f"hidden.{i}.weight"] = torch.randn(out, width) / width**0.5
    parameters[f"hidden.{i}.bias"] = torch.randn(out) * 0.1
    width = out
parameters["output.weight"] = torch.randn(1, width) / width**0.5
# Away from zero: the gradients of the rows' logits would cancel out, and with them their digits.
parameters["bias"] = torch.randn(1) * 0.1 + 0.75
# The values that float32 can hold: both sides start from the same numbers.
parameters = {k: v.float().double().requires_grad_() for k, v in parameters.items()}
start = {k: v.detach().flatten().tolist() for k, v in parameters.items()}

batches = [
    {
        "user": torch.randint(0, SIZES["user"], (ROWS,)),
        "item": torch.randint(0, 6, (ROWS,)),  # many duplicates
        "domain": 1,
        "label": torch.randint(0, 2, (ROWS,)).double(),
    }
    for _ in range(STEPS)
]


def forward(batch):
    ids = {"user": batch["user"], "item": batch["item"]}
    ids["domain"] = torch.full((ROWS,), batch["domain"])
    x = torch.cat(
        [
            functional.embedding(ids[name], parameters[f"embedding.{name}.weight"], sparse=True)
            for name in SIZES
        ],
        1,
    )
    for i in range(len(HIDDEN)):
        x = functional.linear(x, parameters[f"hidden.{i}.weight"], parameters[f"hidden.{i}.bias"])
        x = functional.relu(x)
    return functional.linear(x, parameters["output.weight"]).squeeze(1) + parameters["bias"]


def loss_of(batch):
    return functional.binary_cross_entropy_with_logits(forward(batch), batch["label"])


tables = [v for k, v in parameters.items() if k.startswith("embedding.")]
dense = [v for k, v in parameters.items() if not k.startswith("embedding.")]
optimizers = [torch.optim.SparseAdam(tables, lr=1e-2), torch.optim.Adam(dense, lr=1e-2)]
logits = forward(batches[0]).detach().tolist()
losses, gradients = [], None
for batch in batches:
    for optimizer in optimizers:
        optimizer.zero_grad()
    loss = loss_of(batch)
    loss.backward()
    losses.append(loss.item())
    if gradients is None:
        gradients = {k: v.grad.to_dense().flatten().tolist() for k, v in parameters.items()}
    for optimizer in optimizers:
        optimizer.step()

fixture = {
    "torch": torch.__version__,
    "sizes": SIZES,
    "dim": DIM,
    "hidden": HIDDEN,
    "rows": ROWS,
    "learningRate": 1e-2,
    "start": start,
    "batches": [
        {k: v.tolist() if torch.is_tensor(v) else v for k, v in batch.items()} for batch in batches
    ],
    "logits": logits,
    "losses": losses,
    "gradients": gradients,
    "end": {k: v.detach().flatten().tolist() for k, v in parameters.items()},
}
path = pathlib.Path(__file__).parent.parent / "fixtures" / "mlp.json"
path.write_text(json.dumps(fixture) + "\n")
