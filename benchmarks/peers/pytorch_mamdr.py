"""PyTorch's side of benchmarks/mamdr.mjs: an epoch of MAMDR (algorithm 3) on an MLP, on the CPU.

Usage: pytorch_mamdr.py THREADS. Shared and specific parameters are kept as whole tables, as in the public
code: every round of Domain Regularization loads shared + specific into the model and takes the way that all of
it went. Written to be quick: no value is copied twice, the difference is taken in place. The masks of
dropout are those of F.dropout (a Bernoulli draw per element).
"""

import json
import pathlib
import random
import sys
import time

import numpy
import torch
from answers import answer_all
from torch.utils.flop_counter import FlopCounterMode
from trained import Model


class Clock:
    """Seconds by what they were spent on."""

    def __init__(self):
        self.spent = {}
        self.at = time.perf_counter()

    def lap(self, what):
        now = time.perf_counter()
        self.spent[what] = self.spent.get(what, 0.0) + now - self.at
        self.at = now


class Mamdr:
    """The training rows of a folder that the driver wrote, and a model over them."""

    def __init__(self, folder, options, batch, learning_rate):
        folder = pathlib.Path(folder)
        about = json.loads((folder / "about.json").read_text())
        read = lambda name, kind: torch.from_numpy(numpy.fromfile(folder / name, kind))  # noqa: E731
        self.users, self.items = (read(f"{name}.i32", "int32").long() for name in ("user", "item"))
        self.labels = read("label.f32", "float32")
        self.offsets = about["domainOffsets"]
        self.batch = batch
        self.sequence = random.Random(0)
        sizes = {**about["sizes"], "domain": len(self.offsets)}
        samples = [next(self.batches(d, None)) for d in range(len(self.offsets) - 1)]
        self.model = Model("mlp", options, sizes, samples, learning_rate)
        self.values = {k: v.detach() for k, v in self.model.trained.items()}
        self.shared = {k: v.clone() for k, v in self.values.items()}
        self.specific = {}

    def batches(self, domain, most):
        """Of a shuffled pass over a domain, or the first `most` of them."""
        begin, end = self.offsets[domain : domain + 2]
        rows = begin + torch.randperm(end - begin)
        for chunk in rows.split(self.batch)[:most]:
            yield {
                "user": self.users[chunk],
                "item": self.items[chunk],
                "domain": torch.full((len(chunk),), domain),
                "label": self.labels[chunk],
            }

    def run(self, domain, most):
        steps = 0
        for batch in self.batches(domain, most):
            self.model.step(domain, batch)
            steps += 1
        return steps

    def work(self):
        """What a pass over all domains has to do at least: operations of its products as PyTorch counts them, by the
        rows of a step; bytes of its rows (weight and two moments, read and written; gradient, read).
        """
        with FlopCounterMode(display=False) as counter:
            batch = next(self.batches(0, 1))
            self.model.step(0, batch)
        flops = counter.get_total_flops() / len(batch["label"]) * len(self.labels)
        rows = 0
        for domain in range(len(self.offsets) - 1):
            for batch in self.batches(domain, None):
                rows += sum(batch[name].unique().numel() for name in ("user", "item"))
        dim = self.shared["embedding.user.weight"].shape[1]
        return {"flops": flops, "bytes": 7 * 4 * dim * rows}

    def epoch(self, helpers, outer_rate, rate, domains, most):
        """Domain Negotiation over `domains` of all and Domain Regularization of as many; passes have `most` steps."""
        clock, steps, rounds = Clock(), 0, 0
        order = list(range(len(self.offsets) - 1))
        self.sequence.shuffle(order)
        for k, value in self.values.items():
            value.copy_(self.shared[k])
        clock.lap("outer")
        for domain in order[:domains]:
            steps += self.run(domain, most)
        clock.lap("passes")
        for k, value in self.values.items():
            self.shared[k].lerp_(value, outer_rate)
        clock.lap("outer")
        for domain in order[:domains]:
            own = self.specific.get(domain)
            if own is None:
                own = {k: torch.zeros_like(v) for k, v in self.shared.items()}
                self.specific[domain] = own
            others = [other for other in order if other != domain]
            for helper in [*self.sequence.sample(others, helpers), domain]:
                for k, value in self.values.items():
                    torch.add(self.shared[k], own[k], out=value)
                clock.lap("rounds")
                steps += self.run(helper, most)
                steps += self.run(domain, most)
                clock.lap("passes")
                # own + rate * (value - (shared + own))
                for k, value in self.values.items():
                    own[k].lerp_(value - self.shared[k], rate)
                rounds += 1
                clock.lap("rounds")
        own_bytes = sum(4 * v.numel() for v in self.shared.values())
        kept = {"ownDomains": len(self.specific), "ownBytes": own_bytes}
        return {"seconds": clock.spent, "steps": steps, "rounds": rounds, **kept}


class Peer:
    def model(self, folder, options, batch, learningRate):
        self.job = Mamdr(folder, options, batch, learningRate)
        return {"version": torch.__version__, "simdLevel": torch.backends.cpu.get_cpu_capability()}

    def work(self):
        return self.job.work()

    def epoch(self, helpers, rate, domains=None, maxSteps=None):
        return self.job.epoch(helpers, rate, rate, domains, maxSteps)


torch.set_num_threads(int(sys.argv[1]))
torch.set_flush_denormal(True)  # as ours: slow denormals would only flatter us
peer = Peer()
answer_all({"model": peer.model, "epoch": peer.epoch, "work": peer.work})
