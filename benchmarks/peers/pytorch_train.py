"""PyTorch's side of the benchmark: the MLP of ts/models/mlp.ts, on the CPU.

Usage: pytorch_train.py THREADS KIND. KIND is 'sparse' (gradients of touched rows, SparseAdam) or 'dense' (of
whole tables, one fused Adam).
"""

import statistics
import sys
import time

import torch
from answers import answer_all
from mlp import Batches, Peer, drawn_steps, layer_values, table_rows, table_values, time_steps
from torch import nn
from torch.nn import functional


class Mlp(nn.Module):
    """Embedded user, item and domain, concatenated, through relu layers to one logit."""

    def __init__(self, shape, sparse):
        super().__init__()
        self.tables = nn.ModuleList(
            nn.Embedding.from_pretrained(
                torch.from_numpy(table_values(shape, number)), freeze=False, sparse=sparse
            )
            for number in range(len(table_rows(shape)))
        )
        layers = []
        for weight, bias in layer_values(shape):
            linear = nn.Linear(weight.shape[1], weight.shape[0])
            linear.weight.data = torch.from_numpy(weight)
            linear.bias.data = torch.from_numpy(bias)
            layers += [linear, nn.ReLU(inplace=True), nn.Dropout(shape["dropout"])]
        self.layers = nn.Sequential(*layers[:-2])

    def forward(self, columns):
        fields = [table(ids) for table, ids in zip(self.tables, columns)]
        return self.layers(torch.cat(fields, 1)).squeeze(1)


class Job:
    def __init__(self, shape, sparse):
        torch.manual_seed(0)
        self.shape = shape
        self.batches = Batches(shape)
        self.model = Mlp(shape, sparse)
        self.loss = nn.BCEWithLogitsLoss()
        rate = shape["learningRate"]
        tables, layers = self.model.tables.parameters(), self.model.layers.parameters()
        # SparseAdam is PyTorch's only Adam that takes sparse gradients: it updates touched rows.
        self.optimizers = (
            [
                torch.optim.SparseAdam(list(tables), lr=rate),
                torch.optim.Adam(layers, lr=rate, fused=True),
            ]
            if sparse
            else [torch.optim.Adam([*tables, *layers], lr=rate, fused=True)]
        )

    column = staticmethod(torch.from_numpy)

    def step(self, columns, labels):
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        self.loss(self.model(columns), labels).backward()
        for optimizer in self.optimizers:
            optimizer.step()

    def train(self, steps):
        """Seconds per step."""
        self.model.train()
        return time_steps(drawn_steps(self, steps), self.step)

    def score(self, columns):
        self.model.eval()
        with torch.inference_mode():
            return self.model(columns)


def time_of(repeats, body):
    """Median seconds of body()."""
    seconds = []
    for _ in range(repeats):
        begun = time.perf_counter()
        body()
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds)


def matmul(size, repeats):
    """torch.mm, and the same product by oneDNN.

    PyTorch multiplies with MKL, which does not give its best on every processor. oneDNN takes over
    for tensors in its own layout only, too seldom to help a training; it tells what the cores can do.
    """
    a, b, out = (torch.rand(size, size) for _ in range(3))
    torch.mm(a, b, out=out)
    answer = {"seconds": time_of(repeats, lambda: torch.mm(a, b, out=out))}
    if torch.backends.mkldnn.is_available():
        left = a.to_mkldnn()
        functional.linear(left, b)
        answer["onednnSeconds"] = time_of(repeats, lambda: functional.linear(left, b))
    return answer


def rows(table_rows, dim, rows, repeats):
    """Per random row: reading it and writing it back, as an optimizer does.

    Writing by index_copy_ or by index_put_ is faster in one version or another: the better counts.
    """
    table = torch.rand(table_rows, dim)
    buffer = torch.empty(rows, dim)
    # More rows than any cache holds, so that each visit misses.
    visits = [torch.randint(table_rows, (rows,)) for _ in range(max(8, 2**27 // (4 * rows * dim)))]

    def copy():
        for ids in visits:
            torch.index_select(table, 0, ids, out=buffer)
            table.index_copy_(0, ids, buffer)

    def put():
        for ids in visits:
            torch.index_select(table, 0, ids, out=buffer)
            table.index_put_((ids,), buffer)

    return {"seconds": min(time_of(repeats, copy), time_of(repeats, put)) / (len(visits) * rows)}


torch.set_num_threads(int(sys.argv[1]))
torch.set_flush_denormal(True)  # as ours: slow denormals would only flatter us
about = {"version": torch.__version__, "simdLevel": torch.backends.cpu.get_cpu_capability()}
peer = Peer(lambda shape: Job(shape, sparse=sys.argv[2] == "sparse"), about)
answer_all(
    {
        **peer.answers(),
        "matmul": matmul,
        "rows": lambda tableRows, **options: rows(tableRows, **options),
    }
)
