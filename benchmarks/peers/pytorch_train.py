"""PyTorch's side of benchmarks/train-step.mjs: the MLP of ts/models/mlp.ts, on the CPU.

Usage: pytorch_train.py THREADS. Reads one JSON command per line on stdin and answers each with one
JSON line on stdout; the commands are the keys of COMMANDS. README.md describes them.
"""

import json
import os
import resource
import statistics
import sys
import time
import traceback

import torch
from torch import nn
from torch.nn import functional


class Mlp(nn.Module):
    """Embedded user, item and domain, concatenated, through relu layers to one logit."""

    def __init__(self, shape):
        super().__init__()
        # Without sparse=True every step writes gradients of the whole tables.
        sparse = shape.get("rows") != "dense"
        self.tables = nn.ModuleList(
            nn.Embedding(rows, shape["embedding"], sparse=sparse)
            for rows in (shape["users"], shape["items"], shape["domains"])
        )
        layers = []
        width = len(self.tables) * shape["embedding"]
        for size in shape["hidden"]:
            layers += [nn.Linear(width, size), nn.ReLU(inplace=True), nn.Dropout(shape["dropout"])]
            width = size
        layers.append(nn.Linear(width, 1))
        self.layers = nn.Sequential(*layers)
        for table in self.tables:
            nn.init.normal_(table.weight, std=1e-4)
        for layer in self.layers:
            if isinstance(layer, nn.Linear):
                nn.init.xavier_normal_(layer.weight)
                nn.init.zeros_(layer.bias)

    def forward(self, columns):
        fields = [table(ids) for table, ids in zip(self.tables, columns)]
        return self.layers(torch.cat(fields, 1)).squeeze(1)


class Job:
    """A model, its optimizers and batches of random ids, drawn before any clock starts."""

    def __init__(self, shape, steps):
        torch.manual_seed(0)
        self.model = Mlp(shape)
        self.loss = nn.BCEWithLogitsLoss()
        rate = shape["learningRate"]
        if shape.get("rows") == "dense":
            self.optimizers = [torch.optim.Adam(self.model.parameters(), lr=rate, fused=True)]
        else:
            # PyTorch's only Adam that takes sparse gradients: it updates touched rows.
            tables = list(self.model.tables.parameters())
            self.optimizers = [
                torch.optim.SparseAdam(tables, lr=rate),
                torch.optim.Adam(self.model.layers.parameters(), lr=rate, fused=True),
            ]
        self.domains = [
            self.draw_domain(shape, steps, domain) for domain in range(shape["domains"])
        ]
        self.pass_number = 0

    @staticmethod
    def draw_domain(shape, steps, domain):
        size = (steps, shape["batch"])
        users = torch.randint(shape["users"], size)
        items = torch.randint(shape["items"], size)
        labels = torch.randint(2, size).float()
        ids = torch.full((shape["batch"],), domain)
        return [((users[i], items[i], ids), labels[i]) for i in range(steps)]

    def next_batches(self, count):
        """The batches of one domain; the domains take turns, as in ours."""
        batches = self.domains[self.pass_number % len(self.domains)]
        self.pass_number += 1
        if count > len(batches):
            raise ValueError(f"{count} batches; expected {len(batches)} at most, as many are drawn")
        return batches[:count]

    def train(self, steps):
        batches = self.next_batches(steps)
        self.model.train()
        begun = time.perf_counter()
        for columns, labels in batches:
            for optimizer in self.optimizers:
                optimizer.zero_grad(set_to_none=True)
            self.loss(self.model(columns), labels).backward()
            for optimizer in self.optimizers:
                optimizer.step()
        return (time.perf_counter() - begun) / steps

    def score(self, batches):
        drawn = self.next_batches(batches)
        self.model.eval()
        with torch.inference_mode():
            begun = time.perf_counter()
            for columns, _ in drawn:
                self.model(columns)
            return (time.perf_counter() - begun) / batches


def time_of(repeats, body):
    """Median seconds of body()."""
    seconds = []
    for _ in range(repeats):
        begun = time.perf_counter()
        body()
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds)


def matmul_seconds(size, repeats):
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


def rows_seconds(table_rows, dim, rows, repeats):
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

    return min(time_of(repeats, copy), time_of(repeats, put)) / (len(visits) * rows)


class Peer:
    def __init__(self):
        self.job = None

    def shape(self, command):
        self.job = Job(command["shape"], command["steps"])
        return {"version": torch.__version__, "simdLevel": torch.backends.cpu.get_cpu_capability()}

    def train(self, command):
        passes = [self.job.train(command["steps"]) for _ in range(command["repeats"])]
        return {"seconds": statistics.median(passes)}

    def score(self, command):
        passes = [self.job.score(command["batches"]) for _ in range(command["repeats"])]
        return {"seconds": statistics.median(passes)}

    def matmul(self, command):
        return matmul_seconds(command["size"], command["repeats"])

    def rows(self, command):
        sizes = (command["tableRows"], command["dim"], command["rows"])
        return {"seconds": rows_seconds(*sizes, command["repeats"])}


COMMANDS = {
    "shape": Peer.shape,
    "train": Peer.train,
    "score": Peer.score,
    "matmul": Peer.matmul,
    "rows": Peer.rows,
}


def main():
    torch.set_num_threads(int(sys.argv[1]))
    torch.set_flush_denormal(True)  # as ours: slow denormals would only flatter us
    # The answers' own descriptor: whatever a library prints goes to stderr.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    peer = Peer()
    for line in sys.stdin:
        command = json.loads(line)
        if command["command"] == "quit":
            return
        begun = time.process_time()
        try:
            answer = COMMANDS[command["command"]](peer, command)
            answer["cpuSeconds"] = time.process_time() - begun
            # Linux counts in KiB.
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            answer["peakRssBytes"] = peak
        except Exception:
            answer = {"error": traceback.format_exc()}
        print(json.dumps(answer), file=answers, flush=True)


main()
