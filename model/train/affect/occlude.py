"""What a worker wears and what a plant does to a picture, drawn over aligned crops.

Everything is placed in the face's own frame: origin between the eyes, x towards the
person's left eye, y towards the chin, unit the distance of the eyes. Opaque things add
to a cover map; the visibility labels are computed from it and are therefore exact:
a part counts as covered from 60% of its area, as visible up to 30%, between is unknown.
"""

import cv2
import numpy as np

MOUTH = (0., 1.08)
EYES = ((-.5, 0.), (.5, 0.))


class Canvas:
    """A square crop being drawn over. to_px: 2x3 matrix from the face's frame to crop pixels."""

    def __init__(self, img, to_px):
        self.img, self.m, self.size = img, to_px, len(img)
        self.unit = float(np.hypot(to_px[0, 0], to_px[1, 0]))
        self.cover = np.zeros((self.size, self.size), np.float32)

    def px(self, pts):
        p = np.asarray(pts, np.float32).reshape(-1, 2)
        return p @ self.m[:, :2].T + self.m[:, 2]

    def _mask(self, pts, soft):
        m = np.zeros((self.size, self.size), np.uint8)
        cv2.fillPoly(m, [np.round(self.px(pts) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
        if soft > 0:
            m = cv2.GaussianBlur(m, (0, 0), soft)
        return m.astype(np.float32) * np.float32(1 / 255)

    def paint(self, mask, tone, alpha=1., shade=None):
        a = mask * np.float32(alpha)
        t = tone if shade is None else tone * shade
        self.img += a * (t - self.img)
        np.maximum(self.cover, a, out=self.cover)

    def polygon(self, pts, tone, alpha=1., soft=.6, shade=None):
        self.paint(self._mask(pts, soft), tone, alpha, shade)

    def line(self, pts, width, tone, alpha=1., closed=False):
        m = np.zeros((self.size, self.size), np.uint8)
        cv2.polylines(m, [np.round(self.px(pts) * 16).astype(np.int32)], closed, 255, max(1, int(round(width * self.unit))), cv2.LINE_AA, 4)
        self.paint(m.astype(np.float32) * np.float32(1 / 255), tone, alpha)

    def covered(self, centre, half_w, half_h):
        c = self.px([centre])[0]
        x0, x1 = int(max(c[0] - half_w * self.unit, 0)), int(min(c[0] + half_w * self.unit + 1, self.size))
        y0, y1 = int(max(c[1] - half_h * self.unit, 0)), int(min(c[1] + half_h * self.unit + 1, self.size))
        if x1 <= x0 or y1 <= y0:
            return 0.
        return float(self.cover[y0:y1, x0:x1].mean())

    def visibility(self):
        """Targets for (eyes, mouth): 1, 0 or nan."""
        eyes = (self.covered(EYES[0], .26, .13) + self.covered(EYES[1], .26, .13)) / 2
        mouth = self.covered(MOUTH, .40, .20)
        return [0. if c >= .6 else 1. if c <= .3 else np.nan for c in (eyes, mouth)]


def ellipse(cx, cy, rx, ry, a0=0., a1=2 * np.pi, n=24):
    t = np.linspace(a0, a1, n)
    return np.stack([cx + rx * np.cos(t), cy + ry * np.sin(t)], 1)


def _texture(c, r, amp, n=None):
    return 1 + cv2.resize(r.normal(size=(n or int(r.integers(4, 24)),) * 2).astype(np.float32), (c.size, c.size), interpolation=cv2.INTER_LINEAR) * np.float32(amp)


def glasses(c, r, dark=None):
    """Safety glasses: clear, tinted, or dark enough to hide the eyes."""
    dark = r.random() < .35 if dark is None else dark
    alpha = r.uniform(.9, 1.) if dark else r.uniform(0, .28)
    tone = r.uniform(0, 70) if dark else r.uniform(60, 255)
    frame, dy = r.uniform(10, 240), r.uniform(-.08, .1)
    rx, ry, sep = r.uniform(.33, .5), r.uniform(.22, .36), r.uniform(.48, .55)
    for s in (-1, 1):
        lens = ellipse(s * sep, dy, rx, ry, n=20)
        if r.random() < .5:  # squarer lenses
            lens = np.stack([s * sep + rx * np.clip(np.cos(np.linspace(0, 6.28, 20)) * 1.4, -1, 1), dy + ry * np.clip(np.sin(np.linspace(0, 6.28, 20)) * 1.4, -1, 1)], 1)
        if alpha > .02:
            c.polygon(lens, tone, alpha, .4)
        if r.random() < .45:
            x = s * sep + r.uniform(-.2, .2)
            c.polygon([(x, dy - ry * .8), (x + .08, dy - ry * .8), (x - .1, dy + ry * .7), (x - .2, dy + ry * .7)], 255., r.uniform(.1, .5), 1.)
        if r.random() < .85:
            c.line(lens, r.uniform(.02, .09), frame, 1., True)
        c.line([(s * (sep + rx), dy), (s * 1.25, dy + r.uniform(-.05, .1))], r.uniform(.03, .12), frame)
    c.line([(-sep + rx, dy), (0, dy - .06), (sep - rx, dy)], r.uniform(.03, .08), frame)


def goggles(c, r, dark=None):
    """One wide lens with a broad frame and a strap."""
    dark, tone = r.random() < .3 if dark is None else dark, r.uniform(10, 240)
    lens = [(-.95, -.28), (-.5, -.42), (.5, -.42), (.95, -.28), (.95, .2), (.6, .4), (.2, .2), (-.2, .2), (-.6, .4), (-.95, .2)]
    c.polygon(lens, r.uniform(0, 60) if dark else r.uniform(120, 255), r.uniform(.9, 1) if dark else r.uniform(0, .28), .5)
    c.line(lens, r.uniform(.06, .16), tone, 1., True)
    for s in (-1, 1):
        c.line([(s * .95, -.05), (s * 1.5, -.05)], r.uniform(.1, .3), r.uniform(10, 240))


def mask(c, r):
    """Surgical mask, respirator or scarf over nose and mouth."""
    tone, top = r.uniform(20, 250), r.uniform(.36, .72)
    w, low = r.uniform(.78, 1.05), r.uniform(1.6, 2.1)
    shade = _texture(c, r, .06)
    pts = [(-w, top + .15), (-.3, top), (0, top - .06), (.3, top), (w, top + .15), (w * .9, low - .5), (.5, low), (-.5, low), (-w * .9, low - .5)]
    c.polygon(pts, tone, 1., .5, shade)
    if r.random() < .5:
        for y in np.linspace(top + .3, low - .3, int(r.integers(2, 5))):
            c.line([(-w * .85, y), (0, y + .06), (w * .85, y)], .02, tone * r.uniform(.6, .95), .7)
    if r.random() < .3:
        c.polygon(ellipse(r.uniform(-.3, .3), 1.15, .2, .2), r.uniform(20, 240), 1.)
    for s in (-1, 1):
        c.line([(s * w, top + .15), (s * 1.3, r.uniform(0, .3))], .03, tone)


def helmet(c, r, low=None):
    """Hard hat with a brim, rarely down to the brows, with its shadow."""
    brim = -r.uniform(.5, .95) if low is None else low
    tone, shade = r.uniform(60, 255), _texture(c, r, .03)
    s = c._mask([(-1.4, brim - .1), (1.4, brim - .1), (1.4, brim + r.uniform(.1, .6)), (-1.4, brim + r.uniform(.1, .6))], 3.)
    c.img *= 1 - s * np.float32(r.uniform(.1, .6))
    c.polygon(np.concatenate([ellipse(0, brim, 1.25, 1.5, np.pi, 2 * np.pi), [(1.3, brim + .05), (0, brim + .16), (-1.3, brim + .05)]]), tone, 1., .5, shade)
    c.line([(-1.35, brim + .02), (-.6, brim + .1), (0, brim + .14), (.6, brim + .1), (1.35, brim + .02)], r.uniform(.05, .14), tone * r.uniform(.5, 1.1))
    if r.random() < .3:  # chin strap
        t = r.uniform(20, 200)
        for k in (-1, 1):
            c.line([(k * 1.0, brim), (k * .95, .8), (k * .5, 1.75)], .05, t)


def defenders(c, r):
    tone = r.uniform(10, 250)
    for s in (-1, 1):
        c.polygon(ellipse(s * r.uniform(1.15, 1.35), .25, r.uniform(.22, .4), r.uniform(.4, .6)), tone, 1., .5, _texture(c, r, .05))
    if r.random() < .6:
        c.line(ellipse(0, .1, 1.3, 1.6, np.pi, 2 * np.pi), .12, tone)


def hand(c, r, at=None):
    """Fingers over some part of the face."""
    x, y = at if at is not None else (r.uniform(-.9, .9), r.uniform(-.7, 1.6))
    tone = float(np.clip(np.median(c.img[40:90, 30:80]) * r.uniform(.7, 1.25), 15, 245))
    a, shade = r.uniform(0, 2 * np.pi), _texture(c, r, .05)
    d, nrm = np.array([np.cos(a), np.sin(a)]), np.array([-np.sin(a), np.cos(a)])
    o = np.array([x, y])
    for i in range(4):
        base = o + nrm * (i - 1.5) * r.uniform(.19, .23)
        tip = base + d * r.uniform(.4, .8)
        p = np.stack([base - d * .9, base, tip])
        c.line(p, .2, tone * r.uniform(.85, 1.05))
        c.line(p + nrm * .1, .02, tone * .6, .7)
    c.polygon([o - d * .3 + nrm * .45, o - d * .3 - nrm * .45, o - d * 1.6 - nrm * .5, o - d * 1.6 + nrm * .5], tone, 1., .6, shade)


def hair(c, r):
    tone = r.uniform(5, 160)
    for _ in range(int(r.integers(3, 25))):
        x = r.uniform(-1.1, 1.1)
        y = r.uniform(-.4, .5)
        c.line([(x, -1.5), (x + r.normal() * .1, -.7), (x + r.normal() * .25, y)], r.uniform(.01, .05), tone * r.uniform(.6, 1.3), r.uniform(.4, 1))


def slab(c, r, at=None):
    """A plain thing in front: a tool, a cable, a sheet of paper, a coloured pane."""
    x, y = at if at is not None else (r.uniform(-.9, .9), r.uniform(-.6, 1.5))
    w, h, a = r.uniform(.15, .9), r.uniform(.1, .55), r.uniform(-.6, .6)
    p = np.array([(-w, -h), (w, -h), (w, h), (-w, h)]) @ np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]])
    c.polygon(p + (x, y), r.uniform(0, 255), 1., r.uniform(.3, 2), _texture(c, r, r.uniform(0, .3)))


def steam(c, r, strength=None):
    k = r.uniform(.2, .75) if strength is None else strength
    a = cv2.resize(r.random((int(r.integers(2, 6)),) * 2).astype(np.float32), (c.size, c.size), interpolation=cv2.INTER_CUBIC)
    a = np.clip(a * k * 1.3, 0, .95)
    c.img += a * (np.float32(r.uniform(170, 250)) - c.img)


def glare(c, r, strength=None):
    k = r.uniform(.3, 1.) if strength is None else strength
    for _ in range(int(r.integers(1, 6))):
        x, y = c.px([(r.uniform(-.9, .9), r.uniform(-1, 1.5))])[0]
        yy, xx = np.ogrid[0:c.size, 0:c.size]
        s = r.uniform(1.5, 9)
        c.img += np.float32(255 * k) * np.exp(-((xx - x) ** 2 + (yy - y) ** 2) / np.float32(2 * s * s))
    np.clip(c.img, 0, 255, out=c.img)


def flicker(c, r, strength=None):
    k = r.uniform(.08, .4) if strength is None else strength
    y = np.arange(c.size, dtype=np.float32)
    c.img *= (1 + np.float32(k) * np.sin(y * np.float32(2 * np.pi / r.uniform(15, 120)) + np.float32(r.uniform(0, 6.3))))[:, None]


def motion(c, r, length=None):
    n = length or int(r.integers(3, 10))
    a = r.uniform(0, np.pi)
    k = np.zeros((n | 1, n | 1), np.float32)
    m = (n | 1) // 2
    cv2.line(k, (int(round(m - m * np.cos(a))), int(round(m - m * np.sin(a)))), (int(round(m + m * np.cos(a))), int(round(m + m * np.sin(a)))), 1., 1)
    c.img[:] = cv2.filter2D(c.img, -1, k / k.sum(), borderType=cv2.BORDER_REPLICATE)


def dark(c, r, gain=None):
    g = r.uniform(.12, .45) if gain is None else gain
    c.img *= np.float32(g)
    c.img += r.normal(size=(c.size, c.size)).astype(np.float32) * np.float32(r.uniform(1, 5))
    np.clip(c.img, 0, 255, out=c.img)


def backlight(c, r, strength=None):
    k = r.uniform(.4, .85) if strength is None else strength
    m = c._mask(ellipse(0, .4, 1.15, 1.7), 5.)
    c.img *= 1 - m * np.float32(k)
    c.img += (1 - m) * (np.float32(r.uniform(200, 255)) - c.img) * np.float32(r.uniform(.5, 1))


WORN = (glasses, goggles, mask, helmet, defenders, hand, hair, slab)
PLANT = (steam, glare, flicker, motion, dark, backlight)


def worn(c, r):
    """One or more things the worker wears or holds."""
    k = r.random()
    if k < .22:
        glasses(c, r)
    elif k < .29:
        goggles(c, r)
    elif k < .49:
        mask(c, r)
        if r.random() < .4:
            glasses(c, r)
    elif k < .62:
        helmet(c, r)
        if r.random() < .4:
            glasses(c, r)
        if r.random() < .3:
            defenders(c, r)
    elif k < .67:
        defenders(c, r)
    elif k < .83:
        q = r.random()
        hand(c, r, (r.normal() * .15, 1.05 + r.normal() * .1) if q < .35 else (r.normal() * .15, r.normal() * .1) if q < .6 else None)
    elif k < .89:
        hair(c, r)
    else:
        q = r.random()
        slab(c, r, (r.normal() * .15, 1.05) if q < .3 else (r.normal() * .15, 0) if q < .6 else None)
