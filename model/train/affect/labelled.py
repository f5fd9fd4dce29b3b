"""Loaders of the data sets the paper used, in the layouts their owners publish.

Neither set is here: who holds one gives its folder. Both yield the same rows: path of the
picture, expression in the set's own order (-1: none), valence and arousal (nan: none), action
units (nan: none) and, where the set has them, 68 landmarks.
"""

import contextlib
import csv
import os
from dataclasses import dataclass, field

import numpy as np

# ABAW's orders (s-Aff-Wild2 of the multi-task challenge).
ABAW_UNITS = (1, 2, 4, 6, 7, 10, 12, 15, 23, 24, 25, 26)
ABAW_EXPRESSIONS = ("neutral", "anger", "disgust", "fear", "happiness", "sadness", "surprise", "other")
# AffectNet's codes; 8 none, 9 uncertain and 10 no face are no labels.
AFFECTNET_EXPRESSIONS = ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt")
# The columns of AffectNet's file lists; validation.csv is published without this line.
AFFECTNET_COLUMNS = ("subDirectory_filePath", "face_x", "face_y", "face_width", "face_height", "facial_landmarks", "expression", "valence", "arousal")


class LayoutError(ValueError):
    """A data set does not look as published; the message names the file and the row."""


@dataclass
class Labels:
    paths: list = field(default_factory=list)
    expression: np.ndarray = None        # (N,) int, -1 where unlabelled
    va: np.ndarray = None                # (N, 2) float, nan where unlabelled
    units: np.ndarray = None             # (N, 12) float 0/1, nan where unlabelled; ABAW_UNITS
    landmarks: np.ndarray | None = None  # (N, 68, 2) or None
    group: list = field(default_factory=list)  # video or split, so that parts never share one

    def eyes(self):
        """Eye centres (N, 2, 2) from the landmarks (iBUG: 36..41 the person's right eye, 42..47 the left)."""
        return np.stack([self.landmarks[:, 36:42].mean(1), self.landmarks[:, 42:48].mean(1)], 1)


def aff_wild2(annotations, images):
    """s-Aff-Wild2 MTL: a text file 'image,valence,arousal,expression,AU1,...,AU26' (one heading line),
    pictures in images/VIDEO/FRAME.jpg, 112x112 aligned. -5 marks a missing valence or arousal, -1 a
    missing expression or unit; a row with nothing at all is dropped."""
    out = Labels()
    expr, va, units = [], [], []
    with opened(annotations) as f:
        for n, line in enumerate(f, 1):
            line = line.strip()
            if not line or (n == 1 and line.lower().startswith("image")):
                continue
            c = line.split(",")
            if len(c) != 4 + len(ABAW_UNITS):
                raise LayoutError(f"{annotations} line {n}: {len(c)} columns, want {4 + len(ABAW_UNITS)}")
            try:
                v, a, e, u = float(c[1]), float(c[2]), whole(c[3]), [whole(k) for k in c[4:]]
            except ValueError as err:
                raise LayoutError(f"{annotations} line {n}: {err}") from None
            has_va = v != -5 and a != -5
            if has_va and not (-1 <= v <= 1 and -1 <= a <= 1):
                raise LayoutError(f"{annotations} line {n}: valence, arousal ({v}, {a}) out of -1..1")
            if not -1 <= e < len(ABAW_EXPRESSIONS):
                raise LayoutError(f"{annotations} line {n}: expression {e} out of -1..7")
            if any(k not in (-1, 0, 1) for k in u):
                raise LayoutError(f"{annotations} line {n}: an action unit is not -1, 0 or 1")
            if not has_va and e == -1 and all(k == -1 for k in u):
                continue
            out.paths.append(os.path.join(images, c[0]))
            out.group.append(c[0].split("/")[0])
            va.append((v, a) if has_va else (np.nan, np.nan))
            expr.append(e)
            units.append([np.nan if k == -1 else float(k) for k in u])
    out.expression, out.va = np.array(expr, int), np.array(va, np.float32).reshape(-1, 2)
    out.units = np.array(units, np.float32).reshape(-1, len(ABAW_UNITS))
    return out


@contextlib.contextmanager
def opened(path):
    """The text file at path for reading; what is wrong with it is a LayoutError."""
    try:
        with open(path, newline="", encoding="utf-8") as f:
            yield f
    except OSError as e:
        raise LayoutError(f"{path}: {e.strerror}") from None
    except UnicodeDecodeError as e:
        raise LayoutError(f"{path}: is no text: {e}") from None


def whole(text):
    """The whole number that text is, also as 3.0; ValueError otherwise."""
    v = float(text)
    if not v.is_integer():  # nor are inf and nan
        raise ValueError(f"{text!r} is no whole number")
    return int(v)


def affectnet(folder, part="train"):
    """AffectNet in either published layout: PART_set/images/ID.jpg with PART_set/annotations/
    ID_{exp,val,aro,lnd}.npy, or the older Manually_Annotated_file_lists/{training,validation}.csv (also
    straight in the folder) with Manually_Annotated_Images/ beside. -2 marks a missing valence or
    arousal."""
    base = os.path.join(folder, f"{part}_set")
    if os.path.isdir(base):
        return _affectnet_npy(base)
    name = {"train": "training.csv", "val": "validation.csv"}[part]
    for table in (os.path.join(folder, "Manually_Annotated_file_lists", name), os.path.join(folder, name)):
        if os.path.exists(table):
            return _affectnet_csv(table, os.path.join(folder, "Manually_Annotated_Images"))
    raise LayoutError(f"{folder}: neither {part}_set/ nor Manually_Annotated_file_lists/{name}")


def _finish(paths, expr, va, marks, group):
    n = len(paths)
    return Labels(paths, np.array(expr, int), np.array(va, np.float32).reshape(-1, 2), np.full((n, len(ABAW_UNITS)), np.nan, np.float32),
                  np.array(marks, np.float32).reshape(-1, 68, 2), [group] * n)


def _affectnet_npy(base):
    paths, expr, va, marks = [], [], [], []
    folder = os.path.join(base, "annotations")
    try:
        names = sorted(f[:-8] for f in os.listdir(folder) if f.endswith("_exp.npy"))
    except OSError as e:
        raise LayoutError(f"{folder}: {e.strerror}") from None
    for n in names:
        picture = next((p for e in (".jpg", ".png", ".jpeg") if os.path.exists(p := os.path.join(base, "images", n + e))), None)
        if picture is None:
            raise LayoutError(f"{base}: annotation {n} has no picture")
        found = {}
        for k in ("exp", "val", "aro", "lnd"):
            try:  # the numbers are stored as text in some releases
                found[k] = np.asarray(np.load(os.path.join(folder, f"{n}_{k}.npy"), allow_pickle=False)).astype(np.float64).ravel()
            except (OSError, ValueError, EOFError) as err:
                raise LayoutError(f"{folder}: {n}_{k}.npy: {getattr(err, 'strerror', None) or err}") from None
            if found[k].size != (136 if k == "lnd" else 1):
                raise LayoutError(f"{folder}: {n}_{k}.npy has {found[k].size} numbers, want {136 if k == 'lnd' else 1}")
        e, v, a = (float(found[k][0]) for k in ("exp", "val", "aro"))
        paths.append(picture)
        expr.append(int(e) if 0 <= e < 8 else -1)
        va.append((v, a) if -1 <= v <= 1 and -1 <= a <= 1 else (np.nan, np.nan))
        marks.append(found["lnd"])
    return _finish(paths, expr, va, marks, os.path.basename(base))


def _affectnet_csv(table, images):
    paths, expr, va, marks = [], [], [], []
    with opened(table) as f:
        rows = csv.reader(f)
        columns, first = AFFECTNET_COLUMNS, True
        for r in rows:
            if not r:
                continue
            if first and set(r) & set(AFFECTNET_COLUMNS):
                missing = [k for k in ("subDirectory_filePath", "facial_landmarks", "expression", "valence", "arousal") if k not in r]
                if missing:
                    raise LayoutError(f"{table}: no column {missing[0]}")
                columns, first = r, False
                continue
            first = False
            if len(r) != len(columns):
                raise LayoutError(f"{table} line {rows.line_num}: {len(r)} columns, want {len(columns)}")
            r = dict(zip(columns, r))
            try:
                e, v, a = whole(r["expression"]), float(r["valence"]), float(r["arousal"])
                l = np.array(r["facial_landmarks"].split(";"), np.float32)
            except ValueError as err:
                raise LayoutError(f"{table} line {rows.line_num}: {err}") from None
            if l.size != 136:
                raise LayoutError(f"{table} line {rows.line_num}: {l.size} landmark numbers, want 136")
            if e == 10:
                continue
            paths.append(os.path.join(images, r["subDirectory_filePath"]))
            expr.append(e if 0 <= e < 8 else -1)
            va.append((v, a) if -1 <= v <= 1 and -1 <= a <= 1 else (np.nan, np.nan))
            marks.append(l)
    return _finish(paths, expr, va, marks, os.path.basename(table))
