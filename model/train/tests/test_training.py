"""The whole way from prepared data to the card, on tiny made data and a tiny network: two stages,
stopped on the way and gone on, with progress, curves, an int8 file, card and model card."""

import json
import os
import re

import numpy as np
import pytest

from affect import AUS, __main__ as command, by_eye, evaluate, fit, heads, metrics, net, renders

TINY = dict(stem=4, second=6, stages=((6, 1, 1), (8, 2, 1), (8, 2, 1), (12, 2, 1)), last=12, hidden=8)


def faces(r, n, side):
    """Noise, brighter at the mouth for odd numbers: something that can be learnt."""
    x = r.integers(60, 120, (n, side, side))
    x[1::2, side * 6 // 10:side * 8 // 10, side // 3:side * 2 // 3] += 90
    return x.astype(np.uint8)


def rendered(r, n, first):
    return dict(image=faces(r, n, 144), eyes=np.tile(np.array([[48., 54.], [96., 54.]], np.float32), (n, 1, 1)), au=np.tile((np.arange(n) % 2 * .9)[:, None], (1, len(AUS))).astype(np.float32),
                label=np.arange(n) % 2, person=first + np.arange(n) // 4, albedo=r.random(n), width=r.random(n))


def rate_by_eye(folder, monkeypatch, votes, r):
    """A CSV of ratings in three parts, of the made FER+ pictures: units where the mouth is bright."""
    columns = ("set", "index", "part", "chosen", "group", "rating", "right_x", "right_y", "left_x", "left_y") + by_eye.MARKS + by_eye.WORDS
    lines = [",".join(columns)]
    for i in range(len(votes)):
        known = dict(set="ferplus", index=i, part=("train", "threshold", "score")[i // 2 % 3], chosen="random", group=i, rating="first", right_x=15, right_y=18, left_x=32, left_y=18,
                     glasses=0, covered_mouth=0, **{m: i % 2 for m in by_eye.MARKS})
        lines.append(",".join(str(known.get(c, "")) for c in columns))
    (folder / "by_eye.csv").write_text("\n".join(lines) + "\n")
    monkeypatch.setattr(by_eye, "FILE", str(folder / "by_eye.csv"))
    monkeypatch.setattr(by_eye, "masks", lambda data: dict(image=list(faces(r, 8, 144)), eyes=np.tile(np.array([[48., 54.], [96., 54.]], np.float32), (8, 1, 1)), masked=np.arange(8) % 2 == 0))
    monkeypatch.setattr(heads, "COUNT", {"renders": 24, "faces144": 24, "FER+": 24})


@pytest.fixture
def work(tmp_path, monkeypatch):
    r = np.random.default_rng(0)
    n = 72
    split = np.arange(n) // 2 % 3
    votes = np.zeros((n, 10), np.float32)
    votes[np.arange(n), np.arange(n) % 2] = 10
    blend = np.repeat((np.arange(n) % 2 * .8).astype(np.float32)[:, None], 52, 1)
    gap, seen = blend[:, 0] * .2, np.ones(n, np.float32)
    np.savez(tmp_path / "ferplus.npz", image=faces(r, n, 48), votes=votes, split=split, eyes=np.tile(np.array([[15., 18.], [32., 18.]], np.float32), (n, 1, 1)),
             blend=blend, gap=gap, presence=seen)
    np.savez(tmp_path / "faces144.npz", image=faces(r, n, 144), eyes=np.tile(np.array([[48., 54.], [96., 54.]], np.float32), (n, 1, 1)), blend=blend, gap=gap,
             presence=seen, person=np.arange(n) // 4, split=split, word=np.arange(n) % 2)
    np.savez(tmp_path / "faces144-mirror.npz", blend=blend * .9, gap=gap)
    folder = tmp_path / f"renders-{renders.VERSION}"
    folder.mkdir()
    for part, first in renders.FIRST.items():
        d = rendered(r, 24, first)
        np.savez(folder / f"{part}-00000.npz", **d)
        np.savez(folder / f"lids-{part}.npz", image=d["image"], eyes=d["eyes"], closed=d["au"][:, 0], person=d["person"])
        np.savez(folder / f"unpainted-{part}.npz", painted=d["image"], bare=d["image"], eyes=d["eyes"], au=d["au"])
    rate_by_eye(tmp_path, monkeypatch, votes, r)
    monkeypatch.setattr(renders, "COUNT", {k: (10, 4) for k in renders.COUNT})
    monkeypatch.setattr(net, "TRUNK", TINY)
    monkeypatch.setattr(fit, "PRETRAIN", (8, 4, 4))
    # MediaPipe's file is not among the made data
    monkeypatch.setattr(evaluate, "teacher_on_rendered", lambda *_: (np.arange(24), {str(k): .5 for k in AUS}))
    monkeypatch.setattr(metrics, "bootstrap", lambda score, n, *_, **__: [score(np.arange(n))] * 2)
    return tmp_path


class Clock:
    """A tenth of a second for every look at it, so that a run has as many steps on a busy machine."""

    def __init__(self):
        self.now = 0.

    def time(self):
        self.now += .1
        return self.now


class Stop(Exception):
    pass


def test_train_from_data_to_card(work, monkeypatch, capsys):
    a = ["train", "--work", str(work), "--data", str(work), "--run", str(work / "run"), "--assets", str(work / "assets"), "--checkpoint", str(work / "kept/affect.npz"),
         "--document", str(work / "model-card.md"), "--minutes", ".7", "--pretrain", ".5", "--rate", ".03", "--every", "9", "--version", "9.9.9", "--batch", "8,4,4", "--jobs", "1", "--test"]
    train, say = fit.train, command.say
    monkeypatch.setattr(fit, "train", lambda *x, **k: train(*x, **k, average=.97))
    monkeypatch.setattr(fit, "time", Clock())
    monkeypatch.setattr(fit, "SAVE", 5)

    def stopping(text):
        say(text)
        if text.startswith("pretrain step 100 "):
            raise Stop

    monkeypatch.setattr(command, "say", stopping)
    with pytest.raises(Stop):
        command.main(a)
    stopped = fit.State(str(work / "run")).load()[3]
    assert 50 < stopped["step"] < 100
    monkeypatch.setattr(command, "say", say)
    command.main(a)

    assert "goes on at step " + str(stopped["step"]) in capsys.readouterr().out
    rows = [json.loads(l) for l in open(work / "run/history.jsonl")]
    assert [r["stage"] for r in rows] == sorted((r["stage"] for r in rows), reverse=True) and {r["stage"] for r in rows} == {"pretrain", "all"}
    assert rows[-1]["step"] > stopped["step"] and rows[-1]["minutes"] == .7
    assert (work / "run/curves.png").read_bytes().startswith(b"\x89PNG")
    card = json.load(open(work / "assets/affect.json"))
    assert card["version"] == "9.9.9" and card["scores"]["bytes"] == os.path.getsize(work / "assets/affect.tflite")
    assert 0 < card["outputs"]["action_units"]["eyes_closed_at"] < 1
    assert {"validation", "test", "float_to_int8", "disturbed", "by_eye"} <= set(card["scores"])
    assert card["scores"]["by_eye"]["score"]["units"]["AU12"]["auc"] > .9
    # the heads were trained last, and are what is shipped; the trunk is the run's
    run, last, kept = fit.State(str(work / "run")).mean(), net.load(work / "run/heads.npz"), net.load(work / "kept/affect.npz")
    moved = [i - len(run) for i, (a, b) in enumerate(zip(run, last)) if not np.array_equal(a, b)]
    assert moved == [-10, -9, -4, -3, -2, -1] and all(np.allclose(a, b, atol=1e-2, rtol=1e-2) for a, b in zip(last, kept))
    seven, four, half = AUS.index(7), AUS.index(4), TINY["hidden"]
    assert np.array_equal(last[-10][..., :half], run[-10]) and last[-10].shape[-1] == 2 * half
    assert np.array_equal(last[-4][0, 0, :half, seven], run[-4][0, 0, :, seven]) and not last[-4][0, 0, half:, seven].any()  # what is not rated stays
    assert not last[-4][0, 0, :half, four].any() and last[-4][0, 0, half:, four].any()
    # what was made to be learnt is learnt, and in the int8 file too
    assert card["scores"]["test"]["ferplus"]["accuracy"] > .9
    assert card["scores"]["test"]["rendered"]["macro_f1"] > .9
    assert len(kept) == len(net.build().weights)
    text = (work / "model-card.md").read_text()
    assert "version 9.9.9" in text and "AU43" in text and not re.search(r"\bnan\b", text)
    links = re.findall(r"!\[[^]]+\]\((\S+)\)", text)
    assert len(links) == 3 and all((work / l).read_bytes().startswith(b"\x89PNG") for l in links)


@pytest.mark.parametrize("text", ("44,16", "a,b,c", "0,0,0", "-1,2,3", ""))
def test_batch_of_three_sources(text, capsys):
    with pytest.raises(SystemExit):
        command.main(["fit", "--batch=" + text])
    assert "must be three numbers of pictures, such as 44,16,36" in capsys.readouterr().err
