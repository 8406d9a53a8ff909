"""Draws phases.json of D-Train (matplotlib): curves.svg and domination.svg.
python3 benchmarks/experiments/d-train/draw.py benchmarks/results/online-retail-d-train"""

import json
import pathlib
import sys

import matplotlib
import numpy

matplotlib.use("svg")
import matplotlib.pyplot as plt

folder = pathlib.Path(sys.argv[1])
document = json.loads((folder / "phases.json").read_text())
plt.rcParams.update({"svg.hashsalt": "d-train", "font.size": 9})
domains, runs = document["domains"], document["runs"]
rows = numpy.array([document["rows"][domain] for domain in domains])
order = numpy.argsort(-rows, kind="stable")


def label(group):
    """Of domains from the largest to the smallest."""
    if len(group) == 1:
        return f"{domains[group[0]]}, {rows[group[0]]:,} rows"
    return f"{len(group)} domains, {rows[group[-1]]:,} to {rows[group[0]]:,} rows"


# Paper, figure 3 (b): curves of every phase, domains in groups of similar size.
figure, axis = plt.subplots(figsize=(8, 3.8), layout="constrained")
groups = [order[:1], *numpy.array_split(order[1:], 3)]
phases = list(runs[0]["curves"])
for number, phase in enumerate(phases):
    # seeds, epochs, domains
    auc = numpy.array([run["curves"][phase] for run in runs])
    epochs = auc.shape[1]
    steps = number * epochs + numpy.arange(1, epochs + 1)
    lines = [(label(group), auc[:, :, group].mean(axis=2), ":") for group in groups]
    lines.append(("mean of all domains", auc.mean(axis=2), "-"))
    for color, (name, values, style) in enumerate(lines):
        mean, deviation = values.mean(axis=0), values.std(axis=0, ddof=1)
        own = {"color": f"C{color}"}
        axis.plot(steps, mean, style, **own, label=name if number == 0 else None)
        axis.fill_between(steps, mean - deviation, mean + deviation, **own, alpha=0.15, linewidth=0)
    middle = (number + 0.5) * epochs
    axis.text(middle, 1.01, phase, ha="center", transform=axis.get_xaxis_transform())
    if number > 0:
        axis.axvline(number * epochs + 0.5, color="black", linewidth=0.8)
axis.set(xlabel="epoch; each phase starts from the best of that before it", ylabel="validation AUC")
axis.legend(fontsize=7)
figure.savefig(folder / "curves.svg", metadata={"Date": None})

# Paper, figure 4: how far each domain's head moved from where the phase found it.
figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
for axis, phase in zip(axes, runs[0]["moved"]):
    norm = numpy.array([run["moved"][phase] for run in runs])[:, order]
    places = numpy.arange(len(domains))
    axis.bar(places, norm.mean(axis=0), yerr=norm.std(axis=0, ddof=1), capsize=2)
    axis.set_xticks(places, [domains[d] for d in order], rotation=90)
    axis.set(title=phase)
axes[0].set(ylabel="Euclidean norm of the head's update")
figure.supxlabel("domains from the largest to the smallest")
figure.savefig(folder / "domination.svg", metadata={"Date": None})
