"""Writes the small networks and cards of the tests beside this file.

Python 3.11 with tensorflow-cpu 2.21.0, keras 3.15.1, ai-edge-litert 2.3.0:
    python make_models.py

Weights are random from a fixed seed: the tests ask whether the firmware reads
a network as its card says, not whether the network says anything.
    full     int8, grey 24x24: all four outputs, as our own network has them
    bare     float32, RGB 20x28: expressions (probability, ABAW order) and
             arousal before valence (linear); no action units, no visibility
    joined   uint8, grey 24x24: one tensor of 10, 8 expressions then valence
             and arousal to be squeezed by tanh, as the paper's backbones
"""

import hashlib
import json
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

HERE = os.path.dirname(os.path.abspath(__file__))
L = keras.layers
UNITS = [1, 2, 4, 6, 7, 9, 10, 12, 15, 23, 24, 25, 26, 43]


def lcg(seed, n):
    """The bytes of tflite.Fill."""
    x, out = seed, np.empty(n, np.uint8)
    for i in range(n):
        x = (x * 1664525 + 1013904223) & 0xFFFFFFFF
        out[i] = x >> 24
    return out


def convert(shape, heads, kind):
    """A small network with one output a head: (size, activation, spread)."""
    keras.utils.set_random_seed(5)
    x = inp = keras.Input(shape, batch_size=1)
    x = L.Conv2D(8, 3, strides=2, padding="same", activation="relu6")(x)
    x = L.Conv2D(12, 3, strides=2, padding="same", activation="relu6")(x)
    x = L.AveragePooling2D((x.shape[1], x.shape[2]))(x)
    outs = []
    for n, activation, spread in heads:
        h = L.Conv2D(n, 1, kernel_initializer=keras.initializers.RandomNormal(0, spread), bias_initializer=keras.initializers.RandomNormal(0, 0.5))
        outs.append(L.Activation(activation)(L.Reshape((n,))(h(x))))
    model = keras.Model(inp, outs)
    serve = tf.function(lambda x: model(x, training=False))
    concrete = convert_variables_to_constants_v2(serve.get_concrete_function(tf.TensorSpec((1, *shape), tf.float32, name="face")))
    c = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
    if kind != tf.float32:
        rng = np.random.default_rng(5)

        def pictures():
            for level in np.linspace(0, 1, 24):
                yield [(rng.uniform(-1, 1, (1, *shape)) * level + (1 - level) * rng.uniform(-1, 1)).astype(np.float32)]

        c.optimizations = [tf.lite.Optimize.DEFAULT]
        c.representative_dataset = pictures
        c.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        c.inference_input_type = c.inference_output_type = kind
    return c.convert()


def answers(blob):
    it = Interpreter(model_content=blob, num_threads=1)
    it.allocate_tensors()
    i = it.get_input_details()[0]
    it.set_tensor(i["index"], lcg(1, int(np.prod(i["shape"]))).view(i["dtype"]).reshape(i["shape"]))
    it.invoke()
    return [it.get_tensor(o["index"]).ravel().astype(int).tolist() for o in it.get_output_details()]


def outputs_by_size(blob):
    it = Interpreter(model_content=blob, num_threads=1)
    return {int(o["shape"][1]): k for k, o in enumerate(it.get_output_details())}


def write(name, blob, card):
    card = {"schema": 1, "name": name, "version": "1", "file": name + ".tflite", "sha256": hashlib.sha256(blob).hexdigest(),
            "licence": "Apache-2.0", "description": "random weights, for tests", **card}
    open(os.path.join(HERE, name + ".tflite"), "wb").write(blob)
    with open(os.path.join(HERE, name + ".json"), "w") as f:
        json.dump(card, f, indent=1)
        f.write("\n")


def main():
    blob = convert((24, 24, 1), [(8, "linear", 4), (2, "tanh", 2), (14, "linear", 4), (3, "linear", 4)], tf.int8)
    at = outputs_by_size(blob)
    write("full", blob, {
        "input": {"index": 0, "width": 24, "height": 24, "channels": 1, "colour": "grey", "mean": [127.5], "std": [127.5],
                  "template": {"right_eye": [8.0, 9.5], "left_eye": [15.0, 9.5]}},
        "outputs": {
            "expression": {"index": at[8], "kind": "logits", "classes": ["neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt"]},
            "valence_arousal": {"index": at[2], "kind": "tanh", "order": ["valence", "arousal"], "derived": True},
            "action_units": {"index": at[14], "kind": "logits", "units": UNITS, "thresholds": [0.5, 0.4] + [0.5] * 12, "weak": [15, 23, 24]},
            "visibility": {"index": at[3], "kind": "logits", "parts": ["eyes", "mouth", "nose"], "thresholds": [0.5, 0.5, 0.5]}},
        "regions": {"eyes": [1, 2, 4, 6, 7, 9, 43], "mouth": [10, 12, 15, 23, 24, 25, 26]},
        "known_answer": {"input": "lcg:1", "outputs": answers(blob)},
        "data": [{"name": "none", "licence": "none", "note": "random weights"}],
        "scores": {"expression": {"accuracy": 0.125}}, "limits": ["not for any use"]})

    blob = convert((28, 20, 3), [(8, "softmax", 3), (2, "linear", 1)], tf.float32)
    at = outputs_by_size(blob)
    write("bare", blob, {
        "input": {"index": 0, "width": 20, "height": 28, "channels": 3, "colour": "rgb", "mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375],
                  "template": {"right_eye": [6.0, 10.0], "left_eye": [13.0, 10.0]}},
        "outputs": {
            "expression": {"index": at[8], "kind": "probability", "classes": ["neutral", "anger", "disgust", "fear", "happiness", "sadness", "surprise", "other"]},
            "valence_arousal": {"index": at[2], "kind": "linear", "order": ["arousal", "valence"], "derived": False}}})

    blob = convert((24, 24, 1), [(10, "linear", 3)], tf.uint8)
    write("joined", blob, {
        "input": {"index": 0, "width": 24, "height": 24, "channels": 1, "colour": "grey", "mean": [127.5], "std": [127.5],
                  "template": {"right_eye": [8.0, 9.5], "left_eye": [15.0, 9.5]}},
        "outputs": {
            "expression": {"index": 0, "kind": "logits", "classes": ["anger", "contempt", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"]},
            "valence_arousal": {"index": 0, "offset": 8, "kind": "raw", "order": ["valence", "arousal"], "derived": False}},
        "known_answer": {"input": "lcg:1", "outputs": answers(blob)}})


main()
