"""The unit's job in Python, as a careful programmer would write it with OpenCV
and LiteRT: same raw frames, same networks, same answers.

Each frame: is it frozen, is there light; the face (searched on the frames that
the schedule names, else where it was); its quality; aligned, through the
network; levels, filtered over time; two alarms with delays; a line of text when
one changes. Luma only where luma will do, one thread, no copy that can be left
out. Prints one line of JSON.
"""

import argparse
import json
import os
import zlib

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import cv2
import numpy as np
from ai_edge_litert.interpreter import Interpreter

from blazeface import BlazeFace
from frames import Frames, cpu, resident_mb

RIGHT_EYE, LEFT_EYE, NOSE, MOUTH = range(4)


class Affect:
    """The affect network and what its card says of it."""

    def __init__(self, card, path):
        self.net = Interpreter(model_path=path, num_threads=1)
        self.net.allocate_tensors()
        self.side = card["input"]["width"]
        t = card["input"]["template"]
        (rx, ry), (lx, ly) = t["right_eye"], t["left_eye"]
        self.right, self.vector = complex(rx, ry), complex(lx - rx, ly - ry)
        details = self.net.get_input_details()[0]
        self.input = details["index"]
        scale, zero = details["quantization"]
        mean, std = card["input"]["mean"][0], card["input"]["std"][0]
        grey = (np.arange(256) - mean) / std
        self.table = np.clip(np.round(grey / scale + zero), -128, 127).astype(np.int8).view(np.uint8)
        outputs = self.net.get_output_details()
        self.outputs = [(outputs[card["outputs"][k]["index"]]["index"], *outputs[card["outputs"][k]["index"]]["quantization"])
                        for k in ("expression", "valence_arousal", "action_units", "visibility")]
        parts = card["outputs"]["visibility"]["parts"]
        self.visible = np.array(card["outputs"]["visibility"]["thresholds"])
        units = card["outputs"]["action_units"]["units"]
        self.hidden = np.array([[u in card["regions"].get(p, []) for u in units] for p in parts])
        self.mirrored, self.last = False, None

    def align(self, yuyv, points):
        """The face's luma with the eyes where the template has them: blocks of
        whole pixels are averaged until a pixel is about as large as one of the
        network's, and then mapped bilinearly."""
        right, left = complex(*points[RIGHT_EYE]), complex(*points[LEFT_EYE])
        s = (left - right) / self.vector  # frame pixels for one of the network's
        o = right - s * self.right
        block = max(1, round(abs(s)))
        # Only the part of the frame that is needed, in whole blocks.
        n, (height, width) = self.side - 1, yuyv.shape[:2]
        corners = [o + s * complex(x, y) for x in (0, n) for y in (0, n)]
        x0 = max(int(min(c.real for c in corners)) - block, 0)
        y0 = max(int(min(c.imag for c in corners)) - block, 0)
        wide = (min(int(max(c.real for c in corners)) + 2 * block, width) - x0) // block
        high = (min(int(max(c.imag for c in corners)) + 2 * block, height) - y0) // block
        luma = cv2.extractChannel(yuyv[y0 : y0 + high * block, x0 : x0 + wide * block], 0)
        if block > 1:
            luma = cv2.resize(luma, (wide, high), interpolation=cv2.INTER_AREA)
        # Block k covers the pixels block*k to block*k+block-1 of the part.
        o = (o - complex(x0, y0) - complex(1, 1) * (block - 1) / 2) / block
        s /= block
        m = np.array([[s.real, -s.imag, o.real], [s.imag, s.real, o.imag]])
        return cv2.warpAffine(luma, m, (self.side, self.side), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE)

    def infer(self, luma, paired):
        """Levels: expressions, valence and arousal, action units, visibility. As on the unit every second
        face is read as in a mirror, and the mean of two is taken; paired: the face before was read too."""
        self.mirrored = paired and not self.mirrored
        if self.mirrored:
            luma = cv2.flip(luma, 1)
        self.net.set_tensor(self.input, cv2.LUT(luma, self.table).view(np.int8)[None, :, :, None])
        self.net.invoke()
        e, va, au, seen = ((self.net.get_tensor(i)[0].ravel().astype(np.float32) - zero) * scale for i, scale, zero in self.outputs)
        e = np.exp(e - e.max())
        now = np.concatenate([e / e.sum(), np.tanh(va), 1 / (1 + np.exp(-au)), 1 / (1 + np.exp(-seen))])
        levels, self.last = ((now + self.last) / 2 if paired else now.copy()), now
        covered = levels[-len(self.visible):] < self.visible
        if covered.any():
            levels[len(e) + 2 : len(e) + 2 + len(au)][self.hidden[covered].any(0)] = np.nan
        return levels


class Filter:
    """A causal box over the frames of a time, as fast as numpy allows."""

    def __init__(self, signals, frames):
        self.ring = np.full((frames, signals), np.nan, np.float32)
        self.n = 0

    def step(self, levels):
        self.ring[self.n % len(self.ring)] = levels
        self.n += 1
        return self.ring[: min(self.n, len(self.ring))].mean(0)


class Alarm:
    """A high limit with deadband and delays."""

    def __init__(self, signal, high, deadband, delay):
        self.signal, self.high, self.low, self.delay = signal, high, high - deadband, delay
        self.on, self.since = False, None

    def step(self, levels, at):
        """Whether it changed."""
        v = levels[self.signal]
        if v != v:
            return False
        if (v >= self.low if self.on else v < self.high):
            self.since = None
            return False
        self.since = at if self.since is None else self.since
        if at - self.since < self.delay:
            return False
        self.on, self.since = not self.on, None
        return True


def good(luma, box, points, width, height):
    """Whether the aligned face can be read."""
    mean, deviation = cv2.meanStdDev(luma)
    if not (25 <= mean[0, 0] <= 235 and deviation[0, 0] >= 10):
        return False
    sharp = cv2.meanStdDev(cv2.Laplacian(luma, cv2.CV_16S))[1][0, 0]
    if sharp < 0.1 * deviation[0, 0]:
        return False
    right, left = points[RIGHT_EYE], points[LEFT_EYE]
    across = left - right
    eyes = float(np.hypot(*across))
    roll = abs(np.degrees(np.arctan2(across[1], across[0])))
    turn = abs(float(np.dot(points[NOSE] - (right + left) / 2, across))) / eyes**2
    inside = box[0] > -0.1 * width and box[1] > -0.1 * height and box[2] < 1.1 * width and box[3] < 1.1 * height
    return eyes >= 16 and roll <= 35 and turn <= 0.5 and inside


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--frames", required=True)
    p.add_argument("--width", type=int, required=True)
    p.add_argument("--height", type=int, required=True)
    p.add_argument("--schedule", required=True, help="file with one byte a frame: 1, search for the face")
    p.add_argument("--every", action="store_true", help="search on every frame")
    p.add_argument("--warmup", type=int, required=True)
    p.add_argument("--detector", required=True)
    p.add_argument("--network", required=True)
    p.add_argument("--card", required=True)
    p.add_argument("--levels", help="write the unfiltered levels here, float32, a row a frame")
    o = p.parse_args()
    cv2.setNumThreads(1)
    frames = Frames(o.frames, o.width, o.height)
    with open(o.schedule, "rb") as f:
        schedule = f.read()
    with open(o.card) as f:
        card = json.load(f)
    detector, network = BlazeFace(o.detector), Affect(card, o.network)
    units = card["outputs"]["action_units"]["units"]
    first = len(card["outputs"]["expression"]["classes"]) + 2
    signals = first + len(units) + len(card["outputs"]["visibility"]["parts"])
    smooth = Filter(signals, 5)
    alarms = [Alarm(first + units.index(4), 0.7, 0.05, 1.0), Alarm(first + units.index(43), 0.6, 0.05, 1.0)]
    unknown = np.full(signals, np.nan, np.float32)
    kept = np.empty((len(schedule), signals), np.float32)
    line = open(os.devnull, "w", buffering=1)
    face, last, same, dark, began, detections, read = None, 0, 0, 0, 0.0, 0, False
    for n, search in enumerate(schedule):
        if n == o.warmup:
            began = cpu()
        at, yuyv = n / 15, frames[n]
        mark = zlib.crc32(yuyv[::60, ::16].tobytes())
        same, last = (same + 1 if mark == last else 0), mark
        if n % 4 == 0:
            mean, deviation = cv2.meanStdDev(np.ascontiguousarray(yuyv[::15, ::20, 0]))
            dark = 0 if 15 < mean[0, 0] < 245 and deviation[0, 0] > 3 else dark + 1
        if search or o.every or face is None:
            face = detector.detect(yuyv)
            detections += 1
        levels, before, read = unknown, read, False
        if face is not None and same < 30 and dark < 8:
            box, points = face
            luma = network.align(yuyv, points)
            if good(luma, box, points, o.width, o.height):
                levels, read = network.infer(luma, before), True
        kept[n] = levels
        filtered = smooth.step(levels)
        changed = [a.step(filtered, at) for a in alarms]
        if any(changed) or n % 15 == 0:
            line.write(f"{n} {at:.3f} {' '.join(str(int(a.on)) for a in alarms)} {filtered[first]:.3f}\n")
    spent = cpu() - began
    if o.levels:
        kept.tofile(o.levels)
    frames.drop()
    print(json.dumps({"cpu_ms": spent * 1000 / (len(schedule) - o.warmup), "rss_mb": resident_mb(), "detections": detections, "signals": signals}))


main()
