"""What the peers in Python have in common: the sizes, starting values and ids of the MLP that all of them
train and score. mlp.mjs is the same for those in JavaScript.
"""

import math
import statistics
import time

import numpy as np

GOLDEN = 0.6180339887498949
# Values are made in pieces: a peak of memory is to be the training's.
PIECE = 2**20


def values(size, number, scale):
    """A parameter's values, which follow from its number and its size alone."""
    filled = np.empty(size, np.float32)
    for begin in range(0, size, PIECE):
        end = min(size, begin + PIECE)
        x = np.arange(begin + 1, end + 1, dtype=np.float64) * GOLDEN + number * math.sqrt(2)
        filled[begin:end] = scale * (2 * (x - np.floor(x)) - 1)
    return filled


def table_rows(shape):
    return [shape["users"], shape["items"], shape["domains"]]


def table_values(shape, number):
    """Values [rows, embedding] of table `number`."""
    rows, size = table_rows(shape)[number], shape["embedding"]
    return values(rows * size, number, 0.5).reshape(rows, size)


def layer_values(shape):
    """The linear layers' weights [outputs, inputs] and biases [outputs], the last one to the logit."""
    inputs = 3 * shape["embedding"]
    layers = []
    for layer, outputs in enumerate([*shape["hidden"], 1]):
        scale = math.sqrt(6 / (inputs + outputs))
        weight = values(outputs * inputs, 3 + 2 * layer, scale).reshape(outputs, inputs)
        layers.append((weight, values(outputs, 4 + 2 * layer, 0.1)))
        inputs = outputs
    return layers


def checked_columns(shape):
    """Rows whose scores every peer has to agree on: columns of users, items and domains."""
    rows = np.arange(32)
    users, items = rows * 7919 % shape["users"], rows * 104729 % shape["items"]
    return [users, items, np.full(32, shape["domains"] - 1)]


class Batches:
    """Endless random batches; their domains take turns."""

    def __init__(self, shape):
        self.shape = shape
        self.random = np.random.default_rng(1)
        self.drawn = 0

    def columns(self, rows):
        """Columns of users, items and domains."""
        users, items, domains = table_rows(self.shape)
        domain = self.drawn % domains
        self.drawn += 1
        draw = self.random.integers
        return [draw(users, size=rows), draw(items, size=rows), np.full(rows, domain)]

    def labels(self, rows):
        return self.random.integers(2, size=rows).astype(np.float32)


def time_calls(inputs, score):
    """Seconds of each call of score() on one of the inputs."""
    seconds = []
    for columns in inputs:
        begun = time.perf_counter()
        score(columns)
        seconds.append(time.perf_counter() - begun)
    return {"seconds": seconds}


class Peer:
    """What all peers that train and score the MLP answer. A job has `column(values)`, a tensor of them,
    `score(columns)`, logits [rows], and `train(steps)`, seconds per step, beside its `batches` and `shape`.
    """

    def __init__(self, make_job, about):
        self.make_job, self.about = make_job, about

    def shape(self, shape, **_):
        self.job = self.make_job(shape)
        return self.about

    def check(self):
        columns = [self.job.column(ids) for ids in checked_columns(self.job.shape)]
        return {"logits": self.job.score(columns).tolist()}

    def train(self, steps, repeats):
        return {"seconds": statistics.median(self.job.train(steps) for _ in range(repeats))}

    def score(self, rows, calls):
        inputs = [drawn_columns(self.job, rows) for _ in range(calls)]
        return time_calls(inputs, self.job.score)

    def answers(self):
        return {
            "shape": self.shape,
            "check": self.check,
            "train": self.train,
            "score": self.score,
            "row": lambda calls: self.score(1, calls),
        }


def drawn_columns(job, rows):
    return [job.column(ids) for ids in job.batches.columns(rows)]


def drawn_steps(job, steps):
    """Batches of columns and labels."""
    rows = job.shape["batch"]
    return [
        (drawn_columns(job, rows), job.column(job.batches.labels(rows))) for _ in range(steps)
    ]


def time_steps(batches, step):
    """Seconds per step of a pass over batches."""
    begun = time.perf_counter()
    for batch in batches:
        step(*batch)
    return (time.perf_counter() - begun) / len(batches)
