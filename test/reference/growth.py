"""Writes test/fixtures/growth.json: a model over ids that come and go, in float64 PyTorch. Before each
data set the tables are made anew of the rows that stay and fresh ones, and so are the moments of SparseAdam,
or of Adam.

    pip install torch==2.13 && python test/reference/growth.py
"""

import json
import pathlib
import random

import torch
from torch.nn import functional

random.seed(5)
torch.manual_seed(5)
torch.set_default_dtype(torch.float64)
DIM, HIDDEN, STEPS, RATE, FRESH, UNSEEN_FOR = 3, 4, 4, 0.03, 0.25, 2
FIELDS = ["user", "item"]
# Which ids each data set draws from: u0 to u2 are gone after the third, and u1 is back in the last.
USERS = [range(0, 6), range(3, 9), range(3, 8), [1, 3, 4, 10, 11], [0, 1, 4]]
ITEMS = [range(0, 4), range(2, 7), range(3, 6), range(0, 5), range(4, 12)]


def rows_of(users, items):
    users, items = list(users), list(items)
    count = 3 * max(len(users), len(items))
    return {
        "user": [f"u{users[i % len(users)]}" for i in range(count)],
        "item": [f"i{random.choice(items)}" for i in range(count)],
        "label": [random.randint(0, 1) for _ in range(count)],
    }


sets = [rows_of(users, items) for users, items in zip(USERS, ITEMS)]
start = {
    "hidden.weight": torch.randn(HIDDEN, DIM * len(FIELDS)) * 0.5,
    # Every unit is at work on fresh rows, which are all alike.
    "hidden.bias": torch.rand(HIDDEN) + 0.5,
    "output.weight": torch.randn(1, HIDDEN) * 0.5,
}
start = {name: value.float().double() for name, value in start.items()}


def train(is_sparse):
    make_adam = torch.optim.SparseAdam if is_sparse else torch.optim.Adam
    step_count = int if is_sparse else torch.tensor
    dense = {name: value.clone().requires_grad_() for name, value in start.items()}
    dense_adam = torch.optim.Adam(dense.values(), lr=RATE)

    # By field and raw value: the row and its two moments; and the data set that had it last.
    rows = {field: {} for field in FIELDS}
    last_seen = {field: {} for field in FIELDS}
    steps_of_tables = 0
    results = []
    for number, data in enumerate(sets):
        parameters, places, sparse = {}, {}, {}
        for field in FIELDS:
            own, seen = rows[field], last_seen[field]
            seen.update({value: number for value in data[field]})
            for value in [value for value in own if number - seen[value] >= UNSEEN_FOR]:
                del own[value], seen[value]
            for value in data[field]:
                zeros = torch.zeros(DIM)
                own.setdefault(value, (torch.full((DIM,), FRESH), zeros, zeros))
            places[field] = {value: place for place, value in enumerate(own)}
            table = torch.stack([row for row, _, _ in own.values()]).requires_grad_()
            adam = make_adam([table], lr=RATE)
            adam.state[table] = {
                "step": step_count(steps_of_tables),
                "exp_avg": torch.stack([moment for _, moment, _ in own.values()]),
                "exp_avg_sq": torch.stack([moment for _, _, moment in own.values()]),
            }
            parameters[field], sparse[field] = table, adam
        ids = {f: torch.tensor([places[f][value] for value in data[f]]) for f in FIELDS}
        labels = torch.tensor(data["label"], dtype=torch.float64)
        for _ in range(STEPS):
            x = torch.cat(
                [functional.embedding(ids[f], parameters[f], sparse=is_sparse) for f in FIELDS], 1
            )
            x = functional.relu(functional.linear(x, dense["hidden.weight"], dense["hidden.bias"]))
            logits = functional.linear(x, dense["output.weight"]).squeeze(1)
            loss = functional.binary_cross_entropy_with_logits(logits, labels)
            optimizers = [dense_adam, *sparse.values()]
            for optimizer in optimizers:
                optimizer.zero_grad()
            loss.backward()
            for optimizer in optimizers:
                optimizer.step()
        steps_of_tables += STEPS
        for field in FIELDS:
            state = sparse[field].state[parameters[field]]
            for value, place in places[field].items():
                rows[field][value] = (
                    parameters[field][place].detach().clone(),
                    state["exp_avg"][place].clone(),
                    state["exp_avg_sq"][place].clone(),
                )
        results.append(
            {
                "loss": loss.item(),
                "dense": {name: value.flatten().tolist() for name, value in dense.items()},
                "rows": {f: {value: row.tolist() for value, (row, _, _) in rows[f].items()} for f in FIELDS},
            }
        )
    for field in FIELDS:
        for row, _, _ in rows[field].values():
            assert (row - FRESH).abs().min() > 1e-3, "a row was not trained"
    return results


fixture = {
    "dim": DIM,
    "steps": STEPS,
    "rate": RATE,
    "fresh": FRESH,
    "unseenFor": UNSEEN_FOR,
    "start": {name: value.flatten().tolist() for name, value in start.items()},
    "sets": sets,
    "results": {"lazy": train(True), "dense": train(False)},
}
path = pathlib.Path(__file__).parents[1] / "fixtures" / "growth.json"
path.write_text(json.dumps(fixture) + "\n")
