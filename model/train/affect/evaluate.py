"""Scores of the int8 file through LiteRT, on validation or test parts, with bootstrap intervals."""

import os

import numpy as np

from . import AUS, CIRCUMPLEX, EXPRESSIONS, augment, blaze, by_eye, ferplus, metrics, occlude, pool, renders, teacher

sigmoid = lambda x: 1 / (1 + np.exp(-np.clip(x, -60, 60)))


def softmax(z):
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


r3 = lambda v: None if v is None or v != v else round(float(v), 3)


class Answers:
    """The network's answers to a set of crops: expression (N, 8), va (N, 2), au (N, 14), visible (N, 2). As on
    the unit, which takes it of two frames, they are the mean of a face and its mirror; mirror=False: of one view."""

    def __init__(self, runner, index, crops, mirror=True):
        views = [self._view(runner(x), index) for x in ((crops, crops[:, :, ::-1]) if mirror else (crops,))]
        self.expression, self.va, self.au, self.visible = (sum(v) / len(views) for v in zip(*views))

    @staticmethod
    def _view(out, index):
        return softmax(out[index["expression"]]), np.tanh(out[index["valence_arousal"]]), sigmoid(out[index["action_units"]]), sigmoid(out[index["visibility"]])


def crops(images, eyes):
    """Aligned crops (N, 112, 112) of pictures, nothing disturbed."""
    return np.stack([augment.sample(im, e, None, plain=True)[0] for im, e in zip(images, eyes)])


def real(work, part):
    """faces144 rows of a split: crops, raw teacher values, persons, mean luminance."""
    d = np.load(f"{work}/faces144.npz")
    use = np.nonzero((d["split"] == part) & (d["presence"] > .5))[0]
    x = crops(d["image"][use], d["eyes"][use])
    return x, teacher.values(d["blend"][use], d["gap"][use]), d["person"][use], x[:, 30:100, 30:82].mean((1, 2))


def mirrored(work, part):
    """Raw teacher values of the mirrors of the pictures that real() gives."""
    with np.load(f"{work}/faces144.npz") as d:
        use = np.nonzero((d["split"] == part) & (d["presence"] > .5))[0]
    with np.load(f"{work}/faces144-mirror.npz") as m:
        return teacher.values(m["blend"][use], m["gap"][use])


def teacher_positive(raw):
    """Binary marks of the teacher: the middle of its two marks; nan where it cannot say."""
    out = np.full(raw.shape, np.nan, np.float32)
    for k, (lo, hi, _, _) in teacher.RULE.items():
        i = AUS.index(k)
        out[:, i] = raw[:, i] >= (lo + hi) / 2
    return out


def teacher_decided(raw):
    """Where the teacher takes a side: at or beyond one of its two marks, not between them."""
    y, trust = teacher.targets(raw)
    return (trust > 0) & ((y <= 0) | (y >= 1))


def drawn(work, split):
    d = renders.load(work, split)
    x = crops(d["image"], d["eyes"])
    return x, d["au"] >= pool.POSITIVE, d


# Of real faces rated by eye on which a unit is clearly absent, at most so many are called present.
FALSE = {1: .04, 2: .04, 4: .08, 6: .02, 9: .03, 12: .03, 15: .04, 24: .04, 25: .05, 26: .04, 43: .02}
LEAST = 5  # faces with the unit, rated by eye, for a threshold to be lowered after them


def thresholds(work, data, runner, index):
    """Per unit the threshold with the best F1, mean of rendered and real validation F1 where the
    teacher can be trusted, rendered alone where not. Faces rated by eye for this move it: up until at most FALSE
    of those on which the unit is clearly absent are called present, or, where fewer are, halfway down to there."""
    rated = by_eye.read().of("threshold")
    eye = Answers(runner, index, by_eye.crops(data, rated)).au
    mark = {k: m for m, units in by_eye.UNITS.items() for k in units}
    x, y, _ = drawn(work, "valid")
    a = Answers(runner, index, x).au
    xr, raw, _, _ = real(work, 1)
    ar, yr = Answers(runner, index, xr).au, teacher_positive(raw)
    grid = np.arange(.05, .96, .01)
    out, note = [], {}
    for i, k in enumerate(AUS):
        s = np.array([metrics.f1(a[:, i] >= t, y[:, i]) for t in grid])
        trusted = k in teacher.RULE and teacher.RULE[k][2] >= .8
        if trusted and np.nansum(yr[:, i]) >= 10:
            s = .5 * s + .5 * np.array([metrics.f1(ar[:, i] >= t, yr[:, i] > .5) for t in grid])
        top = np.nonzero(s >= np.nanmax(s) - .003)[0]
        t = round(float(grid[top[len(top) // 2]]), 2)
        note[str(k)] = "rendered and real" if trusted else "rendered"
        absent = eye[rated.mark(mark[k]) == 0, i] if k in mark else np.zeros(0)
        if len(absent):
            by_eye_at = next(x for x in np.arange(.05, 1.01, .01) if np.mean(absent >= x) <= FALSE[k])
            if by_eye_at > t:
                t, note[str(k)] = round(float(by_eye_at), 2), "false positives by eye"
            elif (rated.mark(mark[k]) == 1).sum() >= LEAST:
                t, note[str(k)] = round(float(by_eye_at + t) / 2, 2), note[str(k)] + ", and false positives by eye"
        out.append(t)
    return out, note


CLOSED = .8  # of the way down: the P80 of PERCLOS


def eyes_closed_at(work, data, runner, index):
    """The level of AU43 that tells closed eyes best: mean F1 of lids 80 % down on rendered validation
    persons, at all heights of the lid, and of the teacher's closed eyes on real ones; raised until at most FALSE of
    the open, cast down and laughing eyes rated by eye for this are called closed."""
    d = renders.lids(work, data, "valid")
    i = AUS.index(43)
    a, y = Answers(runner, index, crops(d["image"], d["eyes"])).au[:, i], d["closed"] >= CLOSED
    xr, raw, _, _ = real(work, 1)
    ar, yr = Answers(runner, index, xr).au[:, i], teacher_positive(raw)[:, i] > .5
    grid = np.arange(.05, .991, .01)
    s = np.array([.5 * metrics.f1(a >= t, y) + .5 * metrics.f1(ar >= t, yr) for t in grid])
    top = np.nonzero(s >= s.max() - .003)[0]
    rated = by_eye.read().of("threshold")
    open_ = Answers(runner, index, by_eye.crops(data, rated)).au[rated.mark("AU43") == 0, i]
    t = grid[top[len(top) // 2]]
    return round(float(max(t, next(x for x in np.arange(.05, 1.01, .01) if np.mean(open_ >= x) <= FALSE[43]))), 2)


BARE = .98  # of bare parts of real faces rated by eye, at least called visible


def visible_at(data, runner, index):
    """The levels from which eyes and mouth count as visible: the highest at which BARE of the bare ones rated by eye for
    this are called so, where that is below a half; else halfway up to there, so that covers are found."""
    rated = by_eye.read().of("threshold")
    level, out = Answers(runner, index, by_eye.crops(data, rated)).visible, []
    for i, covered in enumerate((rated.eyes_covered(), rated.mouth_covered())):
        bare = level[covered == 0, i]
        limit = next((x for x in np.arange(.9, .2, -.05) if np.mean(bare >= x) >= BARE), .5)
        out.append(round(float(limit if limit < .5 else (.5 + limit) / 2), 2))
    return out


def teacher_on_rendered(work, data, split, n=400):
    """AUC of the teacher itself on rendered faces of known units, and of the shapes nearest to the
    units that it cannot express: what its marks are worth there."""
    d = renders.load(work, split)
    pick = np.random.default_rng(8).permutation(len(d["image"]))[:n]
    mark = blaze.Landmarker(os.path.join(data, "face_landmarker.task"))
    blend, gap, seen = np.zeros((len(pick), 52), np.float32), np.zeros(len(pick), np.float32), np.zeros(len(pick), np.float32)
    for k, (im, e) in enumerate(zip(d["image"][pick], d["eyes"][pick])):
        # the landmark network wants 1.5 times the face's box: 3.3 eye distances, a little below the eyes
        right, left = e.astype(np.float64)
        unit = np.linalg.norm(left - right)
        pts, seen[k], blend[k] = mark(im, (right + left) / 2 + (0, .45 * unit), 3.3 * unit, np.arctan2(*(left - right)[::-1]))
        gap[k] = mark.lip_gap(pts)
    raw = teacher.values(blend, gap)
    shape = lambda name: np.maximum(*(blend[:, blaze.BLENDSHAPES.index(name + side)] for side in ("Left", "Right")))
    raw[:, AUS.index(9)], raw[:, AUS.index(24)] = shape("noseSneer"), shape("mouthPress")
    raw[:, AUS.index(23)] = blend[:, blaze.BLENDSHAPES.index("mouthRollLower")] + blend[:, blaze.BLENDSHAPES.index("mouthRollUpper")]
    ok, y = seen > .5, d["au"][pick] >= pool.POSITIVE
    return pick[ok], {str(k): r3(metrics.auc(raw[ok, i], y[ok, i])) for i, k in enumerate(AUS)}


def paint(work, data, runner, index, split):
    """AUC of every unit with and without the paint, all else alike."""
    d = renders.unpainted(work, data, split)
    y = d["au"] >= pool.POSITIVE
    auc = lambda images: {str(k): r3(metrics.auc(p[:, i], y[:, i])) for p in [Answers(runner, index, crops(images, d["eyes"])).au] for i, k in enumerate(AUS)}
    return {"n": int(len(y)), "painted_auc": auc(d["painted"]), "bare_auc": auc(d["bare"])}


def expression_scores(prob, y):
    ok = y >= 0
    prob, y = prob[ok], y[ok]
    p = prob.argmax(1)
    conf, hit = prob.max(1), p == y
    return {
        "n": int(len(y)), "accuracy": r3(hit.mean()), "accuracy_95": [r3(v) for v in metrics.bootstrap(lambda i: hit[i].mean(), len(y))],
        "macro_f1": r3(metrics.macro_f1(p, y, 8)), "calibration_error": r3(metrics.calibration_error(conf, hit)),
        "class_f1": {e: r3(metrics.f1(p == i, y == i)) for i, e in enumerate(EXPRESSIONS)},
        "confusion": [[int(np.sum((y == i) & (p == j))) for j in range(8)] for i in range(8)],
    }


def quarters(v, score):
    """score(rows) of each quarter of the pictures by v, null where there is none, and worst to best."""
    q = np.digitize(v, np.quantile(v, (.25, .5, .75)))
    g = [r3(score(np.nonzero(q == k)[0])) for k in range(4)]
    there = [x for x in g if x is not None]
    return {"macro_f1": g, "worst_to_best": r3(min(there) / max(there)) if there and max(there) > 0 else None}


def measure(work, data, runner, index, thr, closed_at, split, log=print, visible=(.5, .5)):
    """Everything that the card tells, of one split: 'valid' or 'test'."""
    part = {"valid": 1, "test": 2}[split]
    thr = np.array(thr)
    out = {}
    log(f"{split}: FER+")
    d = np.load(f"{work}/ferplus.npz")
    use = d["split"] == part
    x = crops(d["image"][use], d["eyes"][use])
    a = Answers(runner, index, x)
    y = ferplus.majority(d["votes"][use])
    out["ferplus"] = expression_scores(a.expression, y)
    soft, _ = ferplus.soft(d["votes"][use])
    va, ok = soft @ np.array(CIRCUMPLEX, np.float32), y >= 0
    out["ferplus"]["ccc_derived"] = {n: r3(metrics.ccc(a.va[ok, i], va[ok, i])) for i, n in enumerate(("valence", "arousal"))}

    log(f"{split}: rendered persons")
    x, y, d = drawn(work, split)
    a = Answers(runner, index, x)
    pred = a.au >= thr
    at_card = np.nanmean([metrics.f1(pred[:, i], y[:, i]) for i in range(len(AUS))])
    # The card's thresholds also serve real faces; what rendered ones allow has thresholds of their own, of
    # other persons.
    xv, yv, _ = (x, y, d) if split == "valid" else drawn(work, "valid")
    av = a if split == "valid" else Answers(runner, index, xv)
    pred = a.au >= [metrics.best_threshold(av.au[:, i], yv[:, i])[0] for i in range(len(AUS))]
    unit = [metrics.f1(pred[:, i], y[:, i]) for i in range(len(AUS))]
    macro = lambda ix: np.nanmean([metrics.f1(pred[ix, i], y[ix, i]) for i in range(len(AUS))])
    out["rendered"] = {
        "n": int(len(y)), "persons": int(len(np.unique(d["person"]))), "macro_f1": r3(np.nanmean(unit)),
        "macro_f1_95": [r3(v) for v in metrics.bootstrap(macro, len(y), 200, groups=d["person"])], "macro_f1_at_card_thresholds": r3(at_card),
        "thresholds": "chosen on the rendered validation persons" + (" themselves" if split == "valid" else ""),
        "unit_f1": {str(k): r3(v) for k, v in zip(AUS, unit)}, "unit_auc": {str(k): r3(metrics.auc(a.au[:, i], y[:, i])) for i, k in enumerate(AUS)},
    }
    groups = {}
    for name, v in (("albedo", d["albedo"]), ("face_width", d["width"])):
        groups[name + "_quarters"] = quarters(v, macro)
    out["rendered"]["groups"] = groups
    pick, theirs = teacher_on_rendered(work, data, split)
    out["rendered"]["beside_teacher"] = {"n": len(pick), "teacher_auc": theirs, "own_auc": {str(k): r3(metrics.auc(a.au[pick, i], y[pick, i])) for i, k in enumerate(AUS)}}
    out["rendered"]["paint"] = paint(work, data, runner, index, split)
    lids = renders.lids(work, data, split)
    shut, down = Answers(runner, index, crops(lids["image"], lids["eyes"])).au[:, AUS.index(43)] >= closed_at, lids["closed"] >= CLOSED
    half = lids["closed"] >= pool.POSITIVE[AUS.index(43)]
    out["lids"] = {"n": int(len(shut)), "eyes_closed_at": closed_at, "f1_80_percent_down": r3(metrics.f1(shut, down)),
                   "f1_80_percent_down_95": [r3(v) for v in metrics.bootstrap(lambda ix: metrics.f1(shut[ix], down[ix]), len(shut), 200, groups=lids["person"])],
                   "called_closed_below_half": r3(shut[~half].mean()), "called_open_above_80_percent": r3((~shut[down]).mean())}

    log(f"{split}: real persons against the teacher")
    x, raw, person, lum = real(work, part)
    a = Answers(runner, index, x)
    y = teacher_positive(raw)
    from scipy.stats import spearmanr
    can = [i for i, k in enumerate(AUS) if k in teacher.RULE]
    # The teacher's scale is its own: thresholds for this comparison come from validation.
    av, rv = a.au, raw
    if split == "test":
        xv, rv, _, _ = real(work, 1)
        av = Answers(runner, index, xv).au
    yv, own = teacher_positive(rv), thr.copy()
    for i in can:
        own[i] = metrics.best_threshold(av[:, i], yv[:, i] > .5)[0]
    f_own = {str(AUS[i]): r3(metrics.f1(a.au[:, i] >= own[i], y[:, i] > .5)) for i in can}
    f_thr = {str(AUS[i]): r3(metrics.f1(a.au[:, i] >= thr[i], y[:, i] > .5)) for i in can}
    rho = {str(AUS[i]): r3(spearmanr(raw[:, i], a.au[:, i])[0]) for i in can}
    mean = lambda q: r3(np.nanmean([v for v in q.values() if v is not None]))
    macro_real = lambda ix: np.nanmean([metrics.f1(a.au[ix, i] >= own[i], y[ix, i] > .5) for i in can])
    out["real_against_teacher"] = {
        "n": int(len(y)), "persons": int(len(np.unique(person))), "macro_f1": mean(f_own), "macro_f1_95": [r3(v) for v in metrics.bootstrap(macro_real, len(y), 200, groups=person)],
        "macro_f1_at_card_thresholds": mean(f_thr), "mean_spearman": mean(rho), "unit_f1": f_own, "unit_f1_at_card_thresholds": f_thr, "unit_spearman": rho,
        "thresholds": "chosen on the validation persons" + (" themselves" if split == "valid" else ""),
        "positives": {str(AUS[i]): int(y[:, i].sum()) for i in can},
    }
    # Between its two marks the teacher itself is undecided, and no unit of a rendered face is: the same
    # answers over the pictures on which it is not, thresholds chosen on such pictures too.
    sure, sv = teacher_decided(raw), teacher_decided(rv)
    clear = {i: metrics.best_threshold(av[sv[:, i], i], yv[sv[:, i], i] > .5)[0] for i in can}
    decided = lambda ix: [metrics.f1(a.au[ix][sure[ix, i], i] >= clear[i], y[ix][sure[ix, i], i] > .5) for i in can]
    macro_decided = lambda ix: np.nanmean(decided(ix))
    f_sure = {str(AUS[i]): r3(v) for i, v in zip(can, decided(np.arange(len(y))))}
    out["real_against_teacher"].update({
        "macro_f1_decided": mean(f_sure), "macro_f1_decided_95": [r3(v) for v in metrics.bootstrap(macro_decided, len(y), 200, groups=person)], "unit_f1_decided": f_sure,
        "decided": {str(AUS[i]): int(sure[:, i].sum()) for i in can}, "decided_positives": {str(AUS[i]): int((y[:, i] > .5)[sure[:, i]].sum()) for i in can}})
    # How far the teacher agrees with itself before a mirror, its thresholds free to move: what a score
    # against it is worth. And the same answers against the mean of its two opinions.
    m = mirrored(work, part)
    mv = m if split == "valid" else mirrored(work, 1)
    itself, both = {}, teacher_positive((raw + m) / 2)
    for i in can:
        marks = np.quantile(mv[:, i], np.arange(.02, .995, .005))
        t = marks[np.nanargmax([metrics.f1(mv[:, i] >= v, yv[:, i] > .5) for v in marks])]
        itself[str(AUS[i])] = r3(metrics.f1(m[:, i] >= t, y[:, i] > .5))
    f_both = {str(AUS[i]): r3(metrics.f1(a.au[:, i] >= own[i], both[:, i] > .5)) for i in can}
    out["real_against_teacher"].update({
        "teacher_mirrored_unit_f1": itself, "teacher_mirrored_macro_f1": mean(itself), "unit_f1_mean_of_mirrored": f_both, "macro_f1_mean_of_mirrored": mean(f_both)})
    out["closed_on_ferplus"] = closed_on_ferplus(work, runner, index, part)
    out["real_against_teacher"]["groups"] = {"luminance_quarters": quarters(lum, macro_real)}

    log(f"{split}: visibility under coverings")
    out["visibility"] = visibility(work, runner, index, split, visible)
    return out


def closed_on_ferplus(work, runner, index, part):
    """Closed eyes against the teacher on FER+ faces, of which many more have them than the real persons
    of faces144: F1 over all, and where the teacher takes a side; thresholds chosen on validation faces."""
    d = np.load(f"{work}/ferplus.npz")
    i = AUS.index(43)

    def of(split):
        use = np.nonzero((d["split"] == split) & (d["presence"] > .5))[0]
        raw = teacher.values(d["blend"][use], d["gap"][use])
        p = Answers(runner, index, crops(d["image"][use], d["eyes"][use])).au[:, i]
        return p, teacher_positive(raw)[:, i] > .5, teacher_decided(raw)[:, i]

    pv, yv, sv = of(1)
    p, y, sure = (pv, yv, sv) if part == 1 else of(part)
    out = {"n": int(len(y)), "closed": int(y.sum()), "decided": int(sure.sum()), "decided_closed": int((y & sure).sum())}
    for name, rows, on in (("f1", np.ones(len(y), bool), np.ones(len(yv), bool)), ("f1_decided", sure, sv)):
        hit, true = p[rows] >= metrics.best_threshold(pv[on], yv[on])[0], y[rows]
        out[name], out[name + "_95"] = r3(metrics.f1(hit, true)), [r3(v) for v in metrics.bootstrap(lambda ix: metrics.f1(hit[ix], true[ix]), len(true))]
    return out


def _scene(work, split, n, seed):
    """n plain pictures of a split, rendered and real by turns: (image, eyes, units or None)."""
    d = renders.load(work, split)
    part = {"valid": 1, "test": 2}[split]
    f = np.load(f"{work}/faces144.npz")
    rows = np.nonzero((f["split"] == part) & (f["presence"] > .5))[0]
    images, eyes = f["image"][rows], f["eyes"][rows]
    r = np.random.default_rng(seed)
    for i in range(n):
        if i % 2 == 0:
            k = int(r.integers(len(d["image"])))
            yield d["image"][k], d["eyes"][k], d["au"][k] >= pool.POSITIVE
        else:
            k = int(r.integers(len(images)))
            yield images[k], eyes[k], None


def visibility(work, runner, index, split, visible=(.5, .5), n=800):
    """F1 of 'covered' and of 'visible' for both parts, coverings drawn on half of the pictures."""
    r = np.random.default_rng(77)
    x, y = [], []
    for img, eyes, _ in _scene(work, split, n, 78):
        crop, _ = augment.sample(img, eyes, None, plain=True)
        c = occlude.Canvas(crop, augment.face_frame(np.eye(3)))
        if r.random() < .7:
            occlude.worn(c, r)
        x.append(np.clip(c.img, 0, 255))
        y.append(c.visibility())
    a, y = Answers(runner, index, np.array(x)).visible >= visible, np.array(y)
    out = {"n": n}
    for i, part in enumerate(("eyes", "mouth")):
        ok = ~np.isnan(y[:, i])
        t = y[ok, i] > .5
        out[part] = {"f1_visible": r3(metrics.f1(a[ok, i], t)), "f1_covered": r3(metrics.f1(~a[ok, i], ~t)), "covered": int((~t).sum())}
    return out


def quantisation(work, model, runner, index, thr):
    """What int8 costs: float and int8 on the same validation crops."""
    out = {}
    d = np.load(f"{work}/ferplus.npz")
    use = np.nonzero(d["split"] == 1)[0]
    x = crops(d["image"][use], d["eyes"][use])
    y = ferplus.majority(d["votes"][use])
    fl = lambda c: [np.concatenate(v) for v in zip(*[[o.numpy() for o in model(((c[i:i + 128] - 127.5) / 127.5)[..., None].astype(np.float32), training=False)] for i in range(0, len(c), 128)])]
    f = fl(x)
    q = Answers(runner, index, x, mirror=False)
    ok = y >= 0
    out["expression_accuracy"] = {"float": r3((f[0][ok].argmax(1) == y[ok]).mean()), "int8": r3((q.expression[ok].argmax(1) == y[ok]).mean())}
    out["expression_probability_error"] = r3(np.abs(softmax(f[0]) - q.expression).mean())
    out["valence_arousal_error"] = r3(np.abs(np.tanh(f[1]) - q.va).mean())
    x, y, _ = drawn(work, "valid")
    f, q = fl(x), Answers(runner, index, x, mirror=False)
    m = lambda p: r3(np.nanmean([metrics.f1(p[:, i] >= thr[i], y[:, i]) for i in range(len(AUS))]))
    out["unit_macro_f1"] = {"float": m(sigmoid(f[2])), "int8": m(q.au)}
    out["unit_probability_error"] = r3(np.abs(sigmoid(f[2]) - q.au).mean())
    out["visibility_error"] = r3(np.abs(sigmoid(f[3]) - q.visible).mean())
    return out


def conditions():
    """(what, strength, function(canvas, rng)) of the worker's-face table."""
    o = occlude
    out = [("nothing", "–", lambda c, r: None)]
    out += [("clear glasses", "–", lambda c, r: o.glasses(c, r, False)), ("dark glasses", "–", lambda c, r: o.glasses(c, r, True)), ("goggles", "any", o.goggles),
            ("mask", "any", o.mask), ("mask and clear glasses", "any", lambda c, r: (o.mask(c, r), o.glasses(c, r, False)))]
    out += [("hard hat", f"brim {v} above the eyes", lambda c, r, v=v: o.helmet(c, r, -v)) for v in (.95, .75, .5)]
    out += [("ear defenders", "any", o.defenders), ("hair", "any", o.hair)]
    out += [("hand", w, lambda c, r, at=at: o.hand(c, r, at)) for w, at in (("cheek", (.85, .7)), ("mouth", (0, 1.05)), ("eyes", (0, .05)))]
    out += [(n, str(v), lambda c, r, f=f, v=v: f(c, r, v)) for n, f, vs in (
        ("steam", o.steam, (.25, .5, .75)), ("glare", o.glare, (.3, .6, 1.)), ("flicker", o.flicker, (.1, .25, .4)),
        ("motion blur, px", o.motion, (3, 6, 10)), ("dark, gain", o.dark, (.5, .25, .12)), ("backlight", o.backlight, (.4, .65, .85))) for v in vs]

    def small(n):
        import cv2
        def shrink(c, r):
            c.img = cv2.resize(cv2.resize(c.img, (n, n), interpolation=cv2.INTER_AREA), (112, 112), interpolation=cv2.INTER_LINEAR)
        return shrink
    # the crop is 3.3 eye distances wide, the face about 2.2
    out += [("size of the crop, px", str(n), small(n)) for n in (112, 80, 64, 48, 36, 24)]
    return out


def disturbed(work, runner, index, thr, split, visible=(.5, .5), n=300):
    """Scores under each covering and disturbance. Units of a covered part are left out, as the
    firmware leaves them unknown; the visibility output's verdict is given beside it."""
    from . import EYE_AUS, MOUTH_AUS
    thr = np.array(thr)
    part = {"valid": 1, "test": 2}[split]
    d = renders.load(work, split)
    pick = np.random.default_rng(8).permutation(len(d["image"]))[:n]
    images, eyes, truth = d["image"][pick], d["eyes"][pick], (d["au"] >= pool.POSITIVE)[pick]
    f = np.load(f"{work}/ferplus.npz")
    fy = ferplus.majority(f["votes"])
    rows = np.nonzero((f["split"] == part) & (fy >= 0))[0]
    rows = rows[np.random.default_rng(9).permutation(len(rows))[:n]]
    fimg, feyes, fy = f["image"][rows], f["eyes"][rows], fy[rows]
    eye, mouth = [np.array([k in g for k in AUS]) for g in (EYE_AUS, MOUTH_AUS)]
    plain, fplain = crops(images, eyes), crops(fimg, feyes)
    frame = augment.face_frame(np.eye(3))
    table = []
    for what, strength, act in conditions():
        r = np.random.default_rng(10)
        x, vis, fx = [], [], []
        for p in plain:
            c = occlude.Canvas(p.copy(), frame)
            act(c, r)
            x.append(np.clip(c.img, 0, 255))
            vis.append(c.visibility())
        for p in fplain:
            c = occlude.Canvas(p.copy(), frame)
            act(c, r)
            fx.append(np.clip(c.img, 0, 255))
        a, vis = Answers(runner, index, np.array(x)), np.array(vis)
        pred = a.au >= thr
        unit = np.array([metrics.f1(pred[ok, i], truth[ok, i]) if (ok := vis[:, 0 if eye[i] else 1] == 1).sum() > n // 4 else np.nan for i in range(len(AUS))])
        mean = lambda m: r3(np.nanmean(unit[m])) if (~np.isnan(unit[m])).any() else None
        table.append({"what": what, "strength": strength, "macro_f1": mean(np.ones(len(AUS), bool)), "eye_units": mean(eye), "mouth_units": mean(mouth),
                      "eyes_called_covered": r3((a.visible[:, 0] < visible[0]).mean()), "mouth_called_covered": r3((a.visible[:, 1] < visible[1]).mean()),
                      "expression_accuracy": r3((Answers(runner, index, np.array(fx)).expression.argmax(1) == fy).mean())})
    return {"split": split, "n": n, "rows": table,
            "note": f"{n} rendered pictures and {n} FER+ faces of the {split} parts, each condition drawn over all of them. F1 over the units of parts that remain visible; "
                    "a dash: nothing of it remains. FER+ faces have 48 px to begin with."}


def real_faces(data, runner, index, card, rounds=500):
    """What the card tells of real faces: by_eye's scores of the part that nothing was trained or chosen on, groups,
    and how ratings agree. card: its outputs give thresholds."""
    t, units, vis = by_eye.read(), card["outputs"]["action_units"], card["outputs"]["visibility"]["thresholds"]
    some = t.of("score")
    a = Answers(runner, index, by_eye.crops(data, some))
    at = units["thresholds"], units["eyes_closed_at"]
    return {"opened": by_eye.OPENED, "told_of_persons": int((some.word["skin"] != "").sum()), "pain": by_eye.pain(a, some, units["eyes_closed_at"]),
            "parts": {p: len(t.of(p)) for p in ("train", "threshold", "score")}, "score": by_eye.scores(a, some, *at, vis, rounds),
            "groups": by_eye.groups(a, some, *at), "agreement": {k: v for k in ("again", "other") if (v := by_eye.agreement(t, k))}}
