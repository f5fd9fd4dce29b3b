"""What a user would pick today: emotiefflib 1.1.1 with its ONNX engine, on each
frame, after a face detector.

Its documentation shows facenet-pytorch's MTCNN as the detector, which needs
PyTorch. In its place stands BlazeFace, which costs a small part of that: the
figure is a lower bound. The model has EfficientNet-B0's architecture in the
layout of emotiefflib's files, and seeded random weights: the cost does not
depend on them. One thread. Prints one line of JSON.
"""

import argparse
import functools
import json
import os
import tempfile

import cv2
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from blazeface import BlazeFace
from frames import Frames, cpu, resident_mb

MODEL = "enet_b0_8_best_vgaf"

# EfficientNet-B0 (Tan and Le, 2019, table 1): expansion, channels, blocks, stride, kernel.
STAGES = ((1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3), (6, 112, 3, 1, 5), (6, 192, 4, 2, 5), (6, 320, 1, 1, 3))


class Graph:
    """An ONNX graph in the making, with batch normalisation folded into the
    convolutions, as an export for inference has it."""

    def __init__(self, seed):
        self.nodes, self.weights, self.random, self.n = [], [], np.random.default_rng(seed), 0

    def name(self):
        self.n += 1
        return f"t{self.n}"

    def weight(self, *shape):
        scale = np.sqrt(2 / max(np.prod(shape[1:]), 1)) if len(shape) > 1 else 0.01
        name = self.name()
        self.weights.append(numpy_helper.from_array((self.random.standard_normal(shape) * scale).astype(np.float32), name))
        return name

    def node(self, kind, *inputs, **attributes):
        out = self.name()
        self.nodes.append(helper.make_node(kind, list(inputs), [out], **attributes))
        return out

    def conv(self, x, cin, cout, kernel=1, stride=1, groups=1):
        w, b = self.weight(cout, cin // groups, kernel, kernel), self.weight(cout)
        return self.node("Conv", x, w, b, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[kernel // 2] * 4, group=groups)

    def silu(self, x):
        return self.node("Mul", x, self.node("Sigmoid", x))

    def block(self, x, cin, cout, expand, kernel, stride):
        wide, y = cin * expand, x
        if expand > 1:
            y = self.silu(self.conv(y, cin, wide))
        y = self.silu(self.conv(y, wide, wide, kernel, stride, wide))
        narrow = max(1, cin // 4)
        gate = self.silu(self.conv(self.node("GlobalAveragePool", y), wide, narrow))
        y = self.node("Mul", y, self.node("Sigmoid", self.conv(gate, narrow, wide)))
        y = self.conv(y, wide, cout)
        return self.node("Add", x, y) if stride == 1 and cin == cout else y


def efficientnet_b0(path, classes):
    """Writes the model: input NCHW with a dynamic batch, the last node a Gemm."""
    g = Graph(1)
    x, channels = g.silu(g.conv("input", 3, 32, 3, 2)), 32
    for expand, cout, blocks, stride, kernel in STAGES:
        for i in range(blocks):
            x = g.block(x, channels, cout, expand, kernel, stride if i == 0 else 1)
            channels = cout
    x = g.silu(g.conv(x, channels, 1280))
    x = g.node("Flatten", g.node("GlobalAveragePool", x))
    w, b = g.weight(classes, 1280), g.weight(classes)
    g.nodes.append(helper.make_node("Gemm", [x, w, b], ["output"], transB=1))
    side = helper.make_tensor_value_info
    graph = helper.make_graph(g.nodes, "efficientnet_b0", [side("input", TensorProto.FLOAT, ["b", 3, 224, 224])],
                              [side("output", TensorProto.FLOAT, ["b", classes])], g.weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--frames", required=True)
    p.add_argument("--width", type=int, required=True)
    p.add_argument("--height", type=int, required=True)
    p.add_argument("--count", type=int, required=True)
    p.add_argument("--warmup", type=int, required=True)
    p.add_argument("--detector", required=True)
    o = p.parse_args()
    cv2.setNumThreads(1)
    # One thread: its threads would spin while they wait.
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    onnxruntime.InferenceSession = functools.partial(onnxruntime.InferenceSession, sess_options=options)
    with tempfile.TemporaryDirectory() as home:
        os.environ["HOME"] = home  # where emotiefflib looks for its models
        os.mkdir(os.path.join(home, ".emotiefflib"))
        efficientnet_b0(os.path.join(home, ".emotiefflib", MODEL + ".onnx"), 8)
        from emotiefflib.facial_analysis import EmotiEffLibRecognizer

        recognizer = EmotiEffLibRecognizer(engine="onnx", model_name=MODEL, device="cpu")
    frames, detector = Frames(o.frames, o.width, o.height), BlazeFace(o.detector)
    began, read = 0.0, 0
    for n in range(o.warmup + o.count):
        if n == o.warmup:
            began, read = cpu(), 0
        yuyv = frames[n]
        face = detector.detect(yuyv)
        if face is None:
            continue
        x0, y0, x1, y1 = (int(max(v, 0)) for v in face[0])
        rgb = cv2.cvtColor(yuyv, cv2.COLOR_YUV2RGB_YUYV)
        _, scores = recognizer.predict_emotions(rgb[y0:y1, x0:x1], logits=False)
        if not np.isfinite(scores).all():
            raise RuntimeError(f"frame {n}: scores {scores}")
        read += 1
    spent = cpu() - began
    frames.drop()
    print(json.dumps({"cpu_ms": spent * 1000 / o.count, "rss_mb": resident_mb(), "read": read, "frames": o.count}))


main()
