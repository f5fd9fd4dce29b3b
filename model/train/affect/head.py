"""ICT-FaceKit heads drawn by a z-buffer on the CPU, with exact action unit labels.

A label is the weight of the head's own shapes (AU_SHAPES); AU25 is the gap between
the inner lips of the deformed mesh. They are exact for the shapes, not certified FACS.
The mesh has no wrinkles: furrows that the action units are known to bring (FACS
manual: nasolabial furrow for 10 and 12, glabella lines for 4, crow's feet for 6 ...)
are painted onto the skin with a strength that differs from person to person.
"""

import os

import cv2
import numpy as np
from numba import njit

from . import AUS, EXPRESSIONS

AU_SHAPES = {
    1: ("browInnerUp",), 2: ("browOuterUp",), 4: ("browDown",), 6: ("cheekRaiser", "cheekSquint"),
    7: ("eyeSquint",), 9: ("noseSneer",), 10: ("mouthUpperUp",), 12: ("mouthSmile",),
    15: ("mouthFrown",), 23: ("mouthRollUpper", "mouthRollLower"), 24: ("mouthPress",),
    26: ("jawOpen",), 43: ("eyeBlink",),
}
# Expression prototypes as action units (EMFACS): chance of each unit.
PROTOTYPES = {
    "happiness": {6: .8, 12: 1, 25: .5}, "surprise": {1: .95, 2: .95, 26: .9, 25: 1},
    "sadness": {1: .9, 4: .7, 15: .9}, "anger": {4: 1, 7: .8, 23: .5, 24: .5},
    "disgust": {9: .9, 10: .7, 4: .3, 7: .3}, "fear": {1: .95, 2: .7, 4: .8, 25: .8, 26: .4},
}
SCALE = 12  # texels per head unit (about a centimetre) of the planar skin map
X0, Y1, X1, Y0 = -11.0, 15.0, 11.0, -13.0
MAP_W, MAP_H = int((X1 - X0) * SCALE), int((Y1 - Y0) * SCALE)
SKIN, BACK, GUMS, TEETH, LASHES = 0, 1, 2, 3, 11


def rotation(yaw, pitch, roll):
    cy, sy, cp, sp, cr, sr = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll)
    ry = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    rx = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    rz = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return (rz @ rx @ ry).astype(np.float32)


@njit(cache=True, fastmath=True, nogil=True)
def _raster(verts, rest, tri, mat, rot, cam, size_h, size_w, skin, tones, eye, hairline, lights, ambient, gloss):
    """cam: focal, principal x, y, target x, y, distance. Returns (h, w, 2): luminance and cover."""
    n = verts.shape[0]
    pos = np.empty((n, 3), np.float32)
    nor = np.zeros((n, 3), np.float32)
    for i in range(n):
        x = rot[0, 0] * verts[i, 0] + rot[0, 1] * verts[i, 1] + rot[0, 2] * verts[i, 2]
        y = rot[1, 0] * verts[i, 0] + rot[1, 1] * verts[i, 1] + rot[1, 2] * verts[i, 2]
        z = rot[2, 0] * verts[i, 0] + rot[2, 1] * verts[i, 1] + rot[2, 2] * verts[i, 2]
        d = cam[5] - z
        pos[i, 0] = cam[1] + cam[0] * (x - cam[3]) / d
        pos[i, 1] = cam[2] - cam[0] * (y - cam[4]) / d
        pos[i, 2] = d
    for t in range(tri.shape[0]):
        a, b, c = tri[t, 0], tri[t, 1], tri[t, 2]
        ux = verts[b, 0] - verts[a, 0]
        uy = verts[b, 1] - verts[a, 1]
        uz = verts[b, 2] - verts[a, 2]
        vx = verts[c, 0] - verts[a, 0]
        vy = verts[c, 1] - verts[a, 1]
        vz = verts[c, 2] - verts[a, 2]
        nx = uy * vz - uz * vy
        ny = uz * vx - ux * vz
        nz = ux * vy - uy * vx
        for q in (a, b, c):
            nor[q, 0] += nx
            nor[q, 1] += ny
            nor[q, 2] += nz
    for i in range(n):
        l = np.sqrt(nor[i, 0] ** 2 + nor[i, 1] ** 2 + nor[i, 2] ** 2) + np.float32(1e-9)
        x = (rot[0, 0] * nor[i, 0] + rot[0, 1] * nor[i, 1] + rot[0, 2] * nor[i, 2]) / l
        y = (rot[1, 0] * nor[i, 0] + rot[1, 1] * nor[i, 1] + rot[1, 2] * nor[i, 2]) / l
        z = (rot[2, 0] * nor[i, 0] + rot[2, 1] * nor[i, 1] + rot[2, 2] * nor[i, 2]) / l
        nor[i, 0] = x
        nor[i, 1] = y
        nor[i, 2] = z
    depth = np.full((size_h, size_w), np.float32(1e9), np.float32)
    hit = np.full((size_h, size_w), -1, np.int32)
    bary = np.zeros((size_h, size_w, 2), np.float32)
    for t in range(tri.shape[0]):
        a, b, c = tri[t, 0], tri[t, 1], tri[t, 2]
        xa, ya, xb, yb, xc, yc = pos[a, 0], pos[a, 1], pos[b, 0], pos[b, 1], pos[c, 0], pos[c, 1]
        area = (xb - xa) * (yc - ya) - (xc - xa) * (yb - ya)
        if area >= -1e-9:
            continue  # turned away (rows grow downwards)
        x_lo = max(int(np.ceil(min(xa, xb, xc))), 0)
        x_hi = min(int(max(xa, xb, xc)), size_w - 1)
        y_lo = max(int(np.ceil(min(ya, yb, yc))), 0)
        y_hi = min(int(max(ya, yb, yc)), size_h - 1)
        inv = 1 / area
        for y in range(y_lo, y_hi + 1):
            for x in range(x_lo, x_hi + 1):
                wb = ((x - xa) * (yc - ya) - (xc - xa) * (y - ya)) * inv
                wc = ((xb - xa) * (y - ya) - (x - xa) * (yb - ya)) * inv
                wa = 1 - wb - wc
                if wa < 0 or wb < 0 or wc < 0:
                    continue
                z = wa * pos[a, 2] + wb * pos[b, 2] + wc * pos[c, 2]
                if z < depth[y, x]:
                    depth[y, x] = z
                    hit[y, x] = t
                    bary[y, x, 0] = wb
                    bary[y, x, 1] = wc
    out = np.zeros((size_h, size_w, 2), np.float32)
    mh, mw = skin.shape
    for y in range(size_h):
        for x in range(size_w):
            t = hit[y, x]
            if t < 0:
                continue
            a, b, c = tri[t, 0], tri[t, 1], tri[t, 2]
            wb, wc = bary[y, x, 0], bary[y, x, 1]
            wa = 1 - wb - wc
            m = mat[t]
            nx = wa * nor[a, 0] + wb * nor[b, 0] + wc * nor[c, 0]
            ny = wa * nor[a, 1] + wb * nor[b, 1] + wc * nor[c, 1]
            nz = wa * nor[a, 2] + wb * nor[b, 2] + wc * nor[c, 2]
            l = np.sqrt(nx * nx + ny * ny + nz * nz) + np.float32(1e-9)
            nx /= l
            ny /= l
            nz /= l
            rx = wa * rest[a, 0] + wb * rest[b, 0] + wc * rest[c, 0]
            ry = wa * rest[a, 1] + wb * rest[b, 1] + wc * rest[c, 1]
            rz = wa * rest[a, 2] + wb * rest[b, 2] + wc * rest[c, 2]
            shine = np.float32(0)
            shade = np.float32(1)
            if m <= 1:
                fu = (rx + 11.0) * 12.0
                fv = (15.0 - ry) * 12.0
                iu = min(max(int(fu), 0), mw - 2)
                iv = min(max(int(fv), 0), mh - 2)
                du = min(max(fu - iu, 0.0), 1.0)
                dv = min(max(fv - iv, 0.0), 1.0)
                if m == 0 and rz > 2.5:
                    tone = (skin[iv, iu] * (1 - du) + skin[iv, iu + 1] * du) * (1 - dv) + (
                        skin[iv + 1, iu] * (1 - du) + skin[iv + 1, iu + 1] * du) * dv
                    shine = gloss
                else:
                    tone = tones[0]
                if hairline[4] > 0:
                    edge = hairline[0] - 0.05 * rx * rx * hairline[1] + 0.2 * np.sin(rx * 2.3 + hairline[3]) + 0.08 * np.sin(rx * 7.1)
                    depth_in = (ry - edge) + max(0.0, (5.5 - rz) * 0.9) * (1.0 if ry > -1 else 0.0)
                    if depth_in > 0 or (rz < 3.0 and ry > hairline[2]):
                        strand = 0.75 + 0.25 * np.sin(rx * 31.0 + 3.0 * np.sin(ry * 2.1)) * np.sin(rx * 13.0 + ry * 1.7)
                        tone = tones[1] * strand
                        shine = np.float32(0.02)
                if ry < -9.5 and hairline[5] > 0:  # clothing from the neck down
                    tone = hairline[5]
                    shine = np.float32(0)
                if m == 0 and rz < 9.0 and abs(rx) < 3.2 and ry < -2.0 and ry > -6.0:
                    shade = max(0.15, 1 - (9.0 - rz) * 0.35)
            elif m == GUMS:
                shade = max(0.12, 1 - (10.4 - rz) * 0.28)
                tone = np.float32(0.30)
                shine = np.float32(0.1)
            elif m == TEETH:
                shade = max(0.2, 1 - (10.6 - rz) * 0.22)
                tone = np.float32(0.80)
                shine = np.float32(0.15)
            elif m == LASHES:
                tone = tones[2]
            else:
                ex = 3.13 if rx > 0 else -3.13
                q = np.sqrt((rx - ex) ** 2 + (ry - 3.6) ** 2)
                if q < eye[1]:
                    tone = np.float32(0.03)
                elif q < eye[2]:
                    tone = eye[0] * (0.7 + 0.3 * (q - eye[1]) / (eye[2] - eye[1]))
                elif q < eye[2] + 0.05:
                    tone = eye[0] * 0.4
                else:
                    tone = np.float32(0.78)
                shine = np.float32(0.35)
                shade = np.float32(0.8)
            light = ambient * (0.75 + 0.25 * ny)
            spark = np.float32(0)
            for j in range(lights.shape[0]):
                dl = nx * lights[j, 0] + ny * lights[j, 1] + nz * lights[j, 2]
                dl = (dl + 0.15) / 1.15
                if dl > 0:
                    light += dl * lights[j, 3]
                hx, hy, hz = lights[j, 0], lights[j, 1], lights[j, 2] + 1
                s = (nx * hx + ny * hy + nz * hz) / (np.sqrt(hx * hx + hy * hy + hz * hz) + 1e-9)
                if s > 0 and shine > 0:
                    spark += shine * s ** 24 * lights[j, 3]
            out[y, x, 0] = tone * light * shade + spark
            out[y, x, 1] = 1
    return out


def _px(points):
    p = np.asarray(points, np.float32)
    return np.stack([(p[:, 0] - X0) * SCALE, (Y1 - p[:, 1]) * SCALE], 1)


def _stroke(lines, width, both=True):
    """A map, 0..1, of furrows: dark line with a light ridge on its lower side."""
    m = np.zeros((MAP_H, MAP_W), np.float32)
    for line in lines:
        for side in ((1, -1) if both else (1,)):
            p = _px([(x * side, y) for x, y in line])
            cv2.polylines(m, [np.round(p * 8).astype(np.int32)], False, 1.0, 1, cv2.LINE_AA, 3)
    dark = cv2.GaussianBlur(m, (0, 0), width * SCALE)
    dark /= max(float(dark.max()), 1e-6)
    ridge = np.roll(cv2.GaussianBlur(dark, (0, 0), width * SCALE), int(round(width * SCALE * 2)), 0)
    return dark - 0.5 * ridge


def _curve(points, r, wobble=.08):
    p = np.asarray(points, np.float32) + r.normal(size=(len(points), 2)) * wobble
    t = np.linspace(0, 1, 16)
    k = np.linspace(0, 1, len(p))
    return [(float(np.interp(a, k, p[:, 0])), float(np.interp(a, k, p[:, 1]))) for a in t]


class Head:
    """The parametric head; vertices that no drawn triangle uses are dropped."""

    def __init__(self, path):
        d = np.load(path)
        self.names = [str(x) for x in d["expression_name"]]
        self.index = {n: i for i, n in enumerate(self.names)}
        neutral = d["neutral"].astype(np.float32)
        tri, mat = d["triangles"], d["material"]
        use = np.isin(mat, (0, 1, 2, 3, 4, 5, 6, 7, LASHES))
        use &= ~((mat == LASHES) & (neutral[tri][:, :, 1].mean(1) < 3.45))
        use &= ~((mat <= 1) & (neutral[tri][:, :, 1].mean(1) < -18.5))
        used = np.unique(np.concatenate([tri[use].ravel(), d["landmark68"]]))
        back = np.full(len(neutral), -1, np.int32)
        back[used] = np.arange(len(used), dtype=np.int32)
        self.tri = np.ascontiguousarray(back[tri[use]])
        self.mat = mat[use].astype(np.int32)
        self.rest = np.ascontiguousarray(neutral[used])
        self.identity = d["identity"][:, used].astype(np.float32).reshape(100, -1)
        self.expression = d["expression"][:, used].astype(np.float32).reshape(len(self.names), -1)
        self.mark = back[d["landmark68"]]
        marks = neutral[d["landmark68"]]
        self._brow = np.minimum(self._distance(marks[17:22], False), self._distance(marks[22:27], False))
        self._lip = self._distance(marks[48:60], True)
        yy, xx = np.mgrid[0:MAP_H, 0:MAP_W].astype(np.float32)
        self._x, self._y = xx / SCALE + X0, Y1 - yy / SCALE

    @staticmethod
    def _distance(points, fill):
        m = np.full((MAP_H, MAP_W), 255, np.uint8)
        p = np.round(_px(points)).astype(np.int32)
        if fill:
            cv2.fillPoly(m, [p], 0)
        else:
            cv2.polylines(m, [p], False, 0, 1)
        return cv2.distanceTransform(m, cv2.DIST_L2, 5) / SCALE

    def sides(self, name):
        return [self.index[name]] if name in self.index else [self.index[name + "_L"], self.index[name + "_R"]]

    def person(self, seed):
        return Person(self, seed)

    def vertices(self, person, weights):
        on = np.nonzero(weights)[0]
        v = person.shape + weights[on] @ self.expression[on]
        return np.ascontiguousarray(v.reshape(-1, 3), np.float32)

    def eyes(self, verts):
        """Centres of the person's right and left eye: the middle of each eye's corners."""
        l = verts[self.mark]
        return (l[36] + l[39]) / 2, (l[42] + l[45]) / 2

    def lip_gap(self, verts):
        l = verts[self.mark]
        return float(np.mean(l[[61, 62, 63], 1] - l[[67, 66, 65], 1]))


class Person:
    """One made-up identity: shape, skin, furrows, eyes and hair, all from one seed."""

    def __init__(self, head, seed):
        r = np.random.default_rng(seed)
        self.coefficients = (r.normal(size=100) * .9).astype(np.float32)
        self.shape = head.rest.ravel() + self.coefficients @ head.identity
        tone = r.random()
        self.albedo = float(np.clip((.70 * (1 - tone) + .20 * tone) * (1 + r.normal() * .05), .08, .9))
        low = lambda n, amp: cv2.resize(r.normal(size=(n, n)).astype(np.float32), (MAP_W, MAP_H), interpolation=cv2.INTER_CUBIC) * amp
        x, y = np.abs(head._x), head._y
        blob = lambda cx, cy, sx, sy: np.exp(-((x - cx) / sx) ** 2 - ((y - cy) / sy) ** 2)
        a = self.albedo * (1 + low(8, .05) + low(30, .04) + low(90, .03))
        a *= 1 - blob(4.3, -.3, 1.9, 1.6) * r.uniform(0, .1)
        a *= 1 - blob(3.1, 3.7, 1.9, 1.1) * r.uniform(0, .3)
        a *= 1 - blob(.62, -1.12, .34, .2) * .75
        k = np.clip(1 - head._lip / .18, 0, 1) * r.uniform(.2, .9)
        a = a * (1 - k) + k * self.albedo * r.uniform(.45, .8)
        hair = float(np.array([.05, .10, .2, .36, .44])[r.integers(5)] * r.uniform(.7, 1.2))
        th, soft = r.uniform(.12, .45), r.uniform(.12, .3)
        k = np.clip(np.clip((th + soft - head._brow) / soft, 0, 1) * r.uniform(.4, 1) * (1 + low(60, .3)), 0, 1)
        a = a * (1 - k) + k * min(hair, self.albedo * .8)
        if r.random() < .35:
            beard = np.clip((-1.6 - y) / 1.2, 0, 1) * np.clip((6.6 - x) / 1.5, 0, 1) * np.clip((y + 11) / 2., 0, 1)
            beard = np.maximum(beard, blob(1.4, -2.0, 1.5, .5)) * np.clip((head._lip - .05) / .4, 0, 1)
            k = np.clip(beard * r.uniform(.15, .9) * (1 + low(60, .3)), 0, 1)
            a = a * (1 - k) + k * (hair * .8 + self.albedo * .15)
        a = a.astype(np.float32)
        if r.random() < .3:
            for _ in range(r.integers(1, 12)):
                cv2.circle(a, (int(r.integers(10, MAP_W - 10)), int(r.integers(15, MAP_H - 15))), 1, self.albedo * .6, -1)
        self.skin = np.clip(a, .01, 1)
        # pressed or rolled lips show less of their red
        self.lips = np.clip(1 - head._lip / .3, 0, 1)[:, :, None].astype(np.float32)[:, :, 0]
        self.lipless = self.albedo * r.uniform(.85, 1.)
        self._furrows(r)
        self.iris = np.array([np.array([.15, .09, .38, .36, .28])[r.integers(5)], r.uniform(.18, .32), r.uniform(.55, .68)], np.float32)
        self.tones = np.array([self.albedo, hair, self.albedo * r.uniform(.3, .75)], np.float32)
        self.hairline = np.array([r.uniform(7.5, 11.5), r.uniform(-.6, 1), r.uniform(-6, 6), r.uniform(0, 6),
                                  1. if r.random() < .85 else 0., r.uniform(.03, .9)], np.float32)

    def _furrows(self, r):
        c = lambda *p: _curve(p, r)
        w = lambda: r.uniform(.09, .18)
        self.furrow = {
            "nasolabial": _stroke([c((1.75, -.6), (2.5, -1.5), (3.2, -2.6), (3.4, -3.7))], w() * 1.4),
            "glabella": _stroke([c((.45, 4.5), (.55, 5.4), (.5, 6.4))] + ([c((1.1, 5.2), (1.2, 6.2))] if r.random() < .4 else []), w()),
            "forehead": _stroke([c((-3.2, 7.2 + k), (0, 7.0 + k), (3.2, 7.2 + k)) for k in np.arange(r.integers(2, 5)) * r.uniform(.6, .9)], w(), False),
            "temple": _stroke([c((3.0, 7.4 + k), (5.2, 7.0 + k)) for k in np.arange(3) * .7], w()),
            "crow": _stroke([c((5.0, 3.5), (6.3, 4.3)), c((5.1, 3.3), (6.5, 3.3)), c((5.0, 3.1), (6.2, 2.4))], w()),
            "lid": _stroke([c((1.9, 2.75), (3.1, 2.25), (4.6, 2.75))], w() * 1.3),
            "bridge": _stroke([c((-.7, 4.0), (0, 3.9), (.7, 4.0)), c((-.7, 3.5), (0, 3.4), (.7, 3.5))], w(), False)
            + _stroke([c((.7, 3.0), (1.5, 2.0)), c((.6, 2.5), (1.3, 1.5))], w()),
            "corner": _stroke([c((2.6, -3.5), (3.2, -4.2), (3.5, -5.2))], w()),
            "underlip": _stroke([c((-1.5, -5.0), (0, -5.2), (1.5, -5.0))], w() * 1.4, False),
            "lipline": _stroke([c((k, -2.0), (k, -2.7)) for k in (.3, .8, 1.3)] + [c((k, -4.6), (k, -5.0)) for k in (.4, 1.0)], w() * .7),
        }
        age = r.random() ** 2
        self.base = {k: age * r.uniform(0, .5) for k in self.furrow}
        self.gain = {k: 0. if r.random() < .07 else r.uniform(.5, 1.25) for k in self.furrow}

    def skin_at(self, au):
        """Skin with the furrows that the action units {unit: 0..1} bring."""
        g = lambda k: au.get(k, 0.)
        level = {
            "nasolabial": max(.8 * g(12), .9 * g(10), .7 * g(9), .4 * g(6)), "glabella": max(g(4), .4 * g(9)),
            "forehead": g(1) * (1 - .5 * g(4)), "temple": g(2), "crow": max(g(6), .25 * g(7)), "lid": max(g(7), .7 * g(6)),
            "bridge": g(9), "corner": g(15), "underlip": max(g(24), .5 * g(15)), "lipline": max(g(23), .5 * g(24)),
        }
        s = self.skin
        thin = .7 * max(g(24), .6 * g(23))
        if thin > .05:
            s = s + self.lips * np.float32(thin) * (self.lipless - s)
        shade = None
        for k, v in level.items():
            v = self.base[k] + self.gain[k] * v
            if v > .03:
                m = self.furrow[k] * np.float32(-.55 * v)
                shade = m if shade is None else shade + m
        return s if shade is None else np.clip(s * (1 + shade), .01, 1)


def draw_expression(head, r):
    """Random shape weights, their 14 action unit levels (AU25 still without geometry) and,
    where the draw was a pure prototype, the index of its expression, else -1."""
    w = np.zeros(len(head.names), np.float32)
    au = np.zeros(len(AUS), np.float32)
    lean = r.normal() * .12

    def put(name, v):
        s = head.sides(name)
        if len(s) == 1:
            w[s[0]] = np.clip(v, 0, 1)
        else:
            e = lean + r.normal() * .05
            w[s[0]], w[s[1]] = np.clip(v * (1 + e), 0, 1), np.clip(v * (1 - e), 0, 1)

    on, label, mode = set(), -1, r.random()
    strong = .35
    if mode < .13:
        label = 0
    elif mode < .45:
        name = list(PROTOTYPES)[r.integers(len(PROTOTYPES))]
        label = EXPRESSIONS.index(name)
        on = {k for k, p in PROTOTYPES[name].items() if r.random() < p}
        strong = .5
    else:
        p = {1: .28, 2: .28, 4: .3, 6: .28, 7: .3, 9: .22, 10: .22, 12: .25, 15: .25, 23: .22, 24: .25, 26: .28}
        on = {k for k, v in p.items() if r.random() < v}
    if label != 2 and r.random() < .18:
        on.add(43)
        if label > 1:
            label = -1
    if 26 in on or 25 in on:
        for k in (23, 24):
            on.discard(k)
    if 43 in on:
        on.discard(7)  # a closed lid shows no tightening
    for i, k in enumerate(AUS):
        if k == 25:
            continue
        v = r.uniform(strong, 1) if k in on else (0. if r.random() < .6 else r.uniform(0, .15))
        if k == 26:
            v *= .75 if k in on else .4
        if k == 43:
            v = r.uniform(.75, 1) if k in on else r.uniform(0, .3) * (r.random() < .4)
        au[i] = v
        for n in AU_SHAPES[k]:
            put(n, v * (r.uniform(.7, 1) if k in (6, 23) else 1.))

    def perhaps(name, chance, lo, hi):
        if r.random() < chance:
            put(name, r.uniform(lo, hi))

    calm = .4 if label >= 0 else 1.
    perhaps("eyeWide", (.5 if label in (2, 6) else .12 * calm) * (43 not in on), .2, .9)
    for n, c, hi in (("mouthPucker", .08, .8), ("mouthFunnel", .08, .7), ("cheekPuff", .05, .7), ("mouthStretch", .1, .7),
                     ("mouthDimple", .1, .7), ("jawForward", .06, .5), ("mouthShrugLower", .08, .7), ("mouthShrugUpper", .06, .6)):
        perhaps(n, c * calm, .15, hi)
    if 25 in on or r.random() < .1 * calm:
        put("mouthLowerDown", r.uniform(.3, 1))
        if r.random() < .3:
            put("jawOpen", max(float(w[head.index["jawOpen"]]), r.uniform(0, .15)))
    for pair in (("jawLeft", "jawRight"), ("mouthLeft", "mouthRight")):
        if r.random() < .08 * calm:
            w[head.index[pair[r.integers(2)]]] = r.uniform(.1, .5)
    gx, gy = r.normal() * .3, r.normal() * .25
    w[head.index["eyeLookIn_L"]] = w[head.index["eyeLookOut_R"]] = max(gx, 0)
    w[head.index["eyeLookOut_L"]] = w[head.index["eyeLookIn_R"]] = max(-gx, 0)
    for s in "LR":
        w[head.index["eyeLookUp_" + s]], w[head.index["eyeLookDown_" + s]] = max(gy, 0), max(-gy, 0)
    if 26 not in on and r.random() < .05:
        v = r.uniform(.1, .4)
        w[head.index["jawOpen"]], w[head.index["mouthClose"]] = v, v * .9
    return w, au, label


def lip_part(gap):
    """AU25 level of an inner-lip gap in head units; at rest the lips of the mesh leave 0.1."""
    return float(np.clip((gap - .1) / 1.0, 0, 1))


def backdrop(r, h, w):
    b = cv2.resize(r.normal(size=(int(r.integers(2, 8)),) * 2).astype(np.float32), (w, h), interpolation=cv2.INTER_CUBIC) * .2
    b += r.uniform(0, 1)
    for _ in range(r.integers(0, 6)):
        x, y, bw, bh = (int(v) for v in r.integers(0, max(h, w), 4))
        cv2.rectangle(b, (x, y), (x + bw, y + bh), float(r.uniform(0, 1)), -1)
    return cv2.GaussianBlur(b, (0, 0), r.uniform(.5, 5))


def view(head, person, weights, levels, rot, eye_px, centre, size, r_lights, distance, oversample=2, background=None, exposure=1., gamma=2.2):
    """One picture, uint8 (h, w), with the eyes eye_px pixels apart (as if seen from the front)
    and their middle at centre; also the two eye points. r_lights: (lights (n,4), ambient, gloss)."""
    verts = head.vertices(person, weights)
    h, w = size
    s = oversample
    front_r, front_l = head.eyes(person.shape.reshape(-1, 3))
    span = float(np.linalg.norm(front_l - front_r))
    er, el = (rot @ p for p in head.eyes(verts))
    mid = (er + el) / 2
    focal = s * eye_px / span * (distance - mid[2])
    cx, cy = (centre[0] + .5) * s - .5, (centre[1] + .5) * s - .5
    cam = np.array([focal, cx, cy, mid[0], mid[1], distance], np.float32)
    lights, ambient, gloss = r_lights
    out = _raster(verts, head.rest, head.tri, head.mat, rot, cam, h * s, w * s, person.skin_at(levels).astype(np.float32),
                  person.tones, person.iris, person.hairline, lights.astype(np.float32), np.float32(ambient), np.float32(gloss))
    if s > 1:
        out = cv2.resize(out, (w, h), interpolation=cv2.INTER_AREA)
    lum = out[:, :, 0] if background is None else out[:, :, 0] + background * (1 - out[:, :, 1])
    img = np.clip(lum * exposure, 0, 1) ** (1 / gamma)
    eyes = []
    for p in (er, el):
        d = distance - p[2]
        x, y = cx + focal * (p[0] - mid[0]) / d, cy - focal * (p[1] - mid[1]) / d
        eyes.append(((x + .5) / s - .5, (y + .5) / s - .5))
    return np.round(img * 255).astype(np.uint8), np.array(eyes, np.float32), verts


def draw_lights(r):
    n = int(r.integers(1, 4))
    d = r.normal(size=(n, 3))
    d[:, 2] = np.abs(d[:, 2]) + .25
    d /= np.linalg.norm(d, axis=1, keepdims=True)
    p = r.uniform(.3, 1., (n, 1))
    p *= .95 / max(p.sum(), .5)
    return np.concatenate([d, p], 1), r.uniform(.12, .5), r.uniform(.02, .3)


def shot(head, person, r, size=144, closed=None, paint=True):
    """A random picture of a person: uint8 (size, size), eyes (2, 2), the 14 levels, expression or -1.
    closed: how far the lids are down, 0..1, whatever else was drawn; paint: furrows and pressed lips."""
    w, au, label = draw_expression(head, r)
    if closed is not None:
        for name, v in (("eyeBlink", closed), ("eyeWide", 0.), ("eyeSquint", 0.)):
            w[head.sides(name)] = v
        au[AUS.index(43)], au[AUS.index(7)] = closed, 0.
    verts = head.vertices(person, w)
    au[AUS.index(25)] = lip_part(head.lip_gap(verts))
    rot = rotation(np.clip(r.normal() * .28, -.8, .8), np.clip(r.normal() * .16, -.45, .45), r.normal() * .1)
    eye = size * r.uniform(.30, .36)
    centre = (size * (.5 + r.normal() * .02), size * (.39 + r.normal() * .02))
    img, eyes, _ = view(head, person, w, dict(zip(AUS, au)) if paint else {}, rot, eye, centre, (size, size), draw_lights(r), r.uniform(35, 90),
                        background=backdrop(r, size, size), exposure=r.uniform(.8, 1.5), gamma=r.uniform(1.6, 2.4))
    return img, eyes, au, label


def default_path(data):
    return os.path.join(data, "ict-face.npz")
