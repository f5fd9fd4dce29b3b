"""The pictures of docs/model-card.md: scores as bars and curves, and what the coverings and disturbances
look like on a rendered face, each with the scores under it."""

import os
import textwrap

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from . import AUS, augment, evaluate, occlude, pool, renders


def _save(fig, path):
    fig.savefig(path, dpi=80, metadata={"Software": None})  # the same scores give the same bytes
    plt.close(fig)


def units(part, path):
    """F1 of every unit; part: the scores of a test or validation part."""
    d, r = part["rendered"]["unit_f1"], part["real_against_teacher"]
    sets = (("rendered persons", d), ("MediaPipe on real persons", r["unit_f1"]), ("the same, where it takes a side", r["unit_f1_decided"]))
    fig, ax = plt.subplots(figsize=(11, 4))
    at = np.arange(len(AUS))
    for i, (name, f) in enumerate(sets):
        ax.bar(at + (i - 1) * .27, [f.get(str(k)) or 0 for k in AUS], .25, label=name)
    ax.axhline(.6, color="black", linestyle=":", linewidth=1)
    ax.set(xticks=at, xticklabels=[f"AU{k}" for k in AUS], ylim=(0, 1), ylabel="F1", title="action units, on persons never seen; below the dots a unit is weak")
    ax.legend(loc="upper center", bbox_to_anchor=(.5, -.08), ncol=3, fontsize=9, frameon=False)
    ax.grid(axis="y", alpha=.3)
    fig.tight_layout()
    _save(fig, path)


def curves(rows, path):
    """Scores against strength, a panel for each disturbance that has one; rows: those of disturbed()."""
    names = [n for n in dict.fromkeys(r["what"] for r in rows) if all(_number(r["strength"]) for r in rows if r["what"] == n)]
    base = rows[0]
    fig, axes = plt.subplots(2, (len(names) + 1) // 2, figsize=(12, 5.5), sharey=True)
    for ax, n in zip(axes.flat, names):
        of = [r for r in rows if r["what"] == n]
        x = [float(r["strength"]) for r in of]
        for key, name in (("macro_f1", "action units, macro F1"), ("expression_accuracy", "expression, accuracy")):
            y = np.array([r[key] for r in [base] + of], float)  # nan where nothing could be scored
            line = ax.plot(x, y[1:], marker="o", label=name)[0]
            ax.axhline(y[0], color=line.get_color(), linestyle=":", linewidth=1)
        if x[0] > x[-1]:
            ax.invert_xaxis()  # worse to the right
        ax.set(title=n, ylim=(.4, 1))
        ax.grid(alpha=.3)
    for ax in list(axes.flat)[len(names):]:
        ax.axis("off")
    axes.flat[0].legend(fontsize=8, loc="lower left")
    fig.suptitle("scores against disturbance, worse to the right; dotted: nothing in the way")
    fig.tight_layout()
    _save(fig, path)


def _number(text):
    try:
        return bool(float(text) + 1)
    except ValueError:
        return False


def sheet(work, disturbed, path):
    """One rendered face under every condition, with the scores that the condition leaves."""
    d = renders.load(work, disturbed["split"])
    truth = d["au"] >= pool.POSITIVE
    turn = np.abs(d["eyes"][:, 0, 1] - d["eyes"][:, 1, 1]) / np.linalg.norm(d["eyes"][:, 0] - d["eyes"][:, 1], axis=1)
    shown = int(np.argmax(truth.sum(1) * (turn < .1)))  # upright, much going on
    plain = evaluate.crops(d["image"][shown:shown + 1], d["eyes"][shown:shown + 1])[0]
    frame = augment.face_frame(np.eye(3))
    across = 10
    fig, axes = plt.subplots(-(-len(disturbed["rows"]) // across), across, figsize=(13, 7), gridspec_kw=dict(left=.005, right=.995, top=.94, bottom=.03, wspace=.03, hspace=.38))
    for ax in axes.flat:
        ax.axis("off")
    r = np.random.default_rng(10)
    for ax, row, (what, strength, act) in zip(axes.flat, disturbed["rows"], evaluate.conditions()):
        assert (row["what"], row["strength"]) == (what, strength)
        c = occlude.Canvas(plain.copy(), frame)
        act(c, r)
        ax.imshow(np.clip(c.img, 0, 255), cmap="gray", vmin=0, vmax=255)
        name = what if strength in ("–", "any") else f"{what} {strength}"
        f = row["macro_f1"]
        ax.set_title("\n".join(textwrap.wrap(name, 20)), fontsize=8, pad=2)
        ax.text(.5, -.03, f"units {'–' if f is None else format(f, '.2f')}  expr. {row['expression_accuracy']:.2f}", transform=ax.transAxes, ha="center", va="top", fontsize=8,
                color="firebrick" if (f or 0) < .7 or row["expression_accuracy"] < .75 else "black")
    _save(fig, path)


def write(card, work, folder, log=print):
    """Draws all of a card's pictures into folder; the sheet needs the prepared renders in work."""
    os.makedirs(folder, exist_ok=True)
    s = card["scores"]
    units(s.get("test") or s["validation"], os.path.join(folder, "units.png"))
    curves(s["disturbed"]["rows"], os.path.join(folder, "disturbed.png"))
    try:
        sheet(work, s["disturbed"], os.path.join(folder, "conditions.png"))
    except FileNotFoundError as e:
        log(f"{folder}/conditions.png stays as it is: {e}")
