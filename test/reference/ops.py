"""Writes test/fixtures/ops.json: float64 PyTorch values and gradients of every op of
ts/tensor/ops.ts but dropout (random), and parameters after five steps of every optimizer.

    pip install torch==2.13 && python test/reference/ops.py
"""

import json
import pathlib

import torch
from torch.nn import functional

torch.manual_seed(2)
torch.set_default_dtype(torch.float64)

cases = []


def rounded(tensor):
    """9 significant digits: all that float32 has, and more than the tests ask for."""
    return [float(f"{value:.9g}") for value in tensor.detach().flatten().tolist()]


def single(tensor):
    """The values that float32 can hold: both sides start from the same numbers."""
    return tensor.float().double()


def described(tensor):
    if tensor.is_floating_point():
        return {"dtype": "float32", "shape": list(tensor.shape), "data": rounded(tensor)}
    return {"dtype": "int32", "shape": list(tensor.shape), "data": tensor.flatten().tolist()}


def case(op, name, inputs, run, options=None, without_gradient=()):
    """Gradients are those of sum(output * weights); null for ids and what is data by contract."""
    inputs = [single(x) if x.is_floating_point() else x for x in inputs]
    wanted = [x.is_floating_point() and i not in without_gradient for i, x in enumerate(inputs)]
    for x, want in zip(inputs, wanted):
        x.requires_grad_(want)
    output = run(*inputs)
    # Never 0, and of few digits for a small fixture.
    weights = (torch.randint(1, 33, output.shape) / 16) * (
        torch.randint(0, 2, output.shape) * 2 - 1
    )
    total = (output * weights).sum()
    gradients = torch.autograd.grad(
        total, [x for x, want in zip(inputs, wanted) if want], materialize_grads=True
    )
    for tensor in (output, *gradients):
        assert tensor.isfinite().all(), (op, name)
    left = iter(gradients)
    cases.append(
        {
            "op": op,
            "name": name,
            "options": options or {},
            "inputs": [described(x) for x in inputs],
            "weights": rounded(weights),
            "output": {"shape": list(output.shape), "data": rounded(output)},
            "total": rounded(total)[0],
            "gradients": [rounded(next(left)) if want else None for want in wanted],
        }
    )


def named(name, options):
    return " ".join([name, *(f"{key}={value}" for key, value in options.items())])


def away_from_zero(shape):
    sign = torch.randint(0, 2, shape) * 2.0 - 1.0
    return sign * (0.5 + 2 * torch.rand(shape))


# Elementwise ops of two operands.
BROADCASTS = [
    ([1], [1]),
    ([7], [7]),
    ([33], [33]),
    ([1, 7], [1, 7]),
    ([], [7]),
    ([3, 7], []),
    ([3, 33], [33]),
    ([7], [3, 7]),
    ([3, 7], [3, 1]),
    ([1, 7], [3, 7]),
    ([5, 1], [1, 7]),
    ([2, 3, 4, 5], [1, 3, 1, 5]),  # several separate runs are summed
    ([3, 1, 5], [2, 1, 4, 1]),
    ([0, 7], [7]),
    ([0, 7], [0, 1]),
]
BINARY = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
}
for op, run in BINARY.items():
    for a, b in BROADCASTS:
        case(op, f"{a} and {b}", [torch.randn(a), away_from_zero(b)], run)
TIES = [torch.tensor([0.0, 1, 2, 1, 0, -1, 3]), torch.tensor([0.0, 1, 1, 2, 0, -1, -3])]
for op in ("maximum", "minimum"):
    case(op, "ties share the gradient", TIES, BINARY[op])

# Elementwise ops of one operand, with the values at which each could go wrong.
UNARY = {
    "neg": (torch.neg, torch.randn, {}),
    "exp": (torch.exp, torch.randn, {"wide": [-80, -20, -1, 0, 0.5, 10], "low": [-80, -79.5, -78]}),
    "log": (
        torch.log,
        lambda shape: 0.1 + 3 * torch.rand(shape),
        {
            "wide": [1e-30, 1e-6, 0.5, 1, 2, 1e6, 1e30],
            "near 1": [0.999, 0.9999, 1.0001, 1.001],
        },
    ),
    "sqrt": (
        torch.sqrt,
        lambda shape: 0.1 + 3 * torch.rand(shape),
        {
            "wide": [1e-30, 1e-6, 0.25, 1, 2, 1e6],
        },
    ),
    "square": (torch.square, torch.randn, {"wide": [-1e10, -1, 0, 1e-5, 1e10]}),
    "abs": (torch.abs, torch.randn, {"zeros": [0, -0.0, 1, -1, 2]}),
    "relu": (torch.relu, torch.randn, {"zeros": [0, -0.0, 1, -1, 2]}),
    "sigmoid": (
        torch.sigmoid,
        torch.randn,
        {
            "wide": [-200, -50, -20, -1, 0, 1, 20, 50, 200],
            "low": [-50, -49, -48],
        },
    ),
    "tanh": (
        torch.tanh,
        torch.randn,
        {
            "wide": [-200, -20, -1, 0, 1, 20, 200],
            "near 0": [1e-6, -2e-6, 3e-7],
        },
    ),
    "softplus": (
        lambda x: functional.softplus(x, threshold=1000),
        torch.randn,
        {
            "wide": [-200, -50, -20, -1, 0, 1, 20, 50, 200],
            "low": [-50, -49, -48],
        },
    ),
}
SHAPES = [[], [1], [7], [33], [1, 33], [3, 7], [2, 3, 5], [0, 7]]
for op, (run, sample, special) in UNARY.items():
    for shape in SHAPES:
        case(op, f"{shape}", [sample(shape)], run)
    for name, values in special.items():
        case(op, name, [torch.tensor(values, dtype=torch.float64)], run)
for shape in SHAPES:
    for factor in (2, -0.37):
        case(
            "scale",
            f"{shape} by {factor}",
            [torch.randn(shape)],
            lambda x: x * factor,
            {"factor": factor},
        )
        case(
            "addScalar",
            f"{shape} and {factor}",
            [torch.randn(shape)],
            lambda x: x + factor,
            {"value": factor},
        )


# By the formula: F.batch_norm refuses a single row.
def normalized(x, weight, bias, epsilon):
    variance = ((x - x.mean(0)) ** 2).mean(0)
    return (x - x.mean(0)) / (variance + epsilon).sqrt() * weight + bias


# Reductions over everything and over every axis, counted from both ends.
def reductions(op, shape, run, axes):
    for axis in axes:
        for keep in (False, True):
            options = {} if axis is None else {"axis": axis}
            if keep:
                options["keepDims"] = True
            elif axis == 0:
                options["keepDims"] = False
            reduced = lambda x: run(x, axis, keep)
            case(op, named(f"{shape}", options), [torch.randn(shape)], reduced, options)


def whole(x, reduced, keep):
    return reduced.reshape([1] * x.dim()) if keep else reduced


def sum_of(x, axis, keep):
    return whole(x, x.sum(), keep) if axis is None else x.sum(axis, keep)


def mean_of(x, axis, keep):
    return whole(x, x.mean(), keep) if axis is None else x.mean(axis, keep)


# Of equal maxima along an axis the first one has the gradient, as in PyTorch on the CPU.
def max_of(x, axis, keep):
    return whole(x, x.max(), keep) if axis is None else x.max(axis, keep).values


for op, run in (("sum", sum_of), ("mean", mean_of), ("max", max_of)):
    reductions(op, [1], run, [None, 0])
    reductions(op, [33], run, [None, 0, -1])
    reductions(op, [1, 7], run, [None, 0, 1])
    reductions(op, [7, 1], run, [None, 0, 1])
    reductions(op, [3, 33], run, [None, 0, 1])
    reductions(op, [2, 3, 5], run, [None, 0, 1, 2, -1, -3])
    reductions(op, [0, 7], run, [1])
reductions("sum", [0, 7], sum_of, [None, 0])
reductions("sum", [7, 0], sum_of, [1])
for shape in ([7], [3, 7]):
    same = torch.zeros(shape)
    case(
        "max", f"{shape} ties along the last axis", [same], lambda x: x.max(-1).values, {"axis": -1}
    )

# Softmax: of large values two that compete, for a lone one's gradient is rounding alone.
LARGE = torch.tensor(
    [[1e4, 1e4 - 0.5, -1e4], [-1e4, 3e4, 3e4 + 1], [88, 89, 90], [-90, -89, -88.5]]
)
for op, run in (
    ("softmax", lambda x: torch.softmax(x, -1)),
    ("logSoftmax", lambda x: torch.log_softmax(x, -1)),
):
    for shape in ([1], [7], [33], [1, 33], [5, 7], [4, 1], [2, 3, 17], [0, 7]):
        case(op, f"{shape}", [torch.randn(shape)], run)
    case(op, "large values", [LARGE], run)
    case(op, "equal values", [torch.full((2, 7), -300.0)], run)

# Moving values.
for shapes in (
    [[7]],
    [[7], [1], [33]],
    [[3, 1], [3, 7], [3, 33]],
    [[1, 7], [1, 1]],
    [[2, 3, 5], [2, 3, 1]],
    [[3, 0], [3, 7]],
    [[0, 7], [0, 1]],
):
    case(
        "concat",
        f"{shapes}",
        [torch.randn(shape) for shape in shapes],
        lambda *parts: torch.cat(parts, -1),
    )
for shape, start, length in (
    ([7], 0, 7),
    ([7], 3, 1),
    ([33], 1, 31),
    ([5, 7], 0, 3),
    ([5, 7], 4, 3),
    ([5, 33], 7, 17),
    ([1, 7], 2, 2),
    ([2, 3, 7], 1, 5),
    ([3, 7], 7, 0),
    ([0, 7], 1, 2),
):
    case(
        "slice",
        f"{shape} from {start}, {length} columns",
        [torch.randn(shape)],
        lambda x: x.narrow(-1, start, length),
        {"start": start, "length": length},
    )
for shape, to in (
    ([21], [3, 7]),
    ([3, 7], [21]),
    ([3, 7], [-1]),
    ([3, 7], [7, -1]),
    ([2, 3, 7], [-1, 7]),
    ([2, 3, 7], [2, 1, 21]),
    ([1], []),
    ([], [1, 1]),
    ([33], [33]),
    ([0, 7], [0]),
    ([0, 7], [-1, 7, 1]),
):
    case(
        "reshape",
        f"{shape} to {to}",
        [torch.randn(shape)],
        lambda x: x.reshape([0 if size == -1 and not x.numel() else size for size in to]),
        {"shape": to},
    )

# Products; the sums over 300 take more than one block of the kernel.
for m, k, n in (
    (1, 1, 1),
    (1, 7, 1),
    (3, 33, 5),
    (15, 5, 33),
    (17, 7, 1),
    (1, 300, 1),
    (0, 7, 3),
    (3, 7, 0),
    (3, 0, 4),
):
    for ta, tb in ((False, False), (True, False), (False, True), (True, True)):
        if (ta or tb) and m not in (3, 17):
            continue
        options = {}
        if ta:
            options["transposeA"] = True
        if tb:
            options["transposeB"] = True
        scale = max(k, 1) ** -0.5
        a = torch.randn([k, m] if ta else [m, k]) * scale
        b = torch.randn([n, k] if tb else [k, n])
        case(
            "matmul",
            named(f"{list(a.shape)} {list(b.shape)}", options),
            [a, b],
            lambda a, b: (a.T if ta else a) @ (b.T if tb else b),
            options,
        )
for shape, out in (
    ([7, 33], 5),
    ([1, 7], 1),
    ([33, 7], 3),
    ([7], 5),
    ([2, 3, 7], 5),
    ([0, 7], 5),
    ([15, 1], 17),
):
    x = [torch.randn(shape), torch.randn(out, shape[-1]) * shape[-1] ** -0.5]
    case("linear", f"{shape} to {out}", x, functional.linear)
    case("linear", f"{shape} to {out} with bias", [*x, torch.randn(out)], functional.linear)

# Embeddings.
for rows, dim, ids in (
    (10, 7, torch.tensor([3, 3, 0, 9, 3, 5, 0])),
    (10, 7, torch.tensor([[1, 2, 1], [9, 9, 9]])),
    (33, 1, torch.randint(0, 33, (33,))),
    (5, 33, torch.tensor([4, 0, 4])),
    (3, 70, torch.tensor([1, 1, 0, 1])),
    (1, 7, torch.tensor([0])),
    (4, 7, torch.zeros(0, dtype=torch.int64)),
    (4, 5, torch.full((33,), 2)),
):
    case(
        "embedding",
        f"[{rows}, {dim}] by {list(ids.shape)} ids",
        [torch.randn(rows, dim), ids],
        lambda table, ids: functional.embedding(ids, table),
    )

# Losses. Labels are data: they have no gradient. No case of 0 rows: PyTorch's mean of none is NaN.
EXTREME = torch.tensor([50.0, 50, -50, -50, 20, -20, 0, 0, 1e-3])
for name, logits, labels in (
    ("one row", torch.randn(1), torch.ones(1)),
    ("7 rows", torch.randn(7), torch.randint(0, 2, (7,)).double()),
    ("33 rows of [rows, 1]", torch.randn(33, 1), torch.randint(0, 2, (33, 1)).double()),
    ("logits [rows, 1] and labels [rows]", torch.randn(7, 1), torch.randint(0, 2, (7,)).double()),
    ("labels between 0 and 1", torch.randn(33), torch.rand(33)),
    ("logits of +-50", EXTREME, torch.tensor([1.0, 0, 1, 0, 1, 0, 1, 0, 1])),
):
    case(
        "bceWithLogits",
        name,
        [logits, labels],
        lambda x, y: functional.binary_cross_entropy_with_logits(x, y.reshape(x.shape)),
        without_gradient=(1,),
    )

# All right: here PyTorch's own function loses e^-50 beside 50, even in float64.
case(
    "bceWithLogits",
    "logits of -50, all right",
    [torch.tensor([-50.0, -49, -48]), torch.zeros(3)],
    lambda x, y: (functional.softplus(x) - x * y).mean(),
    without_gradient=(1,),
)

# Optimizers: logits = linear(x) + effect[item], trained on rows in a fixed order. x is a row of +-1
# per user. Only those items move that a batch holds: lazily, as an optimizer of one parameter per
# item does that has no gradient of the others.
USERS, ITEMS, WIDTH, BATCH, STEPS = 12, 6, 33, 8, 5
signs = torch.randint(0, 2, (USERS, WIDTH)) * 2.0 - 1.0
users = torch.randint(0, USERS, (STEPS, BATCH))
# Batch 0 holds no item 4, batches 1 and 2 no item 0; item 5 is in none.
items = torch.stack(
    [
        torch.tensor(pool)[torch.randint(0, len(pool), (BATCH,))]
        for pool in ([0, 1, 2, 3], [1, 2, 4], [2, 3, 4], [0, 1, 3], [0, 1, 2, 3, 4])
    ]
)
labels = torch.randint(0, 2, (STEPS, BATCH)).double()
start = {
    "linear.weight": single(torch.randn(1, WIDTH) * 0.2),
    "linear.bias": single(torch.randn(1) * 0.2),
    "item.weight": single(torch.randn(ITEMS, 1) * 0.2),
}


def trained(kind, options):
    weight = start["linear.weight"].clone().requires_grad_()
    bias = start["linear.bias"].clone().requires_grad_()
    effects = [row.clone().requires_grad_() for row in start["item.weight"]]
    dense = [weight, bias]
    rate = options["learningRate"]
    decay = options.get("weightDecay", 0.01 if kind == "adamw" else 0.0)
    betas = (options.get("beta1", 0.9), options.get("beta2", 0.999))
    epsilon = options.get("epsilon", 1e-10 if kind == "adagrad" else 1e-8)
    adam = {"lr": rate, "betas": betas, "eps": epsilon}
    table = start["item.weight"].clone().requires_grad_()
    if kind == "sgd":
        optimizers = [
            torch.optim.SGD(
                dense + effects,
                lr=rate,
                momentum=options.get("momentum", 0.0),
                nesterov=options.get("nesterov", False),
                weight_decay=decay,
            )
        ]
    elif kind == "adagrad":
        optimizers = [
            torch.optim.Adagrad(
                dense + effects,
                lr=rate,
                eps=epsilon,
                weight_decay=decay,
                initial_accumulator_value=options.get("initialAccumulator", 0.0),
            )
        ]
    elif options.get("epsilonForm") == "tf1":
        # SparseAdam adds epsilon to the raw root, as TensorFlow 1 does.
        optimizers = [torch.optim.SparseAdam([*dense, table], **adam)]
    else:
        # The steps of Adam are counted by parameter and not by row: SparseAdam for the table.
        made = torch.optim.Adam if kind == "adam" else torch.optim.AdamW
        optimizers = [
            made(dense, **adam, weight_decay=decay),
            torch.optim.SparseAdam([table], **adam),
        ]
    by_row = kind in ("sgd", "adagrad")
    for step in range(STEPS):
        for parameter in (*dense, *effects, table):
            parameter.grad = None
        x = signs[users[step]]
        effect = torch.stack(effects) if by_row else table
        logits = (x @ weight.T + bias + effect[items[step]]).squeeze(1)
        functional.binary_cross_entropy_with_logits(logits, labels[step]).backward()
        touched = items[step].unique()
        if by_row:
            for i, row in enumerate(effects):
                if i not in touched:
                    row.grad = None
        else:
            # SparseAdam has no weight decay of its own: it is Adam's and AdamW's, on those rows.
            with torch.no_grad():
                if kind == "adamw":
                    table[touched] *= 1 - rate * decay
                values = table.grad[touched]
                if kind == "adam":
                    values = values + decay * table[touched]
            table.grad = torch.sparse_coo_tensor(
                touched[None], values, table.shape, check_invariants=True
            )
            if options.get("epsilonForm") == "tf1":
                for parameter in dense:
                    parameter.grad = parameter.grad.to_sparse(1)
        for optimizer in optimizers:
            optimizer.step()
    ends = {
        "linear.weight": weight,
        "linear.bias": bias,
        "item.weight": torch.stack(effects) if by_row else table,
    }
    return {name: rounded(value) for name, value in ends.items()}


RATE = {"learningRate": 0.1}
optimizers = [
    {"kind": kind, "options": options, "end": trained(kind, options)}
    for kind, options in (
        ("sgd", RATE),
        ("sgd", {**RATE, "momentum": 0.9}),
        ("sgd", {**RATE, "momentum": 0.9, "nesterov": True}),
        ("sgd", {**RATE, "weightDecay": 0.3}),
        ("sgd", {**RATE, "momentum": 0.8, "nesterov": True, "weightDecay": 0.3}),
        ("adagrad", RATE),
        ("adagrad", {**RATE, "initialAccumulator": 0.1, "epsilon": 1e-3}),
        ("adagrad", {**RATE, "weightDecay": 0.3}),
        ("adam", RATE),
        ("adam", {**RATE, "beta1": 0.7, "beta2": 0.95, "epsilon": 1e-2}),
        ("adam", {**RATE, "weightDecay": 0.3}),
        ("adam", {**RATE, "epsilon": 1e-3, "epsilonForm": "tf1"}),
        ("adamw", RATE),
        ("adamw", {**RATE, "weightDecay": 0.3}),
        ("adamw", {**RATE, "weightDecay": 0.3, "beta1": 0.0, "epsilon": 1e-2}),
    )
]

# Embedding bags: ids [rows, width], -1 being none, as PyTorch's padding_idx, a row behind the table.
def bag(mode):
    def run(table, ids):
        padding = len(table)
        padded = torch.cat([table, torch.zeros(1, table.shape[1])])
        ids = torch.where(ids < 0, padding, ids)
        return functional.embedding_bag(ids, padded, mode=mode, padding_idx=padding)

    return run


for name, rows, dim, ids in (
    ("one id each", 10, 7, [[3], [0], [-1]]),
    ("duplicates within and between bags", 10, 7, [[3, 3, 0], [9, 3, -1], [3, -1, -1]]),
    ("empty bags", 4, 5, [[-1, -1], [1, 2], [-1, -1]]),
    ("gaps", 4, 33, [[-1, 1, -1, 2], [3, -1, 3, 3]]),
    ("one value", 3, 1, [[0, 1, 2], [2, 2, -1]]),
    ("wide", 6, 70, torch.randint(-1, 6, (9, 12)).tolist()),
):
    for pooling in ("sum", "mean"):
        options = {"pooling": pooling}
        inputs = [torch.randn(rows, dim), torch.tensor(ids)]
        case("embeddingBag", named(name, options), inputs, bag(pooling), options)

# Weights of rows are data, as labels are.
for rows in (1, 7, 33):
    case(
        "bceWithLogits",
        f"{rows} rows with weights",
        [torch.randn(rows), torch.randint(0, 2, (rows,)).double(), 3 * torch.rand(rows).round(decimals=1)],
        lambda x, y, w: functional.binary_cross_entropy_with_logits(x, y, weight=w),
        without_gradient=(1, 2),
    )

# Batch normalisation in training: one row, constant columns, columns far from zero, several chunks.
for rows, width in ((1, 1), (1, 7), (2, 3), (17, 5), (33, 33), (300, 64)):
    inputs = [3 * torch.randn(rows, width) + 5, away_from_zero([width]), torch.randn(width)]
    # Of two rows little but epsilon's part is left of the gradient.
    for epsilon in (1e-3, 0.5) if rows != 2 else (0.5,):
        case(
            "batchNorm",
            f"[{rows}, {width}], epsilon {epsilon}",
            inputs,
            lambda x, w, b: normalized(x, w, b, epsilon),
            {"epsilon": epsilon},
        )
FAR = [100 + torch.randn(50, 3), torch.ones(3), torch.zeros(3)]
case("batchNorm", "far from zero", FAR, lambda *all: normalized(*all, 1e-3), {"epsilon": 1e-3})
SAME = [torch.full((9, 4), 0.3), torch.ones(4), torch.ones(4)]
case("batchNorm", "constant columns", SAME, lambda *all: normalized(*all, 1e-3), {"epsilon": 1e-3})
for shape in ([], [7], [3, 33]):
    case(
        "runningAverage",
        f"{shape}",
        [torch.randn(shape), torch.randn(shape)],
        lambda value, buffer: value * 1,
        without_gradient=(1,),
    )

# Convolutions over the length, zeros around: narrow and wide columns, wider than long, several chunks.
def conv1d(x, weight):
    columns = x.reshape(*x.shape[:3], -1)
    return functional.conv2d(columns, weight[..., None], padding="same").reshape(
        x.shape[0], weight.shape[0], *x.shape[2:]
    )


for shape, weight in (
    ([1, 1, 1], [1, 1, 1]),
    ([3, 2, 7], [4, 2, 3]),
    ([2, 1, 3, 5], [4, 1, 6]),
    ([2, 3, 6, 33], [5, 3, 2]),
    ([3, 4, 1, 7], [2, 4, 5]),
    ([2, 2, 4, 3, 2], [3, 2, 4]),
    ([9, 8, 5, 16], [8, 8, 3]),
):
    data = [torch.randn(shape).round(decimals=2), torch.randn(weight)]
    case("conv1d", f"{shape} with {weight}", data, conv1d)


# The k largest in their order. A stable sort: of equal values the first ones.
def k_max(x, axis, k):
    taken = x.sort(dim=axis, descending=True, stable=True).indices.narrow(axis, 0, k)
    return x.gather(axis, taken.sort(dim=axis).values)


for shape, axis, k in (
    ([1], 0, 1),
    ([7], 0, 3),
    ([3, 7], -1, 7),
    ([5, 4], 0, 2),
    ([2, 9, 1], 1, 4),
    ([2, 20, 33], 1, 5),
    ([0, 4, 2], 1, 2),
):
    options = {"axis": axis, "k": k}
    own = lambda x: k_max(x, axis, k)
    case("kMaxPool", named(f"{shape}", options), [torch.randn(shape)], own, options)
    same = torch.randint(-1, 2, shape).double()
    case("kMaxPool", named(f"{shape} of ties", options), [same], own, options)


# Few and many fields, heads narrower and wider than a vector, several chunks; large scores.
def attention(heads):
    def run(query, key, value):
        split = [x.unflatten(2, (heads, -1)).transpose(1, 2) for x in (query, key, value)]
        weights = torch.softmax(split[0] @ split[1].transpose(2, 3), -1)
        return (weights @ split[2]).transpose(1, 2).flatten(2)

    return run


for shape, heads, scale in (
    ([1, 1, 1], 1, 1),
    ([2, 3, 10], 2, 1),
    ([3, 4, 24], 3, 1),
    ([5, 2, 19], 1, 1),
    ([2, 6, 12], 12, 1),
    ([90, 3, 16], 2, 0.5),
    ([2, 3, 8], 1, 8),
    ([0, 2, 4], 2, 1),
):
    options = {"heads": heads}
    data = [(torch.randn(shape) * scale).round(decimals=2) for _ in range(3)]
    case("attention", named(f"{shape} * {scale}", options), data, attention(heads), options)

fixture = {
    "torch": torch.__version__,
    "cases": cases,
    "optimizers": {
        "users": USERS,
        "items": ITEMS,
        "width": WIDTH,
        "batch": BATCH,
        "steps": STEPS,
        "signs": [int(sign) for sign in signs.flatten().tolist()],
        "user": users.flatten().tolist(),
        "item": items.flatten().tolist(),
        "label": [int(label) for label in labels.flatten().tolist()],
        "start": {name: rounded(value) for name, value in start.items()},
        "cases": optimizers,
    },
}
path = pathlib.Path(__file__).parent.parent / "fixtures" / "ops.json"
path.write_text(json.dumps(fixture, separators=(",", ":")) + "\n")
