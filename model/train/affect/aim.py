"""What Aim advises, against what is so: rendered heads at a known distance, angle, place and light, as the unit reads them.

Each picture goes through tools/finding -scenes, which is the unit's own way from picture to advice. What must be said, and
what must not, is decided by the scene's truth; between both lies a margin in which either is right. The figures go to
docs/mounting.md by hand; no picture made here is committed."""

import collections
import csv
import math
import os
import shutil
import subprocess

import cv2
import numpy as np

from . import demo, head as heads, mounting

FIRST = 720_000  # persons: seeds that no other range holds
LENS = 65  # degrees; firmware/state/advice.go takes the same for granted
FACE = 15  # cm
W, H = 640, 480
HALF = math.tan(math.radians(LENS / 2))
LIGHTS = ("good", "good", "good", "dark", "window", "bright")


def share_at(cm):
    return FACE / (2 * cm * HALF)


def scene(r):
    """Truth of one scene: mostly good, with one or two things that are not."""
    t = {"cm": r.uniform(45, 75), "above": r.uniform(-6, 6), "aside": r.uniform(-10, 10), "roll": r.uniform(-6, 6), "x": r.uniform(.38, .62), "y": r.uniform(.4, .58), "light": "good", "turned": 0}
    for what in r.choice(["cm", "above", "aside", "roll", "x", "y", "light", "none"], size=1 + (r.random() < .3), replace=False):
        if what == "cm":
            t["cm"] = r.uniform(22, 26) if r.random() < .3 else r.uniform(92, 125)
        elif what == "above":
            t["above"] = r.uniform(19, 32) if r.random() < .7 else r.uniform(-32, -25)
        elif what == "aside":
            t["aside"] = r.choice([-1, 1]) * r.uniform(30, 42)
        elif what == "roll":
            t["roll"] = r.choice([-1, 1]) * r.uniform(20, 32)
        elif what == "x":
            t["x"] = .5 + r.choice([-1, 1]) * r.uniform(.3, .38)
        elif what == "y":
            t["y"] = r.uniform(.09, .13) if r.random() < .5 else r.uniform(.76, .8)
        elif what == "light":
            t["light"] = LIGHTS[3 + r.integers(3)]
    return t


def draw(head, person, r, t):
    lights = {"good": (mounting.FRONT, 1.05, 1.5), "dark": (mounting.FRONT, .1, 4), "window": ((mounting.NONE, .1), 1.05, 1.5), "bright": (mounting.FRONT, 4.2, 1.5)}
    (lit, exposure, noise) = lights[t["light"]]
    background = cv2.resize(demo.room(r), (W, H))
    if t["light"] == "window":
        background = background * .4 + .8
    width = W * share_at(t["cm"])
    angles = np.radians([t["aside"], t["above"], t["roll"]])
    img, _, _ = heads.view(head, person, np.zeros(len(head.names), np.float32), {}, heads.rotation(*angles), width * mounting.EYES,
                           (W * t["x"], H * t["y"]), (H, W), (*lit, .07), max(t["cm"], 30), background=background, exposure=exposure)
    img = img.astype(np.float32)
    return np.clip(img + r.normal(size=img.shape) * noise, 0, 255).astype(np.uint8)


def wanted(t):
    """(what must be said with its measure and how far off it may be, what may be said as well)."""
    must, may = {}, set()
    share = share_at(t["cm"])

    def judge(name, value, least, surely, measure=None, off=None):
        if value >= surely:
            must[name] = (measure, off)
        elif value > least:
            may.add(name)
    target = FACE / (2 * .2 * HALF)
    judge("closer", -share, -.15, -.12, t["cm"] - target, max(10, .25 * t["cm"]))
    judge("further", share, .4, .5, target - t["cm"], 15)
    judge("lower", t["above"], 7, 19, t["above"], 12)
    judge("higher", -t["above"], 14, 25, -t["above"] - 10, 14)
    for name, sign in (("move left", -1), ("move right", 1)):
        judge(name, sign * t["aside"], 16, 28, sign * t["aside"], 14)
    for name, sign in (("lean left", 1), ("lean right", -1)):  # a head drawn with a positive roll leans to the picture's left
        judge(name, sign * t["roll"], 11, 19, sign * t["roll"], 8)
    middle = t["y"] + .22 * share * W / H  # the scene has the eyes there
    for name, at, sign, span in (("turn left", t["x"], -1, 1), ("turn right", t["x"], 1, 1), ("tilt up", middle, -1, H / W), ("tilt down", middle, 1, H / W)):
        off = sign * (at - .5)
        judge(name, off, .19, .29, math.degrees(math.atan(2 * off * HALF * span)) if off > 0 else 0, 8)
    must.update({"dark": {"more light": (None, None)}, "window": {"front light": (None, None)}, "bright": {"less light": (None, None)}}.get(t["light"], {}))
    if t["light"] != "good":
        may |= {"more light", "front light", "less light"} - set(must) if t["light"] == "window" else set()
        may |= {"clean", "focus"}
    return must, may


def right(t, row):
    """Why what was said of a scene is wrong; empty: it is right."""
    said = {}
    for part in filter(None, row["advice"].split("; ")):
        name, value = part.rsplit(" ", 1)
        said[name] = float(value)
    if row["found"] != "true":  # the unit cannot know more than that, and whether it is dark
        return "" if set(said) <= {"face", "more light"} and "face" in said else f"said {said} without a face"
    must, may = wanted(t)
    if not must:
        may.add("good")
    for name, (measure, off) in must.items():
        if name not in said:
            return f"missing {name}"
        if measure is not None and abs(said[name] - measure) > off:
            return f"{name} {said[name]:.0f}, it is {measure:.0f}"
    wrong = set(said) - set(must) - may
    return f"wrongly {', '.join(sorted(wrong))}" if wrong else ""


def measure(root, data, work, scenes=500, log=print):
    cv2.setNumThreads(1)
    folder = os.path.join(work, "aim")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    head, truths = heads.Head(heads.default_path(data)), []
    for n in range(scenes):
        r = np.random.default_rng((FIRST, n))
        truths.append(scene(r))
        cv2.imwrite(os.path.join(folder, f"{n:03d}.jpg"), draw(head, head.person(FIRST + n), r, truths[-1]), [cv2.IMWRITE_JPEG_QUALITY, 90])
    told = subprocess.run(["go", "run", "./tools/finding", "-scenes", folder], cwd=root, check=True, stdout=subprocess.PIPE, text=True).stdout
    rows = list(csv.DictReader(told.splitlines()))
    faults, unfound = collections.Counter(), 0
    for t, row in zip(truths, rows, strict=True):
        unfound += row["found"] != "true"
        if why := right(t, row):
            faults[why.split(",")[0].rstrip("0123456789. ")] += 1
            log(f"{row['file']} {why}; said {row['advice']!r}; luma {row['luma']} pitch {row['pitch']} yaw {row['yaw']} width {row['width']}; "
                + " ".join(f"{k}={v if isinstance(v, (str, int)) else round(float(v), 2)}" for k, v in t.items()))
    bad = sum(faults.values())
    log(f"{scenes - bad} of {scenes} right ({100 * (scenes - bad) / scenes:.1f} %), {unfound} without a face found; {dict(faults)}")
