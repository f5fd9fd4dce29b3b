"""BlazeFace short range by LiteRT and OpenCV: the face detector of both peers."""

import cv2
import numpy as np
from ai_edge_litert.interpreter import Interpreter

SIDE = 128
MIN_SCORE = 0.5
SUPPRESSION = 0.3


def anchors():
    """Anchor centres in input pixels: 2 a cell at stride 8, 6 at stride 16."""
    out = []
    for stride, each in ((8, 2), (16, 6)):
        at = (np.arange(SIDE // stride) + 0.5) * stride
        y, x = np.meshgrid(at, at, indexing="ij")
        out.append(np.repeat(np.stack([x, y], -1).reshape(-1, 2), each, axis=0))
    return np.concatenate(out).astype(np.float32)


class BlazeFace:
    """Finds the largest face of an RGB-convertible YUYV frame."""

    def __init__(self, path):
        self.net = Interpreter(model_path=path, num_threads=1)
        self.net.allocate_tensors()
        self.input = self.net.get_input_details()[0]["index"]
        outputs = self.net.get_output_details()
        self.boxes = next(o["index"] for o in outputs if o["shape"][-1] == 16)
        self.scores = next(o["index"] for o in outputs if o["shape"][-1] == 1)
        self.anchors = anchors()
        self.min_logit = float(np.log(MIN_SCORE / (1 - MIN_SCORE)))
        self.tensor = np.zeros((1, SIDE, SIDE, 3), np.float32)

    def detect(self, yuyv):
        """The largest face of a frame (height, width, 2) as (box, keypoints), in
        pixel indices (the first pixel's centre is 0), or None."""
        height, width = yuyv.shape[:2]
        scale = max(width, height) / SIDE
        w, h = round(width / scale), round(height / scale)
        left, top = (SIDE - w) // 2, (SIDE - h) // 2
        rgb = cv2.cvtColor(yuyv, cv2.COLOR_YUV2RGB_YUYV)
        small = cv2.resize(rgb, (w, h), interpolation=cv2.INTER_AREA)
        self.tensor.fill(-1.0)  # black beyond the picture
        part = self.tensor[0, top : top + h, left : left + w]
        np.multiply(small, np.float32(1 / 127.5), out=part)
        part -= 1
        self.net.set_tensor(self.input, self.tensor)
        self.net.invoke()
        scores = self.net.get_tensor(self.scores)[0, :, 0]
        found = np.flatnonzero(scores >= self.min_logit)
        if not len(found):
            return None
        raw, at = self.net.get_tensor(self.boxes)[0][found], self.anchors[found]
        points = raw.reshape(-1, 8, 2).copy()
        points[:, 0] += at
        points[:, 2:] += at[:, None]
        faces = merge(points, 1 / (1 + np.exp(-np.clip(scores[found], -100, 100))))
        best = max(faces, key=lambda p: p[1, 0] * p[1, 1])
        best[[0, 2, 3, 4, 5, 6, 7]] -= (left, top)
        best *= scale
        best[[0, 2, 3, 4, 5, 6, 7]] -= 0.5
        centre, size = best[0], best[1]
        return np.concatenate([centre - size / 2, centre + size / 2]), best[2:]


def merge(points, scores):
    """Overlapping candidates become their mean, weighted by score. points are
    centre, size and six keypoints."""
    faces = []
    left = np.argsort(-scores, kind="stable")
    low, high = points[:, 0] - points[:, 1] / 2, points[:, 0] + points[:, 1] / 2
    area = points[:, 1].prod(1)
    while len(left):
        best = left[0]
        both = np.clip(np.minimum(high[best], high[left]) - np.maximum(low[best], low[left]), 0, None).prod(1)
        same = both > SUPPRESSION * (area[best] + area[left] - both)
        same[0] = True
        group = left[same]
        faces.append(np.average(points[group], axis=0, weights=scores[group]))
        left = left[~same]
    return faces
