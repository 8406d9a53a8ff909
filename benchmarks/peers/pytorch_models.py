"""PyTorch's side of benchmarks/models.mjs: a train step of any model, on the CPU.

Usage: pytorch_models.py THREADS.
"""

import statistics
import sys
import time

import torch
from answers import answer_all
from torch.utils.flop_counter import FlopCounterMode
from trained import Model


class Job:
    """A model and batches of random ids, drawn before any clock starts."""

    def __init__(self, shape, steps):
        sizes = {"user": shape["users"], "item": shape["items"], "domain": shape["domains"] + 1}
        self.batches = [
            self.draw_domain(shape, steps, domain) for domain in range(shape["domains"])
        ]
        samples = [batches[0] for batches in self.batches]
        rate = shape["learningRate"]
        self.model = Model(shape["model"], shape["options"], sizes, samples, rate)
        self.pass_number = 0

    @staticmethod
    def draw_domain(shape, steps, domain):
        size = (steps, shape["batch"])
        users = torch.randint(shape["users"], size)
        items = torch.randint(shape["items"], size)
        labels = torch.randint(2, size).float()
        ids = torch.full((shape["batch"],), domain)
        return [
            {"user": users[i], "item": items[i], "domain": ids, "label": labels[i]}
            for i in range(steps)
        ]

    def train(self):
        """Seconds per step of a pass over a domain's batches; the domains take turns."""
        domain = self.pass_number % len(self.batches)
        self.pass_number += 1
        begun = time.perf_counter()
        for batch in self.batches[domain]:
            self.model.step(domain, batch)
        return (time.perf_counter() - begun) / len(self.batches[domain])


    def work(self):
        """What a step has to do at least: operations of its products and convolutions as PyTorch counts them, bytes
        of its rows (weight and two moments, read and written; gradient, read).
        """
        with FlopCounterMode(display=False) as counter:
            batch = self.batches[0][0]
            self.model.step(0, batch)
        rows = sum(
            batch[name].unique().numel() * table.shape[1]
            for name, table in self.model.tables()
        )
        return {"flops": counter.get_total_flops(), "bytes": 7 * 4 * rows}


class Peer:
    def shape(self, shape, steps):
        self.job = Job(shape, steps)
        return {"version": torch.__version__, "simdLevel": torch.backends.cpu.get_cpu_capability()}

    def train(self, repeats):
        return {"seconds": statistics.median(self.job.train() for _ in range(repeats))}

    def work(self):
        return self.job.work()


torch.set_num_threads(int(sys.argv[1]))
torch.set_flush_denormal(True)  # as ours: slow denormals would only flatter us
peer = Peer()
answer_all({"shape": peer.shape, "train": peer.train, "work": peer.work})
