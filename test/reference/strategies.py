"""Writes test/fixtures/strategies.json: two epochs of every strategy in float64 PyTorch, with whole
copies of the state, whole vectors as gradients, and every row order, domain order and helper drawn.

    pip install torch==2.13 && python test/reference/strategies.py
"""

import json
import pathlib

import torch
from torch import nn
from torch.nn import functional

torch.manual_seed(3)
torch.set_default_dtype(torch.float64)
SIZES = {"user": 30, "item": 20, "domain": 4}  # the last for unknown domains
ROWS = [40, 25, 9]  # of each domain; the last is less than a batch
DIM, HIDDEN, BATCH, EPOCHS = 4, [16], 16, 2
OUTER_RATE, REGULARIZATION_RATE = 0.5, 0.3
ADAM, OUTER_ADAM = ({"name": "adam", "learningRate": rate} for rate in (1e-2, 2e-2))
SGD = {"name": "sgd", "learningRate": 0.1}  # unlike Adam, it tells a gradient from its double
ADAGRAD = {"name": "adagrad", "learningRate": 0.05}
SUPPORT = 0.55  # more than a batch of the first domain's rows supports, and more than one queries
DOMAINS = range(len(ROWS))

start = {}
for name, size in SIZES.items():
    start[f"embedding.{name}.weight"] = torch.randn(size, DIM) * 0.3
width = DIM * len(SIZES)
for i, out in enumerate(HIDDEN):
    start[f"hidden.{i}.weight"] = torch.randn(out, width) / width**0.5
    start[f"hidden.{i}.bias"] = torch.randn(out) * 0.1
    width = out
start["output.weight"] = torch.randn(1, width) / width**0.5
start["bias"] = torch.randn(1) * 0.1
# The values that float32 can hold: both sides start from the same numbers.
start = {k: v.float().double() for k, v in start.items()}

data = [
    {
        # Each domain misses some users and items and shares others.
        "user": torch.randint(5 * domain, 5 * domain + 15, (rows,)),
        "item": torch.randint(0, 12 + 4 * domain, (rows,)),
        "label": torch.randint(0, 2, (rows,)).double(),
    }
    for domain, rows in enumerate(ROWS)
]
# The same, domain after domain.
everything = {k: torch.cat([domain[k] for domain in data]) for k in data[0]}
everything["domain"] = torch.tensor([domain for domain in DOMAINS for _ in range(ROWS[domain])])
# Support and query are shares of a domain's rows in an order that stays.
shares = [torch.randperm(rows) for rows in ROWS]


def draw(epoch, domain, mode="train", share=(0, 1)):
    """A share of a domain's rows, as rows of `everything`, in an order that `epoch` gets."""
    first, end = (int(part * ROWS[domain] + 0.5) for part in share)
    own = shares[domain][first:end]
    order = own[torch.randperm(len(own))]
    passed = {"scope": domain, "mode": mode, "share": share, "order": order.tolist()}
    epoch["passes"].append(passed)
    return sum(ROWS[:domain]) + order


def draw_everywhere(epoch, scope, order):
    passed = {"scope": scope, "mode": "train", "share": [0, 1], "order": order.tolist()}
    epoch["passes"].append(passed)
    return order


def draw_mixed(epoch):
    return draw_everywhere(epoch, "mixed", torch.randperm(sum(ROWS)))


BALANCED = BATCH // len(ROWS)  # rows of each domain in a step


def draw_balanced(epoch):
    """Equal shares until the largest domain is at its end; the others start over as they end."""
    steps = -(-max(ROWS) // BALANCED)
    shares = []
    for domain in DOMAINS:
        turns = [torch.randperm(ROWS[domain]) for _ in range(-(-steps * BALANCED // ROWS[domain]))]
        rows = sum(ROWS[:domain]) + torch.cat(turns)[: steps * BALANCED]
        shares.append(rows.view(steps, BALANCED))
    return draw_everywhere(epoch, "blocks", torch.cat(shares, 1).flatten())


def draw_domains(epoch):
    epoch["domainOrder"] = torch.randperm(len(ROWS)).tolist()
    return epoch["domainOrder"]


def draw_helpers(epoch, domain, count):
    others = [d for d in torch.randperm(len(ROWS)).tolist() if d != domain][:count]
    epoch.setdefault("helpers", []).append(others)
    return others


def batches(rows, size=BATCH):
    for part in rows.split(size):
        yield {k: v[part] for k, v in everything.items()}


def copy(state):
    return {k: v.detach().clone() for k, v in state.items()}


def forward(parameters, batch):
    x = torch.cat(
        [
            functional.embedding(batch[name], parameters[f"embedding.{name}.weight"], sparse=True)
            for name in SIZES
        ],
        1,
    )
    for i in range(len(HIDDEN)):
        x = functional.linear(x, parameters[f"hidden.{i}.weight"], parameters[f"hidden.{i}.bias"])
        x = functional.relu(x)
    if "heads" in parameters:
        # The last layer is a row for each domain, or one for all.
        head = batch["domain"] if len(parameters["heads"]) > 1 else 0 * batch["domain"]
        weights = functional.embedding(head, parameters["heads"], sparse=True)
        return (x * weights).sum(1) + parameters["bias"]
    return functional.linear(x, parameters["output.weight"]).squeeze(1) + parameters["bias"]


def loss_of(parameters, batch):
    losses = functional.binary_cross_entropy_with_logits(
        forward(parameters, batch), batch["label"], reduction="none"
    )
    if "uncertainty" in parameters:
        sigma = functional.embedding(batch["domain"], parameters["uncertainty"], sparse=True)
        losses = losses / sigma.squeeze(1) ** 2 + sigma.squeeze(1).log()
    return losses.mean()


def is_table(name):
    return name.startswith("embedding.") or name in ("uncertainty", "heads")


class Trained:
    """One set of tensors and its optimizer, whose state outlives every set()."""

    def __init__(self, optimizer=ADAM, state=start, clip_norm=None, only=None):
        self.parameters = {
            k: nn.Parameter(v, requires_grad=only in (None, k)) for k, v in copy(state).items()
        }
        trained = {k: v for k, v in self.parameters.items() if v.requires_grad}
        tables = [v for k, v in trained.items() if is_table(k)]
        dense = [v for k, v in trained.items() if not is_table(k)]
        self.clip_norm = clip_norm
        rate = optimizer["learningRate"]
        if optimizer["name"] == "sgd":
            self.optimizers = [torch.optim.SGD([*tables, *dense], lr=rate)]
        elif optimizer["name"] == "adagrad":
            self.optimizers = [torch.optim.Adagrad([*tables, *dense], lr=rate)]
        else:
            self.optimizers = [
                torch.optim.SparseAdam(tables, lr=rate),
                torch.optim.Adam(dense, lr=rate),
            ]

    def get(self):
        return copy(self.parameters)

    def set(self, state):
        with torch.no_grad():
            for name, value in state.items():
                self.parameters[name].copy_(value)

    def run(self, rows, size=BATCH):
        """A step per batch."""
        for batch in batches(rows, size):
            for optimizer in self.optimizers:
                optimizer.zero_grad()
            loss_of(self.parameters, batch).backward()
            for optimizer in self.optimizers:
                optimizer.step()

    def gradient(self, rows):
        """The sum of the gradients of the batches' mean losses, as one vector."""
        total = 0
        for batch in batches(rows):
            loss = loss_of(self.parameters, batch)
            gradients = torch.autograd.grad(loss, list(self.parameters.values()))
            total = total + torch.cat([gradient.to_dense().flatten() for gradient in gradients])
        return total

    def step(self, gradient, rows):
        """One step, of tables only where `rows`, those that the gradient is of, looked up."""
        sizes = [parameter.numel() for parameter in self.parameters.values()]
        parts = gradient.split(sizes)
        for (name, parameter), part in zip(self.parameters.items(), parts, strict=True):
            parameter.grad = part.view_as(parameter).clone()
        if self.clip_norm:
            everyone = list(self.parameters.values())
            norms.append(nn.utils.clip_grad_norm_(everyone, self.clip_norm).item())
        for name, parameter in self.parameters.items():
            if is_table(name):
                ids = everything[name.split(".")[1]][rows].unique()
                parameter.grad = torch.sparse_coo_tensor(
                    ids[None], parameter.grad[ids], parameter.shape, check_invariants=True
                )
        for optimizer in self.optimizers:
            optimizer.step()


norms = []  # of the gradients that are clipped where they exceed a limit


def towards(old, new, rate):
    return {k: old[k] + rate * (new[k] - old[k]) for k in old}


def vector(state):
    return torch.cat([value.flatten() for value in state.values()])


def cap(rows, steps):
    """The first `steps` batches."""
    return rows if steps is None else rows[: steps * BATCH]


def plus(a, b):
    return {k: a[k] + b[k] for k in a}


def alternate(trained, epoch):
    for domain in draw_domains(epoch):
        trained.run(draw(epoch, domain))


def negotiate(trained, epoch):
    before = trained.get()
    alternate(trained, epoch)
    trained.set(towards(before, trained.get(), OUTER_RATE))


def regularize(trained, specific, helpers, epoch, target_steps=None):
    """Leaves the shared parameters, which trained holds, as they were."""
    shared = trained.get()
    for domain in epoch["domainOrder"]:
        for helper in [*draw_helpers(epoch, domain, helpers), domain]:
            begin = plus(shared, specific[domain])
            trained.set(begin)
            trained.run(draw(epoch, helper))
            trained.run(cap(draw(epoch, domain), target_steps))
            end = trained.get()
            for k in begin:
                specific[domain][k] += REGULARIZATION_RATE * (end[k] - begin[k])
    trained.set(shared)


def regularize_batch(trained, specific, helpers, epoch):
    """Batched: every helper begins at the same place, which then follows the sum of the ways / k."""
    shared = trained.get()
    for domain in epoch["domainOrder"]:
        begin = plus(shared, specific[domain])
        ways = {k: 0 for k in begin}
        for helper in [*draw_helpers(epoch, domain, helpers), domain]:
            trained.set(begin)
            trained.run(draw(epoch, helper))
            trained.run(draw(epoch, domain))
            end = trained.get()
            ways = {k: ways[k] + end[k] - begin[k] for k in begin}
        for k in begin:
            specific[domain][k] += REGULARIZATION_RATE * ways[k] / helpers
    trained.set(shared)


def outer_step(outer, trained, rows, moved=lambda name: True):
    """A step of `outer` with the way back as its gradient; what it does not move stays as trained."""
    begin, end = outer.get(), trained.get()
    way = {k: begin[k] - end[k] if moved(k) else torch.zeros_like(begin[k]) for k in begin}
    outer.step(vector(way), torch.cat(rows))
    outer.set({k: v for k, v in end.items() if not moved(k)})
    trained.set(outer.get())


def negotiate_by(outer, moved=lambda name: True):
    """Domain Negotiation whose outer step is an optimizer's (MAMDR, IV-E)."""

    def strategy(trained, epoch):
        rows = [draw(epoch, domain) for domain in draw_domains(epoch)]
        for own in rows:
            trained.run(own)
        outer_step(outer, trained, rows, moved)

    return strategy


def negotiate_hidden(trained, epoch):
    """The tables are trained straight through."""
    before = trained.get()
    alternate(trained, epoch)
    after = trained.get()
    moved = towards(before, after, OUTER_RATE)
    trained.set({k: after[k] if is_table(k) else moved[k] for k in after})


cosines = []  # of the pairs of gradients that PCGrad compares


def surgery(gradients, orders):
    """Yu et al. (2020), algorithm 1: each without what conflicts with the others; their sum."""
    total = 0
    for own, order in zip(gradients, orders, strict=True):
        projected = own
        for i in order:
            other = gradients[i]
            product = projected @ other
            cosines.append((product / projected.norm() / other.norm()).item())
            if product < 0:
                projected = projected - product / (other @ other) * other
        total = total + projected
    return total


def pcgrad(trained, helpers, epoch):
    epoch["projections"] = []
    for domain in draw_domains(epoch):
        group = [domain, *draw_helpers(epoch, domain, helpers)]
        rows = [draw(epoch, member, "gradient") for member in group]
        gradients = [trained.gradient(own) for own in rows]
        orders = [
            [i for i in torch.randperm(len(group)).tolist() if i != member]
            for member in range(len(group))
        ]
        epoch["projections"].append(orders)
        trained.step(surgery(gradients, orders), torch.cat(rows))


def draw_support(epoch, domain, mode):
    return draw(epoch, domain, mode, (0, SUPPORT))


def draw_query(epoch, domain):
    return draw(epoch, domain, "gradient", (SUPPORT, 1))


def meta_gradient(inner, outer, domain, epoch, steps=None, disjoint=True):
    """Finn et al. (2017), first order: the query rows' gradient after passes over the support."""
    inner.set(outer.get())
    support = draw_support(epoch, domain, "train") if disjoint else draw(epoch, domain)
    inner.run(cap(support, steps))
    query = draw_query(epoch, domain) if disjoint else draw(epoch, domain, "gradient")
    query = cap(query, steps)
    gradient = inner.gradient(query)
    # Averaged where there are steps to average over.
    return gradient if steps is None else gradient / (len(ROWS) * steps), query


def two_gradients(trained, domain, epoch, steps=None):
    """Li et al. (2018), first order: of the support rows, and of the query rows a step later."""
    begin = trained.get()
    share = 1 if steps is None else len(ROWS) * steps
    support = cap(draw_support(epoch, domain, "gradient"), steps)
    first = trained.gradient(support)
    trained.step(first / share, support)
    query = cap(draw_query(epoch, domain), steps)
    second = trained.gradient(query)
    trained.set(begin)
    return (first + second) / share, torch.cat([support, query])


def follow(outer, gradient_of, batch, epoch):
    """Steps with every domain's gradient, or, with `batch`, one step with their sum."""
    found = []
    for domain in draw_domains(epoch):
        found.append(gradient_of(domain, epoch))
        if not batch:
            outer.step(*found[-1])
    if batch:
        gradients, rows = zip(*found, strict=True)
        outer.step(sum(gradients), torch.cat(rows))


def reptile(trained, epoch):
    """Nichol et al. (2018), algorithm 1."""
    for domain in draw_domains(epoch):
        begin = trained.get()
        trained.run(draw(epoch, domain))
        trained.set(towards(begin, trained.get(), OUTER_RATE))


def reptile_batch(trained, epoch):
    """Batched: all domains begin at the same place, which then follows the sum of their ways."""
    begin = trained.get()
    final = trained.get()
    for domain in draw_domains(epoch):
        trained.set(begin)
        trained.run(draw(epoch, domain))
        end = trained.get()
        for k in final:
            final[k] += OUTER_RATE * (end[k] - begin[k])
    trained.set(final)


def reptile_by(outer):
    def strategy(trained, epoch):
        for domain in draw_domains(epoch):
            rows = draw(epoch, domain)
            trained.run(rows)
            outer_step(outer, trained, [rows])

    return strategy


def reptile_batch_by(outer):
    def strategy(trained, epoch):
        begin = outer.get()
        ways, rows = 0, []
        for domain in draw_domains(epoch):
            trained.set(begin)
            rows.append(draw(epoch, domain))
            trained.run(rows[-1])
            ways = ways + vector(begin) - vector(trained.get())
        outer.step(ways, torch.cat(rows))
        trained.set(outer.get())

    return strategy


def numbers(state):
    """Nine digits: far below float32's rounding."""
    return {k: [float(f"{x:.9g}") for x in v.flatten().tolist()] for k, v in state.items()}


def golden(epochs, shared, effective, *, optimizer=ADAM, **settings):
    return {
        "optimizer": optimizer,
        "settings": settings,
        "epochs": epochs,
        "shared": numbers(shared),
        "effective": [numbers(state) for state in effective],
    }


def repeat(strategy):
    """The draws of its epochs."""
    epochs = [{"passes": []} for _ in range(EPOCHS)]
    for epoch in epochs:
        strategy(epoch)
    return epochs


def run_shared(strategy, trained, **settings):
    epochs = repeat(lambda epoch: strategy(trained, epoch))
    return golden(epochs, trained.get(), [], **settings)


def run_separate():
    trained = [Trained() for _ in DOMAINS]

    def each(epoch):
        for domain in DOMAINS:
            trained[domain].run(draw(epoch, domain))

    epochs = repeat(each)
    return golden(epochs, start, [own.get() for own in trained], name="separate")


def run_regularized(first, helpers, second=regularize, **settings):
    trained = Trained()
    specific = [{k: torch.zeros_like(v) for k, v in start.items()} for _ in DOMAINS]

    def both(epoch):
        first(trained, epoch)
        second(trained, specific, helpers, epoch)

    epochs = repeat(both)
    shared = trained.get()
    settings |= {"regularizationRate": REGULARIZATION_RATE, "helpers": helpers}
    return golden(epochs, shared, [plus(shared, own) for own in specific], **settings)


def joint(trained, epoch):
    trained.run(draw_mixed(epoch))


def joint_balanced(trained, epoch):
    trained.run(draw_balanced(epoch), BALANCED * len(ROWS))


def joint_clipped(trained, epoch):
    for rows in draw_mixed(epoch).split(BATCH):
        trained.step(trained.gradient(rows), rows)


CLIP_NORM = 0.16


def run_clipped():
    norms.clear()
    trained = Trained(SGD, clip_norm=CLIP_NORM)
    result = run_shared(joint_clipped, trained, name="joint", optimizer=SGD)
    print("norms that are clipped:", " ".join(f"{norm:.3f}" for norm in norms))
    assert min(norms) < CLIP_NORM < max(norms)
    return result | {"clipNorm": CLIP_NORM}


def run_weighted_loss(strategy, **settings):
    trained = Trained(state=start | {"uncertainty": torch.ones(len(ROWS), 1)})
    return run_shared(strategy, trained, **settings) | {"weightedLoss": True}


def run_d_train(pre_train=True, post_train=True, head_start="copy"):
    """The heads are the rows of a table, of which pre-training has one."""
    state = {k: v for k, v in start.items() if k != "output.weight"}
    heads = start["output.weight"].repeat(len(ROWS), 1)
    stages = []
    if pre_train:
        trained = Trained(ADAM, state | {"heads": heads[:1]})
        stages.append(repeat(lambda epoch: joint_balanced(trained, epoch)))
        state = trained.get()
        root = state.pop("heads")
        heads = root.repeat(len(ROWS), 1) if head_start == "copy" else heads
    if post_train:
        trained = Trained(ADAM, state | {"heads": heads})
        stages.append(repeat(lambda epoch: joint_balanced(trained, epoch)))
        state = trained.get()
        heads = state.pop("heads")
    alone = [Trained(SGD, state | {"heads": heads}, only="heads") for _ in DOMAINS]

    def fine_tune(epoch):
        for domain in DOMAINS:
            alone[domain].run(draw(epoch, domain))

    stages.append(repeat(fine_tune))
    state["output.weight"] = torch.stack([alone[d].get()["heads"][d] for d in DOMAINS])
    settings = {"preTrain": pre_train, "postTrain": post_train, "headStart": head_start}
    result = golden([], state, [], name="d-train", fineTuneOptimizer=SGD, **settings)
    return result | {"stages": stages}


def run_pcgrad(helpers, optimizer=ADAM):
    cosines.clear()
    result = run_shared(
        lambda trained, epoch: pcgrad(trained, helpers, epoch),
        Trained(optimizer),
        name="pcgrad",
        helpers=helpers,
        optimizer=optimizer,
    )
    print(f"cosines of pcgrad with {helpers} helper(s):", " ".join(f"{c:.3f}" for c in cosines))
    assert min(cosines) < 0 < max(cosines)  # some gradients conflict, some do not
    return result


def run_stepped(outer, gradient_of, **settings):
    epochs = repeat(lambda epoch: follow(outer, gradient_of, settings["batch"], epoch))
    return golden(epochs, outer.get(), [], **({"supportShare": SUPPORT} | settings))


def averaged(steps):
    return {} if steps is None else {"average": True, "maxSteps": steps}


def run_maml(optimizer, batch, steps=None, disjoint=True):
    inner, outer = Trained(), Trained(optimizer)

    def gradient_of(domain, epoch):
        return meta_gradient(inner, outer, domain, epoch, steps, disjoint)

    settings = averaged(steps) | ({} if disjoint else {"supportShare": 1})
    settings |= {"name": "maml", "outerOptimizer": optimizer, "batch": batch}
    return run_stepped(outer, gradient_of, **settings)


def run_mldg(optimizer, batch, steps=None):
    outer = Trained(optimizer)

    def gradient_of(domain, epoch):
        return two_gradients(outer, domain, epoch, steps)

    settings = averaged(steps) | {"name": "mldg", "outerOptimizer": optimizer, "batch": batch}
    return run_stepped(outer, gradient_of, **settings)


def run_outer(strategy, optimizer, moved=None, **settings):
    """With an outer optimizer."""
    outer = Trained(optimizer)
    made = strategy(outer) if moved is None else strategy(outer, moved)
    return run_shared(made, Trained(), outerOptimizer=optimizer, **settings)


def capped_regularize(trained, specific, helpers, epoch):
    regularize(trained, specific, helpers, epoch, target_steps=1)


fixture = {
    "torch": torch.__version__,
    "sizes": SIZES,
    "dim": DIM,
    "hidden": HIDDEN,
    "batchSize": BATCH,
    "start": {k: v.flatten().tolist() for k, v in start.items()},
    "data": [{k: v.tolist() for k, v in domain.items()} for domain in data],
    "strategies": {
        "separate": run_separate(),
        "dn": run_shared(negotiate, Trained(), name="dn", outerRate=OUTER_RATE),
        "dr": run_regularized(alternate, 1, name="dr"),
        "mamdr": run_regularized(negotiate, 2, name="mamdr", outerRate=OUTER_RATE),
        "joint": run_shared(joint, Trained(), name="joint"),
        "weighted-loss": run_weighted_loss(alternate, name="weighted-loss"),
        "pcgrad": run_pcgrad(1),
        "pcgrad with SGD": run_pcgrad(1, SGD),
        "pcgrad with all others": run_pcgrad(2),
        "maml": run_maml(OUTER_ADAM, batch=False),
        "maml with SGD": run_maml(SGD, batch=False),
        "maml in a batch": run_maml(OUTER_ADAM, batch=True),
        "reptile": run_shared(reptile, Trained(), name="reptile", outerRate=OUTER_RATE),
        "reptile in a batch": run_shared(
            reptile_batch, Trained(), name="reptile", outerRate=OUTER_RATE, batch=True
        ),
        "mldg": run_mldg(OUTER_ADAM, batch=False),
        "mldg with SGD": run_mldg(SGD, batch=False),
        "mldg in a batch": run_mldg(OUTER_ADAM, batch=True),
        "joint, balanced": run_shared(joint_balanced, Trained(), name="joint", balanced=True),
        "joint, clipped": run_clipped(),
        "weighted-loss, mixed": run_weighted_loss(joint, name="joint"),
        "weighted-loss, balanced": run_weighted_loss(joint_balanced, name="joint", balanced=True),
        "mamdr in a batch": run_regularized(
            negotiate, 2, regularize_batch, name="mamdr", outerRate=OUTER_RATE, batch=True
        ),
        "dr in a batch": run_regularized(alternate, 1, regularize_batch, name="dr", batch=True),
        "dr with the domain's own steps capped": run_regularized(
            alternate, 1, capped_regularize, name="dr", targetSteps=1
        ),
        "mamdr with an outer Adagrad": run_regularized(
            negotiate_by(Trained(ADAGRAD)), 1, name="mamdr", outerOptimizer=ADAGRAD
        ),
        "dn with an outer SGD": run_outer(negotiate_by, SGD, name="dn"),
        "dn with an outer Adagrad": run_outer(negotiate_by, ADAGRAD, name="dn"),
        "dn with an outer Adam": run_outer(negotiate_by, OUTER_ADAM, name="dn"),
        "dn of the layers alone": run_shared(
            negotiate_hidden,
            Trained(),
            name="dn",
            outerRate=OUTER_RATE,
            parameters=["!embedding.*"],
        ),
        "dn of the tables alone with an outer Adagrad": run_outer(
            negotiate_by, ADAGRAD, is_table, name="dn", parameters=["embedding.*"]
        ),
        "reptile with an outer Adam": run_outer(reptile_by, OUTER_ADAM, name="reptile"),
        "reptile in a batch with an outer Adagrad": run_outer(
            reptile_batch_by, ADAGRAD, name="reptile", batch=True
        ),
        "maml averaged": run_maml(SGD, batch=False, steps=1),
        "maml averaged in a batch": run_maml(SGD, batch=True, steps=1),
        "maml of all rows": run_maml(OUTER_ADAM, batch=False, disjoint=False),
        "mldg averaged": run_mldg(SGD, batch=False, steps=1),
        "d-train": run_d_train(),
        "d-train without pre-training": run_d_train(pre_train=False),
        "d-train without post-training": run_d_train(post_train=False),
        "d-train with random heads": run_d_train(head_start="random"),
    },
}
path = pathlib.Path(__file__).parent.parent / "fixtures" / "strategies.json"
path.write_text(json.dumps(fixture) + "\n")
