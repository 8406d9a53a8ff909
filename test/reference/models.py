"""Writes test/fixtures/models.json: each model of ts/models in float64 PyTorch, from its formula
(formulas.py): the logits and gradients of a batch, and the parameters after three steps of SparseAdam
(tables and banks) and Adam (the rest). Dropout is off. Logits are those of scoring: of running statistics,
which are in the gradients' place as they are after one step.

    pip install torch==2.13 && python test/reference/models.py
"""

import json
import pathlib

import torch
from formulas import FORMULAS, Parameters
from torch.nn import functional as F

torch.manual_seed(5)
torch.set_default_dtype(torch.float64)
SIZES = {"user": 12, "item": 9, "domain": 4}  # three domains; the last row for unknown ones
SLOTS, DIM, ROWS, STEPS, DOMAIN = 3, 4, 16, 3, 1
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


SMALL = {"embeddingDim": DIM, "dropout": 0, "hidden": [6]}
HEADS = {**SMALL, "tower": [5]}
STAR = {"embeddingDim": DIM, "hidden": [6, 5]}
PLE = {**HEADS, "specificExperts": 2, "sharedExperts": 2, "gate": [4], "levels": 2}
ADASPARSE = {
    "alpha": 6,
    "beta": 1.5,
    "epsilon": 0.3,
    "sparsity": [0.05, 0.25],
    "sparsityWeight": 0.7,
}


def convolved(*layers):
    """Options of these widths and filters."""
    options = [{"width": width, "filters": filters} for width, filters in layers]
    return {**SMALL, "convolutions": options}


def pruned_by(factors):
    return {**SMALL, "hidden": [6, 5], "factors": factors, **ADASPARSE}


# A case's name begins with its model's.
MODELS = {
    "wdl": {**SMALL, "hidden": [6, 5]},
    "nfm": SMALL,
    "deepfm": SMALL,
    "autoint": {**SMALL, "layers": 2, "heads": 2, "headDim": 3},
    "pnn": SMALL,
    "shared-bottom": HEADS,
    "moe": {**HEADS, "experts": 3},
    "mmoe": {**HEADS, "experts": 3, "gate": [4]},
    "ple": PLE,
    "pepnet": {**SMALL, "hidden": [6, 5], "gate": 4},
    "star": STAR,
    "star with an auxiliary net": {**STAR, "auxiliary": True},
    "star without norm": {**STAR, "norm": "none"},
    "star of shared layers": {**STAR, "norm": "bn", "dense": "dense"},
    "shared-bottom normalised": {**HEADS, "batchNorm": True},
    "ple of tanh": {**PLE, "activation": "tanh", "batchNorm": True},
    "wdl of sigmoids": {**SMALL, "hidden": [6, 5], "activation": "sigmoid"},
    "ccpm": convolved((2, 3), (3, 4), (1, 2)),
    "ccpm of one convolution": convolved((6, 4)),
    "adasparse": pruned_by("fusion"),
    "adasparse of zeros and ones": pruned_by("binarization"),
    "adasparse of scales": pruned_by("scaling"),
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


def golden(name, options):
    forward = FORMULAS[name.split()[0]]
    # Away from zero: the gradients of the rows' logits would cancel out, and with them their digits.
    bias = torch.tensor([0.75], requires_grad=True)
    p = Parameters(SIZES, SLOTS, DOMAIN, options, bias=bias)

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
    "models": {name: golden(name, options) for name, options in MODELS.items()},
}
path = pathlib.Path(__file__).parent.parent / "fixtures" / "models.json"
path.write_text(json.dumps(fixture) + "\n")
