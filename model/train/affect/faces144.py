"""faces144: real faces at 144 px with MediaPipe's blendshapes, split by person."""

import os
import zlib

import cv2
import numpy as np

from . import blaze

WORDS = {"neutral": 0, "happiness": 1, "surprise": 2, "sadness": 3, "anger": 4, "disgust": 5, "fear": 6, "contempt": 7}


def split_of(person):
    """0 training, 1 validation, 2 test: by a hash of the person's number, 80/10/10."""
    h = zlib.crc32(f"person {int(person)}".encode()) % 10
    return 2 if h == 0 else 1 if h == 1 else 0


def _inspect(job):
    images, keypoints, task = job
    cv2.setNumThreads(1)
    mark = blaze.Landmarker(task)
    gap, aperture, seen = (np.zeros(len(images), np.float32) for _ in range(3))
    for i, (im, k) in enumerate(zip(images, keypoints)):
        # the crop is 1.35 times the detector's box; the landmark network wants 1.5
        pts, seen[i], _ = mark(im, (72., 72.), 144 / 1.35 * 1.5, np.arctan2(k[1, 1] - k[0, 1], k[1, 0] - k[0, 0]))
        gap[i], aperture[i] = mark.lip_gap(pts), mark.eye_open(pts)
    return gap, aperture, seen


def _inspect_mirrored(job):
    images, keypoints, task = job
    cv2.setNumThreads(1)
    mark = blaze.Landmarker(task)
    blend, gap = np.zeros((len(images), 52), np.float32), np.zeros(len(images), np.float32)
    for i, (im, k) in enumerate(zip(images, keypoints)):
        right, left = ((im.shape[1] - 1 - x, y) for x, y in (k[1], k[0]))
        pts, _, blend[i] = mark(np.ascontiguousarray(im[:, ::-1]), (72., 72.), 144 / 1.35 * 1.5, np.arctan2(left[1] - right[1], left[0] - right[0]))
        gap[i] = mark.lip_gap(pts)
    return blend, gap


def mirror(work, data, pool, log=print):
    """Writes WORK/faces144-mirror.npz: what the teacher says of every picture's mirror, blend (in the
    mirror's own left and right) and gap. How far it differs is how far the teacher can be believed."""
    path = os.path.join(work, "faces144-mirror.npz")
    if os.path.exists(path):
        return path
    log("faces144: the teacher before a mirror")
    with np.load(os.path.join(work, "faces144.npz")) as d:
        images, kp = d["image"], d["keypoints"]
    task = os.path.join(data, "face_landmarker.task")
    parts = list(pool.map(_inspect_mirrored, [(im, k, task) for im, k in zip(np.array_split(images, 8), np.array_split(kp, 8))]))
    blend, gap = (np.concatenate(p) for p in zip(*parts))
    np.savez(path + ".part.npz", blend=blend, gap=gap)
    os.replace(path + ".part.npz", path)
    return path


def prepare(work, data, pool, log=print):
    """Writes WORK/faces144.npz: image, eyes, keypoints, blend, gap, presence, person, split, word."""
    path = os.path.join(work, "faces144.npz")
    if os.path.exists(path):
        return path
    log("faces144: pictures and lip gaps")
    d = np.load(os.path.join(data, "faces144.npz"))
    off, jpeg = d["offset"], d["jpeg"]
    images = np.stack([cv2.imdecode(jpeg[off[i]:off[i + 1]], cv2.IMREAD_GRAYSCALE) for i in range(len(off) - 1)])
    kp = d["keypoints"]
    task = os.path.join(data, "face_landmarker.task")
    parts = list(pool.map(_inspect, [(im, k, task) for im, k in zip(np.array_split(images, 8), np.array_split(kp, 8))]))
    gap, aperture, seen = (np.concatenate(p) for p in zip(*parts))
    word = np.array([WORDS.get(str(w).lower(), -1) for w in d["label"]])
    np.savez(path + ".part.npz", image=images, eyes=kp[:, :2].astype(np.float32), keypoints=kp, blend=d["blendshapes"].astype(np.float32), gap=gap,
             aperture=aperture, presence=np.minimum(d["presence"], seen), person=d["person"], split=np.array([split_of(p) for p in d["person"]]), word=word)
    os.replace(path + ".part.npz", path)
    return path
