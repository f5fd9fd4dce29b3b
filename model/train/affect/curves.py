"""History of a run as a picture."""

import json

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt


def draw(history, path):
    rows = [json.loads(l) for l in open(history)]
    x = [r["minutes"] for r in rows]
    fig, ax = plt.subplots(1, 3, figsize=(13, 4))
    for i, n in enumerate(("all", "expression", "valence, arousal", "units", "visibility")):
        ax[0].plot(x, [r["loss"][i] for r in rows], label=n)
    ax[0].set(title="training loss (running mean)", xlabel="minutes", yscale="log")
    for k, n in (("fer_acc", "FER+ accuracy"), ("fer_f1", "FER+ macro F1"), ("va_ccc", "derived V/A CCC")):
        ax[1].plot(x, [r[k] for r in rows], label=n)
    ax[1].set(title="validation: expression", xlabel="minutes")
    for k, n in (("drawn_best", "rendered, best thresholds"), ("drawn_f1", "rendered at 0.5"), ("real_best", "against teacher, best"), ("real_f1", "against teacher at 0.5")):
        ax[2].plot(x, [r[k] for r in rows], label=n)
    ax[2].set(title="validation: action units, macro F1", xlabel="minutes")
    border = [r["minutes"] for r in rows if r.get("stage") == "pretrain"][-1:]
    for a in ax:
        for m in border:
            a.axvline(m, color="grey", linestyle=":")  # here the second stage begins
        a.legend(fontsize=8)
        a.grid(alpha=.3)
    fig.tight_layout()
    fig.savefig(path, dpi=90)
    plt.close(fig)
