"""MediaPipe's face networks through LiteRT: BlazeFace short range, the 478 landmarks and
the 52 blendshapes (graphs and constants: mediapipe/modules/face_detection and
mediapipe/tasks/cc/vision/face_landmarker, Apache-2.0)."""

import os
import zipfile

import cv2
import numpy as np
from ai_edge_litert.interpreter import Interpreter

# 128x128 input; strides 8 (2 anchors a cell) and 16 (6 a cell), anchor size 1.
_ANCHORS = np.array([((x + .5) / g, (y + .5) / g) for g, n in ((16, 2), (8, 6)) for y in range(g) for x in range(g) for _ in range(n)], np.float32)

# The 146 of the 478 landmarks that the blendshape network reads
# (face_blendshapes_graph.cc, kLandmarksSubsetIdxs).
_SUBSET = np.array([
    0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65, 66, 67, 70, 78, 80,
    81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136, 144, 145, 146, 148, 149, 150, 152, 153, 154,
    155, 157, 158, 159, 160, 161, 162, 163, 168, 172, 173, 176, 178, 181, 185, 191, 195, 197, 234, 246, 249, 251, 263,
    267, 269, 270, 276, 282, 283, 284, 285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314, 317, 318, 321,
    323, 324, 332, 334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380, 381, 382, 384, 385, 386, 387,
    388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466, 468, 469, 470, 471, 472, 473, 474, 475, 476, 477])

BLENDSHAPES = (
    "_neutral browDownLeft browDownRight browInnerUp browOuterUpLeft browOuterUpRight cheekPuff cheekSquintLeft cheekSquintRight "
    "eyeBlinkLeft eyeBlinkRight eyeLookDownLeft eyeLookDownRight eyeLookInLeft eyeLookInRight eyeLookOutLeft eyeLookOutRight "
    "eyeLookUpLeft eyeLookUpRight eyeSquintLeft eyeSquintRight eyeWideLeft eyeWideRight jawForward jawLeft jawOpen jawRight "
    "mouthClose mouthDimpleLeft mouthDimpleRight mouthFrownLeft mouthFrownRight mouthFunnel mouthLeft mouthLowerDownLeft "
    "mouthLowerDownRight mouthPressLeft mouthPressRight mouthPucker mouthRight mouthRollLower mouthRollUpper mouthShrugLower "
    "mouthShrugUpper mouthSmileLeft mouthSmileRight mouthStretchLeft mouthStretchRight mouthUpperUpLeft mouthUpperUpRight "
    "noseSneerLeft noseSneerRight").split()


class _Net:
    def __init__(self, content, threads=1):
        self.it = Interpreter(model_content=content, num_threads=threads)
        self.it.allocate_tensors()
        self.input = self.it.get_input_details()[0]
        self.outputs = self.it.get_output_details()

    def __call__(self, x):
        self.it.set_tensor(self.input["index"], x)
        self.it.invoke()
        return [self.it.get_tensor(o["index"]) for o in self.outputs]


def _warp(img, m, n, border):
    out = cv2.warpAffine(img, m, (n, n), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=border)
    return np.repeat(out[:, :, None], 3, 2) if out.ndim == 2 else out


class Detector:
    """BlazeFace short range over a square window of the picture."""

    def __init__(self, content):
        self.net = _Net(content)

    def __call__(self, img, side=None, border=cv2.BORDER_CONSTANT, least=.5):
        """Best face as (score, box (x, y, w, h), six keypoints (6, 2)), or None. side: of the
        window around the middle, in pixels; the picture's longer side by default."""
        h, w = img.shape[:2]
        side = side or max(h, w)
        k = side / 128
        ox, oy = (w - side) / 2, (h - side) / 2
        m = np.array([[k, 0, ox + k / 2 - .5], [0, k, oy + k / 2 - .5]], np.float32)
        if k > 1.5 and side == max(h, w):
            s = 128 / side
            small = cv2.resize(img, None, fx=s, fy=s, interpolation=cv2.INTER_AREA)
            x = np.zeros((128, 128) + img.shape[2:], np.uint8)
            y0, x0 = (128 - small.shape[0]) // 2, (128 - small.shape[1]) // 2
            x[y0:y0 + small.shape[0], x0:x0 + small.shape[1]] = small
            x = np.repeat(x[:, :, None], 3, 2) if x.ndim == 2 else x
        else:
            x = _warp(img, m, 128, border)
        out = self.net((x.astype(np.float32) / 127.5 - 1)[None])
        box = next(o for o in out if o.shape[-1] == 16)[0]
        score = next(o for o in out if o.shape[-1] == 1)[0][:, 0]
        i = int(score.argmax())
        p = 1 / (1 + np.exp(-float(np.clip(score[i], -50, 50))))
        if p < least:
            return None
        # Mean over the anchors that agree, weighted by score: MediaPipe's weighted suppression.
        centre = box[:, :2] / 128 + _ANCHORS
        size = box[:, 2:4] / 128
        near = (score > 0) & (np.abs(centre - centre[i]).max(1) < .3 * size[i].max())
        near[i] = True
        wgt = 1 / (1 + np.exp(-np.clip(score[near], -50, 50)))
        wgt = wgt / wgt.sum()
        kp = (box[near, 4:].reshape(-1, 6, 2) / 128 + _ANCHORS[near][:, None]) * wgt[:, None, None]
        c, s = (centre[near] * wgt[:, None]).sum(0), (size[near] * wgt[:, None]).sum(0)
        shift = np.array([ox - .5, oy - .5])
        return p, np.concatenate([(c - s / 2) * side + shift, s * side]), kp.sum(0) * side + shift


class Landmarker:
    """478 landmarks and 52 blendshapes for a square region, turned by the eyes."""

    def __init__(self, task):
        z = zipfile.ZipFile(task)
        self.marks = _Net(z.read("face_landmarks_detector.tflite"))
        self.shapes = _Net(z.read("face_blendshapes.tflite"))

    def __call__(self, img, centre, side, angle):
        """Landmarks (478, 2) in picture pixels, presence 0..1, blendshapes (52)."""
        n = 256
        c, s = np.cos(angle) * side / n, np.sin(angle) * side / n
        m = np.array([[c, -s, centre[0] - (c - s) * n / 2], [s, c, centre[1] - (s + c) * n / 2]], np.float32)
        out = self.marks((_warp(img, m, n, cv2.BORDER_REPLICATE).astype(np.float32) / 255)[None])
        pts = next(o for o in out if o.size == 478 * 3).reshape(478, 3)[:, :2] @ m[:, :2].T + m[:, 2]
        logits = [float(o.ravel()[0]) for o in out if o.size == 1]
        presence = 1 / (1 + np.exp(-logits[0]))
        return pts, presence, self.shapes(pts[_SUBSET].astype(np.float32)[None])[0].ravel()

    @staticmethod
    def eyes(pts):
        """The middle of each eye's corners: the person's right, then left."""
        return np.array([(pts[33] + pts[133]) / 2, (pts[362] + pts[263]) / 2])

    @staticmethod
    def lip_gap(pts):
        """Inner-lip gap over the distance between the outer eye corners."""
        return float(np.linalg.norm(pts[13] - pts[14]) / np.linalg.norm(pts[33] - pts[263]))

    @staticmethod
    def brow_height(pts):
        """Inner brow above the eye line, over the distance between the outer eye corners."""
        d = pts[263] - pts[33]
        l = np.linalg.norm(d)
        normal = np.array([d[1], -d[0]]) / l
        eye = (pts[133] + pts[362]) / 2
        return float((((pts[55] + pts[285]) / 2) - eye) @ normal / l)

    @staticmethod
    def eye_open(pts):
        """Lid gap over eye width, mean of both eyes."""
        r = np.linalg.norm(pts[159] - pts[145]) / np.linalg.norm(pts[33] - pts[133])
        l = np.linalg.norm(pts[386] - pts[374]) / np.linalg.norm(pts[263] - pts[362])
        return float((r + l) / 2)


def detector_bytes(folder):
    """The short-range detector that make deps fetched into folder."""
    path = os.path.join(folder, "face_detection_short_range.tflite")
    if not os.path.exists(path):
        raise FileNotFoundError(f"{path}: run make deps")
    with open(path, "rb") as f:
        return f.read()
