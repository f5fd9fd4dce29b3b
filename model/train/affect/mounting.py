"""Where a camera may be mounted: rendered heads before it, by size, pose, light, doing and gear, as the unit reads them.

Each picture goes through tools/finding -scenes, which is the unit's own way from picture to levels. The tables go to
docs/mounting.md by hand; no picture and no table made here is committed."""

import csv
import json
import os
import shutil
import subprocess

import cv2
import numpy as np

from . import demo, head as heads, occlude

FIRST = 710_000  # persons: seeds that no training, validation or test range holds
EYES = 6.3 / 15  # eye distance as a share of the face's width, of the mean head
WIDTH = 120  # of the face in pixels, where a row does not say otherwise
FRONT = (np.array([[.35, .45, .82, .70], [-.6, .2, .77, .22]]), .20)  # lights x, y, z, strength; ambient
SIDE = (np.array([[.95, .1, .3, .90]]), .06)
ABOVE = (np.array([[.05, .97, .25, .90]]), .08)
NONE = np.zeros((0, 4))
COVERED = ("eyes", "mouth")  # bits of the column covered
UNITS = {"au4": 4, "au12": 12, "au26": 26, "eyes_closed": 43}


def talking(r):
    """A moment of speech: jaw and lips between closed and an open vowel."""
    jaw = r.uniform(0, .45)
    w = {"jawOpen": jaw, "mouthLowerDown": r.uniform(0, .6), "mouthUpperUp": r.uniform(0, .25)}
    w[("mouthFunnel", "mouthPucker", "mouthStretch")[r.integers(3)]] = r.uniform(0, .6)
    return w


def down(r):
    return {"eyeLookDown": r.uniform(.8, 1)}


# (table, row, what differs from a neutral face, WIDTH pixels wide, that looks into the camera in light from the front)
SCENES = (
    *(("width of the face, px, in 640x480", str(w), {"width": w}) for w in (40, 50, 60, 70, 80, 100, 120, 160, 240, 320)),
    *(("width of the face, px, in 1280x720", str(w), {"width": w, "size": (720, 1280)}) for w in (40, 60, 80, 120, 240)),
    *(("head below (+) or above (-) the line to the camera, degrees", f"{p:+d}", {"pitch": p}) for p in (-45, -30, -20, -10, 0, 10, 15, 20, 25, 30, 45)),
    *(("head turned from the camera, degrees", str(p), {"yaw": p}) for p in (0, 15, 30, 35, 40, 50, 60)),
    ("head turned from the camera, degrees", "30, and 20 down", {"yaw": 30, "pitch": 20}),
    ("light", "from the front", {}),
    ("light", "from one side only", {"lights": SIDE}),
    ("light", "from above only", {"lights": ABOVE}),
    *(("light", f"window behind, face gets {k} of its light", {"lights": (NONE, k), "bright": True}) for k in (.3, .1, .03)),
    *(("light", f"dark: 1/{k} of the light, noise", {"exposure": 1.05 / k, "noise": 4}) for k in (4, 10, 30, 100)),
    *(("light", f"{k} times too much", {"exposure": 1.05 * k}) for k in (2, 4)),
    *(("sharpness", f"out of focus, blur of {k} px (sigma)", {"focus": k}) for k in (1, 2, 3, 4)),
    *(("sharpness", f"moves {k} px in one exposure", {"moved": k}) for k in (6, 12, 24)),
    ("doing", "neutral, looks into the camera", {}),
    ("doing", "eyes cast down, head straight", {"shapes": down}),
    ("doing", "eyes cast down, head 15 down", {"shapes": down, "pitch": 15}),
    ("doing", "eyes cast down, head 30 down", {"shapes": down, "pitch": 30}),
    ("doing", "head 15 down, eyes up to the camera", {"shapes": {"eyeLookUp": .5}, "pitch": 15}),
    ("doing", "lids narrowed against light", {"shapes": {"eyeSquint": .8}}),
    ("doing", "talking", {"shapes": talking}),
    ("doing", "yawning, eyes open", {"shapes": {"jawOpen": 1, "mouthStretch": .2}}),
    ("doing", "yawning, eyes nearly closed", {"shapes": {"jawOpen": 1, "eyeBlink": .7, "browDown": .3}}),
    ("doing", "eyes closed", {"shapes": {"eyeBlink": 1}}),
    ("doing", "brows lowered", {"shapes": {"browDown": 1}, "levels": {4: 1.}}),
    ("doing", "smile", {"shapes": {"mouthSmile": .9, "cheekSquint": .5}, "levels": {12: .9, 6: .5}}),
    ("gear", "none", {}),
    ("gear", "clear safety glasses", {"wears": lambda c, r: occlude.glasses(c, r, False)}),
    ("gear", "clear safety glasses, eyes cast down", {"wears": lambda c, r: occlude.glasses(c, r, False), "shapes": down}),
    ("gear", "dark safety glasses", {"wears": lambda c, r: occlude.glasses(c, r, True)}),
    ("gear", "clear goggles", {"wears": lambda c, r: occlude.goggles(c, r, False)}),
    ("gear", "dark goggles", {"wears": lambda c, r: occlude.goggles(c, r, True)}),
    ("gear", "mask", {"wears": occlude.mask}),
    ("gear", "mask and clear goggles", {"wears": lambda c, r: (occlude.mask(c, r), occlude.goggles(c, r, False))}),
    ("gear", "helmet", {"wears": occlude.helmet}),
    ("gear", "helmet down to the brows", {"wears": lambda c, r: occlude.helmet(c, r, -.3)}),
    ("gear", "ear defenders", {"wears": occlude.defenders}),
    *(("eyes cast down, and the camera", k, {"shapes": down, **what}) for k, what in (
        ("20 above where the face points", {"pitch": 20}), ("where it points", {}), ("10 below", {"pitch": -10}), ("20 below", {"pitch": -20}),
        ("15 above and 25 beside", {"pitch": 15, "yaw": 25}), ("25 beside", {"yaw": 25}))),
)


def picture(head, person, r, width=WIDTH, size=(480, 640), yaw=0., pitch=0., shapes=None, levels=None, lights=FRONT,
            exposure=1.05, noise=1.5, bright=False, focus=0, moved=0, wears=None):
    """One picture, uint8 (h, w), of a person; angles in degrees, pitch positive: the camera sees the head from above."""
    h, w = size
    weights = np.zeros(len(head.names), np.float32)
    for name, v in (shapes(r) if callable(shapes) else shapes or {}).items():
        weights[head.sides(name)] = v
    sign = 1 if r.random() < .5 else -1
    angles = np.radians([sign * yaw + r.normal() * 3, pitch + r.normal() * 2, r.normal() * 2])
    background = cv2.resize(demo.room(r), (w, h))
    if bright:
        background = background * .4 + .8
    middle = (w / 2, h * .45)
    img, eyes, _ = heads.view(head, person, weights, levels or {}, heads.rotation(*angles), width * EYES, middle, size, (*lights, .07), 75,
                              background=background, exposure=exposure)
    img = img.astype(np.float32)
    if wears:
        side = int(width * EYES * 6)
        (x0, y0), d = (int(v - side / 2) for v in middle), eyes[1] - eyes[0]
        c = eyes.mean(0) - (x0, y0)
        part = occlude.Canvas(img[y0:y0 + side, x0:x0 + side].copy(), np.array([[d[0], -d[1], c[0]], [d[1], d[0], c[1]]]))
        wears(part, r)
        img[y0:y0 + side, x0:x0 + side] = part.img
    if focus:
        img = cv2.GaussianBlur(img, (0, 0), focus)
    if moved:
        img = cv2.blur(img, (moved, 1))
    return np.clip(img + r.normal(size=img.shape) * noise, 0, 255).astype(np.uint8)


def make(data, folder, persons, log=print):
    """Draws every scene with every person into folder: SCENE-PERSON.jpg. Returns the persons with the darker half of skins."""
    cv2.setNumThreads(1)
    head, tones = heads.Head(heads.default_path(data)), []
    for p in range(persons):
        person = head.person(FIRST + p)
        tones.append(person.albedo)
        for i, (_, _, what) in enumerate(SCENES):
            img = picture(head, person, np.random.default_rng((FIRST + p, i)), **what)
            cv2.imwrite(os.path.join(folder, f"{i:03d}-{p:03d}.jpg"), img, [cv2.IMWRITE_JPEG_QUALITY, 90])
    log(f"{len(SCENES) * persons} pictures")
    return set(np.argsort(tones)[:persons // 2].tolist())


def table(rows, limits, dark=frozenset()):
    """Markdown of what tools/finding wrote; box, yaw (its size), pitch and luma: medians of found faces, as the unit estimates them. Shares of levels are of the faces that were read with the unit known;
    dark: persons whose readings are told apart."""
    of = [[] for _ in SCENES]
    for row in rows:
        of[int(row["file"][:3])].append(row)
    share = lambda part, whole: f"{len(part)} of {len(whole)}"
    lines, last = [], None
    for (title, name, _), cell in zip(SCENES, of):
        if title != last:
            last = title
            lines += ["", f"| {title} | found | read | of them darker skin | why not | box, px | yaw, pitch | luma | eyes, mouth covered | " + " | ".join(limits) + " |",
                      "|" + "---|" * (9 + len(limits))]
        found, read = [r for r in cell if r["found"] == "true"], [r for r in cell if not r["reason"]]
        reasons = [r["reason"] for r in cell if r["reason"]]
        why = ", ".join(f"{k} {reasons.count(k)}" for k in sorted(set(reasons), key=reasons.count, reverse=True)) or "–"
        middle = lambda k, take=float: f"{np.median([take(float(r[k])) for r in found]):.0f}" if found else "–"
        covered = ", ".join(str(sum(int(r["covered"]) >> b & 1 for r in read)) for b in range(len(COVERED)))
        called = []
        for unit, limit in limits.items():
            known = [r for r in read if r[unit]]
            called.append(share([r for r in known if float(r[unit]) >= limit], known))
        lines.append(f"| {name} | {share(found, cell)} | {share(read, cell)} | {sum(int(r['file'][4:7]) in dark for r in read)} | {why} | {middle('width')} | {middle('yaw', abs)}, {middle('pitch')} | {middle('luma')} | {covered} | " + " | ".join(called) + " |")
    return "\n".join(lines)


def measure(root, data, work, assets, persons=40, log=print):
    folder = os.path.join(work, "mounting")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    dark = make(data, folder, persons, log)
    with open(os.path.join(assets, "affect.json")) as f:
        units = json.load(f)["outputs"]["action_units"]
    limits = {name: units["thresholds"][units["units"].index(u)] for name, u in UNITS.items()}
    told = subprocess.run(["go", "run", "./tools/finding", "-scenes", folder], cwd=root, check=True, stdout=subprocess.PIPE, text=True).stdout
    with open(os.path.join(folder, "read.csv"), "w") as f:
        f.write(told)
    log(f"{persons} persons; limits {limits}")
    log(table(list(csv.DictReader(told.splitlines())), limits, dark))
