"""Draws summary.json of the conflict experiment (matplotlib):
python3 benchmarks/experiments/conflict/draw.py benchmarks/results/conflict"""

import json
import pathlib
import sys

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt

folder = pathlib.Path(sys.argv[1])
rows = json.loads((folder / "summary.json").read_text())["summary"]
plt.rcParams.update({"svg.hashsalt": "conflict", "font.size": 9})
figure, (level, gain) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
for label in dict.fromkeys(row["label"] for row in rows if "testAuc" in row):
    own = [row for row in rows if row["label"] == label]
    strengths = [row["strength"] for row in own]
    style = "--" if label == "true probabilities" else "-"
    (line,) = level.plot(strengths, [row["mean"] for row in own], style, label=label)
    if label in ("true probabilities", "alternate", "separate"):
        continue
    gain.errorbar(
        strengths,
        [row["difference"] for row in own],
        [row["halfWidth"] for row in own],
        color=line.get_color(),
        capsize=2,
    )
gain.axhline(0, color="black", linewidth=0.8)
level.set(xlabel="conflict c", ylabel="mean test AUC, 5 seeds")
gain.set(xlabel="conflict c", ylabel="difference to alternate, 95% interval")
level.legend(fontsize=7)
figure.savefig(folder / "conflict.svg", metadata={"Date": None})
