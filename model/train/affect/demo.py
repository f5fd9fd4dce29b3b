"""The demo clip: one rendered person before a camera, as motion JPEG, with what happens when."""

import json
import os

import cv2
import numpy as np

from . import AUS, head as heads

FPS, WIDTH, HEIGHT = 15, 640, 480
PERSON = 701_013  # a seed that no training, validation or test range holds
QUALITY = 50

# (name, start s, end s, {shape or unit: strength}); each comes and goes within 0.3 s.
EVENTS = (
    ("neutral", 0.0, 2.5, {}),
    ("frown", 2.5, 6.5, {4: 1.0, 7: .35, 24: .3}),
    ("neutral", 6.5, 8.0, {}),
    ("smile", 8.0, 11.0, {12: .95, 6: .7, 25: .35}),
    ("neutral", 11.0, 12.0, {}),
    ("eyes closed", 12.0, 15.0, {43: 1.0}),
    ("neutral", 15.0, 16.0, {}),
    ("surprise", 16.0, 18.0, {1: .9, 2: .9, 26: .7, "eyeWide": .8}),
    ("neutral", 18.0, 19.0, {}),
    ("away", 19.4, 21.4, None),
    ("neutral", 22.0, 24.0, {}),
)
DURATION = 24.0
LEAVES, GONE, BACK, RETURNED = 19.0, 19.5, 21.4, 22.0


def _level(t, start, end, ramp=.3):
    return float(np.clip(min((t - start) / ramp, (end - t) / ramp), 0, 1))


def weights_at(head, t):
    w = np.zeros(len(head.names), np.float32)
    au = {}

    def put(name, v):
        for i in head.sides(name):
            w[i] = max(w[i], v)

    for _, start, end, on in EVENTS:
        k = _level(t, start, end)
        if not on or k <= 0:
            continue
        for what, v in on.items():
            if what == 25:
                put("mouthLowerDown", v * k)
                put("mouthUpperUp", v * k * .4)
            elif isinstance(what, int):
                au[what] = max(au.get(what, 0), v * k)
                for n in heads.AU_SHAPES[what]:
                    put(n, v * k)
            else:
                put(what, v * k)
    for at in (1.3, 7.3, 11.5, 18.5, 23.0):  # an ordinary blink of 0.2 s
        put("eyeBlink", float(np.clip(1 - abs(t - at) / .1, 0, 1)))
    return w, au


def pose_at(t):
    yaw = .10 * np.sin(.55 * t) + .03 * np.sin(1.7 * t + 1)
    pitch = .04 * np.sin(.8 * t + .5)
    roll = .03 * np.sin(.45 * t + 2)
    x = WIDTH / 2 + 18 * np.sin(.5 * t) + 3 * np.sin(2.1 * t)
    y = 215 + 6 * np.sin(.7 * t + 1)
    if LEAVES < t < GONE + .5:
        x += ((t - LEAVES) / .5) ** 2 * 600
    if BACK - .1 < t < RETURNED:
        x -= ((RETURNED - t) / .6) ** 2 * 600
    return yaw, pitch, roll, x, y


def room(rng):
    """A still, blurred workshop: wall, shelf, window, machine."""
    b = np.full((HEIGHT, WIDTH), .34, np.float32)
    b += np.linspace(.10, -.08, HEIGHT, dtype=np.float32)[:, None]
    for x, y, w, h, v in ((30, 40, 150, 190, .62), (470, 60, 150, 20, .22), (470, 150, 150, 16, .22), (490, 85, 40, 65, .48), (545, 100, 30, 50, .28),
                          (0, 330, 170, 150, .24), (500, 300, 140, 180, .27), (520, 330, 60, 40, .5), (200, 0, 8, 480, .29)):
        cv2.rectangle(b, (x, y), (x + w, y + h), v, -1)
    return np.clip(cv2.GaussianBlur(b, (0, 0), 5) + rng.normal(size=b.shape).astype(np.float32) * .002, 0, 1)


def frames(head, seed=PERSON, step=1):
    """(time, picture uint8 (480, 640), present) for each frame."""
    rng = np.random.default_rng(7)
    person = head.person(seed)
    person.hairline[5] = .16  # dark working clothes
    background = room(rng)
    lights = (np.array([[.35, .45, .82, .70], [-.6, .2, .77, .22]]), .20, .07)
    for i in range(0, int(DURATION * FPS), step):
        t = i / FPS
        yaw, pitch, roll, x, y = pose_at(t)
        if GONE <= t < BACK:
            img = np.round(np.clip(background * 1.05, 0, 1) ** (1 / 2.2) * 255).astype(np.uint8)
            present = False
        else:
            w, au = weights_at(head, t)
            img, _, _ = heads.view(head, person, w, au, heads.rotation(yaw, pitch, roll), 92, (x, y), (HEIGHT, WIDTH), lights, 75,
                                   background=background, exposure=1.05)
            present = -40 < x - WIDTH / 2 < 40
        noise = rng.normal(size=img.shape).astype(np.float32) * .5
        yield t, np.clip(img + noise, 0, 255).astype(np.uint8), present


def make(data, clip, sidecar, log=print):
    cv2.setNumThreads(1)
    head = heads.Head(heads.default_path(data))
    size = n = 0
    with open(clip, "wb") as f:
        for _, img, _ in frames(head):
            ok, jpg = cv2.imencode(".jpg", img, [cv2.IMWRITE_JPEG_QUALITY, QUALITY, cv2.IMWRITE_JPEG_OPTIMIZE, 1])
            assert ok
            f.write(jpg.tobytes())
            size, n = size + len(jpg), n + 1
    with open(sidecar, "w") as f:
        json.dump({
            "file": os.path.basename(clip), "width": WIDTH, "height": HEIGHT, "fps": FPS, "frames": n, "seconds": DURATION,
            "format": "motion JPEG: baseline JPEG pictures one after the other, grey",
            "origin": "Rendered by model/train (affect/demo.py) from the ICT-FaceKit head model, 2020 USC Institute for Creative Technologies, MIT licence. No real person.",
            "events": [{"name": e[0], "start": e[1], "end": e[2], "action_units": sorted(k for k in (e[3] or {}) if isinstance(k, int))} for e in EVENTS],
            "leaving": [LEAVES, GONE], "returning": [BACK, RETURNED],
            "blinks": [1.3, 7.3, 11.5, 18.5, 23.0],
        }, f, indent=1)
        f.write("\n")
    log(f"{clip}: {n} frames, {size / 1e6:.2f} MB")
