"""The kernels of the CUDA plugin beside PyTorch on the same device, in turns.

    python3 benchmarks/cuda.py build/cuda/cuda_bench build/cuda/cuda_training_bench \\
        -o benchmarks/results/cuda-h200.json

Both use float32 without TF32. Each side gives medians of its rounds; the two take turns twice, and both
runs are kept. A step is that of an MLP 384-256-128-64-1 with relu and dropout 0.5:
forward, binary cross entropy, gradients of weights and input, Adam. Training has tables below it
(200,000, 60,000 and 30 rows of 128) and batches of 1,024 rows: ours through a session, all that it
costs included; PyTorch's on batches that lie on the device already, once with sparse gradients and
SparseAdam, which moves the rows of a batch as ours does, and once with dense ones, whose Adam moves
every row of the tables, also as a recorded graph.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import torch

WIDTHS = [384, 256, 128, 64, 1]
FLOATS = 1 << 28


def seconds_of(work, calls, rounds):
    """Median seconds of one call."""
    seconds = []
    for round_number in range(-2, rounds):
        torch.cuda.synchronize()
        begin = time.perf_counter()
        for _ in range(calls):
            work()
        torch.cuda.synchronize()
        if round_number >= 0:
            seconds.append((time.perf_counter() - begin) / calls)
    return statistics.median(seconds)


def model_of():
    layers = []
    for width, following in zip(WIDTHS, WIDTHS[1:]):
        layers.append(torch.nn.Linear(width, following))
        if following > 1:
            layers += [torch.nn.ReLU(), torch.nn.Dropout(0.5)]
    return torch.nn.Sequential(*layers).cuda()


def mlp(rows, rounds):
    torch.manual_seed(1)
    model = model_of()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True, capturable=True)
    inputs = torch.rand(rows, WIDTHS[0], device='cuda', requires_grad=True)
    labels = (torch.arange(rows, device='cuda') % 3 == 0).float()

    def step():
        optimizer.zero_grad(set_to_none=True)
        inputs.grad = None
        loss = torch.nn.functional.binary_cross_entropy_with_logits(model(inputs)[:, 0], labels)
        loss.backward()
        optimizer.step()

    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        for _ in range(5):
            step()
    torch.cuda.synchronize()
    eager = seconds_of(step, 50, rounds)
    optimizer.zero_grad(set_to_none=True)
    inputs.grad = None
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    replayed = seconds_of(graph.replay, 50, rounds)
    return {'eagerMilliseconds': eager * 1e3, 'replayedMilliseconds': replayed * 1e3}


class Training:
    """Steps of the MLP over tables, on batches that lie on the device already."""

    ROWS, STEPS, SIZES = 1024, 50, (200_000, 60_000, 30)

    def __init__(self, sparse):
        torch.manual_seed(1)
        self.tables = [torch.nn.Embedding(n, 128, sparse=sparse).cuda() for n in self.SIZES]
        self.model = model_of()
        adam = {'lr': 1e-3, 'fused': True, 'capturable': True}
        if sparse:
            rows = [table.weight for table in self.tables]
            self.optimizers = [
                torch.optim.Adam(self.model.parameters(), **adam),
                torch.optim.SparseAdam(rows, lr=1e-3),
            ]
        else:
            parts = torch.nn.ModuleList([*self.tables, self.model])
            self.optimizers = [torch.optim.Adam(parts.parameters(), **adam)]
        self.batches = [
            torch.stack([torch.randint(n, (self.ROWS,), device='cuda') for n in self.SIZES])
            for _ in range(self.STEPS)
        ]
        self.ids = self.batches[0].clone()
        self.labels = (torch.arange(self.ROWS, device='cuda') % 3 == 0).float()
        self.taken = 0

    def next_batch(self):
        self.ids.copy_(self.batches[self.taken % self.STEPS])
        self.taken += 1

    def step(self):
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        x = torch.cat([table(own) for table, own in zip(self.tables, self.ids)], dim=1)
        logits = self.model(x)[:, 0]
        torch.nn.functional.binary_cross_entropy_with_logits(logits, self.labels).backward()
        for optimizer in self.optimizers:
            optimizer.step()


def training(rounds):
    def milliseconds(work):
        def next_step():
            own.next_batch()
            work()

        return seconds_of(next_step, own.STEPS, rounds) * 1e3

    own = Training(sparse=True)
    result = {'sparseMilliseconds': milliseconds(own.step)}
    own = Training(sparse=False)
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        for _ in range(3):
            own.step()
    torch.cuda.synchronize()
    result['denseMilliseconds'] = milliseconds(own.step)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        own.step()
    result['denseReplayedMilliseconds'] = milliseconds(graph.replay)
    return result


def memory_bound(rounds):
    a = torch.rand(FLOATS, device='cuda')
    b = torch.rand(FLOATS, device='cuda')
    rates = {}

    def add(name, floats, streams, work):
        rate = floats * streams * 4 / seconds_of(work, 5, rounds) * 1e-9
        copy = rates['copy']['gigabytesPerSecond'] if rates else rate
        rates[name] = {'gigabytesPerSecond': rate, 'ofCopy': rate / copy}

    with torch.no_grad():
        add('copy', FLOATS, 2, lambda: b.copy_(a))
        add('lerp', FLOATS, 3, lambda: b.lerp_(a, 0.3))
        add('axpy', FLOATS, 3, lambda: b.add_(a, alpha=0.5))
        add('dot', FLOATS, 2, lambda: torch.dot(a, b))
        for dim in (128, 16):
            table = a.view(-1, dim)
            ids = torch.randperm(table.shape[0], device='cuda')[: table.shape[0] // 4]
            own = torch.empty(ids.shape[0], dim, device='cuda')
            name = f', rows of {dim}'
            add('lookup' + name, own.numel(), 2,
                lambda: torch.index_select(table, 0, ids, out=own))
            add('restore' + name, own.numel(), 2, lambda: table.index_copy_(0, ids, own))
    return rates


def ours(bench, rounds):
    """What an executable of ours measures."""
    result = subprocess.run([bench, str(rounds)], stdout=subprocess.PIPE, check=True)
    return json.loads(result.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('bench', help='the executable cuda_bench')
    parser.add_argument('training', help='the executable cuda_training_bench')
    parser.add_argument('-o', '--output', required=True)
    parser.add_argument('--rounds', type=int, default=15)
    options = parser.parse_args()
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    runs = []
    for _ in range(2):
        torch.cuda.empty_cache()
        polydomain = ours(options.bench, options.rounds)
        polydomain['training'] = ours(options.training, 3)
        peer = {'version': torch.__version__, 'memoryBound': memory_bound(options.rounds)}
        for rows in (1024, 16384):
            peer[f'mlp, batch {rows}'] = mlp(rows, options.rounds)
        peer['training'] = training(options.rounds)
        runs.append({'polydomain': polydomain, 'pytorch': peer})
    document = {
        'device': torch.cuda.get_device_name(0),
        'cuda': torch.version.cuda,
        'processors': os.cpu_count(),
        'runs': runs,
    }
    with open(options.output, 'w') as file:
        json.dump(document, file, indent=1)
        file.write('\n')
    print(json.dumps({run: peer for run, peer in enumerate(r['pytorch'] for r in runs)}),
          file=sys.stderr)


if __name__ == '__main__':
    main()
