import hashlib
import json
import os

import numpy as np
import pytest

from affect import AUS, blaze, export, net, watch
from affect.align import crop

ASSETS = os.path.join(os.path.dirname(__file__), "..", "..", "assets")
DEPS = os.path.join(os.path.dirname(__file__), "..", "..", "..", ".deps", "lib")


@pytest.fixture(scope="module")
def shipped():
    card = json.load(open(os.path.join(ASSETS, "affect.json")))
    return card, open(os.path.join(ASSETS, card["file"]), "rb").read()


def test_size_of_the_network():
    m = net.build()
    assert net.macs(m) <= 150e6
    assert [o.shape[1] for o in m.outputs] == [net.WIDTHS[n] for n in net.OUTPUTS]


def test_fused_norm_is_batch_normalisation():
    r = np.random.default_rng(0)
    x = r.normal(2, 3, (8, 5, 5, 4)).astype(np.float32)
    n = net.FusedNorm()
    y = n(x, training=True).numpy()
    np.testing.assert_allclose(y, (x - x.mean((0, 1, 2))) / np.sqrt(x.var((0, 1, 2)) + 1e-4), atol=1e-4)
    for _ in range(400):
        n(x, training=True)
    np.testing.assert_allclose(n(x, training=False).numpy(), y, atol=.02)


def test_norm_in_16_bits_pads_channels_without_a_trace():
    import tensorflow as tf
    x = (np.random.default_rng(5).normal(size=(8, 10, 10, 24)) * 2 + 1).astype(np.float32)
    x = tf.cast(tf.cast(x, tf.bfloat16), tf.float32).numpy()  # the input is the same in both
    for training in (True, False):
        whole, half = net.FusedNorm(dtype="float32"), net.FusedNorm(dtype="mixed_bfloat16")
        seen = []
        for layer in (whole, half):
            layer.build(x.shape)
            layer.gamma.assign(np.linspace(.5, 2, 24))
            layer.beta.assign(np.linspace(-1, 1, 24))
            seen.append(tf.cast(layer(x, training=training), tf.float32).numpy())
        assert seen[1].shape == x.shape
        assert (np.abs(seen[0] - seen[1]) <= .01 + np.abs(seen[0]) / 128).all()  # 8 bits of fraction, in and out
        for a, b in zip(whole.weights, half.weights):
            assert np.abs(a.numpy() - b.numpy()).max() < .002


def test_small_network_survives_int8():
    m = net.build(dict(stem=8, second=8, stages=((8, 1, 1), (16, 2, 1), (16, 2, 1), (16, 2, 1)), last=24, hidden=16), drop=0.)
    r = np.random.default_rng(0)
    x = r.uniform(-1, 1, (12, 112, 112, 1)).astype(np.float32)
    for _ in range(60):
        m(x, training=True)
    run = export.Runner(export.convert(m, x))
    assert run.input["dtype"] == np.int8 and all(o["dtype"] == np.int8 for o in run.outputs)
    s, z = run.input["quantization"]
    assert s == pytest.approx(2 / 255, rel=1e-3) and z in (-1, 0)
    got = run((x[:, :, :, 0] + 1) * 127.5)
    for w, g in zip(m(x, training=False), got):
        assert np.abs(w.numpy() - g).mean() < .15 * max(np.abs(w.numpy()).max(), .1)


def test_shipped_file_and_card_belong_together(shipped):
    card, content = shipped
    assert hashlib.sha256(content).hexdigest() == card["sha256"]
    assert len(content) <= 2_000_000
    assert export.known_answer(content) == card["known_answer"]["outputs"]
    units = card["outputs"]["action_units"]
    assert tuple(units["units"]) == AUS and len(units["thresholds"]) == len(AUS)
    assert all(0 < t < 1 for t in units["thresholds"])


def test_shipped_network_answers_the_demo_clip(shipped):
    card, content = shipped
    side = json.load(open(os.path.join(ASSETS, "demo.json")))
    want = {"frown": 4, "smile": 12, "eyes closed": 43, "surprise": 26}
    middle = {e["name"]: int((e["start"] + e["end"]) / 2 * side["fps"]) for e in side["events"] if e["name"] in want}
    middle["neutral"] = int(.7 * side["fps"])
    find, run, level = blaze.Detector(blaze.detector_bytes(DEPS)), export.Runner(content), {}
    pictures = list(watch.pictures(os.path.join(ASSETS, "demo.mjpeg")))
    assert len(pictures) == side["frames"]
    for name, i in middle.items():
        face = find(pictures[i])
        assert face is not None, name
        level[name] = 1 / (1 + np.exp(-run([crop(pictures[i], face[2][0], face[2][1])])[card["outputs"]["action_units"]["index"]][0]))
    for name, unit in want.items():
        k = AUS.index(unit)
        assert level[name][k] >= card["outputs"]["action_units"]["thresholds"][k], (name, unit)
        assert level["neutral"][k] < card["outputs"]["action_units"]["thresholds"][k], unit
    away = next(e for e in side["events"] if e["name"] == "away")
    assert find(pictures[int((away["start"] + 1) * side["fps"])]) is None
