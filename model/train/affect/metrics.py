"""Scores, in numpy, each over the labelled rows only. tools/evaluate scores by the same
definitions: tests of both hold their scores of testdata/scores.csv against testdata/scores.json."""

import numpy as np


def f1(pred, true):
    """F1 of two boolean vectors; nan where nothing is positive in truth."""
    tp = np.sum(pred & true)
    return float(2 * tp / max(2 * tp + np.sum(pred & ~true) + np.sum(~pred & true), 1)) if true.any() else float("nan")


def macro_f1(pred, true, classes):
    """Mean F1 over the classes that occur in truth."""
    return float(np.nanmean([f1(pred == c, true == c) for c in range(classes)]))


def ccc(x, y):
    """Concordance correlation coefficient (Lin 1989) of answers x with the truth y; nan for fewer
    than two distinct truths."""
    x, y = np.asarray(x, float), np.asarray(y, float)
    if not (len(y) and np.ptp(y) > 0):
        return float("nan")
    return float(2 * np.mean((x - x.mean()) * (y - y.mean())) / (x.var() + y.var() + (x.mean() - y.mean()) ** 2))


def auc(score, true):
    """Area under the ROC curve by ranks; ties count half."""
    from scipy.stats import rankdata
    n1 = int(true.sum())
    n0 = len(true) - n1
    if n1 == 0 or n0 == 0:
        return float("nan")
    r = rankdata(score)
    return float((r[true].sum() - n1 * (n1 + 1) / 2) / (n1 * n0))


def calibration_error(confidence, right):
    """Expected calibration error over ten bins of equal width (Naeini et al. 2015)."""
    bins = np.clip((confidence * 10).astype(int), 0, 9)
    return float(sum(abs(np.sum(confidence[bins == b]) - np.sum(right[bins == b])) for b in range(10)) / len(right))


def best_threshold(prob, true, grid=np.arange(5, 96) / 100):
    """The threshold with the best F1 (the middle of the best run), and that F1."""
    s = np.array([f1(prob >= t, true) for t in grid])
    if np.all(np.isnan(s)):
        return .5, float("nan")
    top = np.nonzero(s >= np.nanmax(s) - .002)[0]
    return float(grid[top[len(top) // 2]]), float(np.nanmax(s))


def p_mtl(va_pred, va_true, expr_pred, expr_true, au_pred, au_true):
    """The ABAW multi-task score: mean CCC of V and A, macro F1 of the expressions, macro F1 of
    the units, each over its labelled rows (va nan, expression -1, unit nan: unlabelled)."""
    ok = ~np.isnan(va_true).any(1)
    c = np.mean([ccc(va_pred[ok, i], va_true[ok, i]) for i in range(2)]) if ok.any() else float("nan")
    e = expr_true >= 0
    k = int(max(expr_true.max(), expr_pred.max())) + 1
    fe = macro_f1(expr_pred[e], expr_true[e], k) if e.any() else float("nan")
    fa = []
    for j in range(au_true.shape[1]):
        m = ~np.isnan(au_true[:, j])
        fa.append(f1(au_pred[m, j].astype(bool), au_true[m, j] > .5))
    return c + fe + float(np.nanmean(fa)), (c, fe, float(np.nanmean(fa)))


def bootstrap(score, n, rounds=500, seed=0, groups=None):
    """95% interval of score(indices), drawing rows, or whole groups, with replacement."""
    r = np.random.default_rng(seed)
    vals = []
    if groups is not None:
        ids, inv = np.unique(groups, return_inverse=True)
        rows = [np.nonzero(inv == i)[0] for i in range(len(ids))]
    for _ in range(rounds):
        ix = r.integers(n, size=n) if groups is None else np.concatenate([rows[i] for i in r.integers(len(rows), size=len(rows))])
        vals.append(score(ix))
    return [float(v) for v in np.nanpercentile(vals, [2.5, 97.5])]
