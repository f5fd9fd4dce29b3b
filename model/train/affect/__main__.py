"""python -m affect COMMAND: prepare, fit, heads, card, by-eye, found, document, demo, parity, mounting, aim, watch, or train (all of it)."""

import argparse
import json
import os
import sys

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))


def say(text):
    print(text, flush=True)


def prepare(a):
    from . import faces144, ferplus, renders
    os.makedirs(a.work, exist_ok=True)
    with renders.workers(a.jobs) as pool:
        faces144.prepare(a.work, a.data, pool, say)
        faces144.mirror(a.work, a.data, pool, say)
        ferplus.prepare(a.work, a.data, pool, say)
    renders.make(a.work, a.data, a.jobs, say)


def fit(a):
    from . import curves, fit as training
    init = a.init or None
    state = training.train(a.work, a.run, a.minutes, lr=a.rate, init=init, every=a.every, pretrain=a.pretrain, frozen=a.frozen, batch=a.batch, threads=a.threads, log=say)
    curves.draw(state.log, os.path.join(a.run, "curves.png"))


def trunk(a):
    """Weights of the run, or of the checkpoint where there is none."""
    from . import fit as training, net
    path = os.path.join(a.run, "state.npz")
    return training.State(a.run).mean() if os.path.exists(path) else net.load(a.checkpoint)


def weights(a):
    """The same, with the heads that were trained since."""
    from . import net
    state, last = (os.path.join(a.run, n) for n in ("state.npz", "heads.npz"))
    newer = os.path.exists(last) and (not os.path.exists(state) or os.path.getmtime(last) >= os.path.getmtime(state))
    return net.load(last) if newer else trunk(a)


def heads(a):
    """Trains the heads of units and visibility again on the frozen trunk, into RUN/heads.npz."""
    from . import heads as last, net
    os.makedirs(a.run, exist_ok=True)
    net.save(os.path.join(a.run, "heads.npz"), last.retrain(a.work, a.data, trunk(a), log=say))


def card(a):
    from . import card as cards, net
    w = weights(a)
    cards.make(a.work, a.data, w, a.assets, a.version, test=a.test, log=say)
    os.makedirs(os.path.dirname(a.checkpoint), exist_ok=True)
    net.save(a.checkpoint, w, half=True)


def by_eye(a):
    """Scores the shipped network on the faces rated by eye and writes them into its card."""
    from . import by_eye as rated, card as cards, evaluate, export
    path = os.path.join(a.assets, "affect.json")
    with open(path) as f:
        made = json.load(f)
    with open(os.path.join(a.assets, made["file"]), "rb") as f:
        runner = export.Runner(f.read())
    made["scores"]["by_eye"] = evaluate.real_faces(a.data, runner, {k: o["index"] for k, o in made["outputs"].items()}, made)
    made["limits"] = cards.limits(made["scores"], made["data"])
    cards.write(path, (json.dumps(made, indent=1) + "\n").encode())
    say(rated.text(made["scores"]["by_eye"]["score"], "by eye"))


def found(a):
    """Writes into the card how often the unit finds a face of a size, of the CSV that tools/finding -unit left in WORK/found.csv."""
    from . import by_eye as rated, card as cards
    path = os.path.join(a.assets, "affect.json")
    with open(path) as f:
        made = json.load(f)
    made["scores"]["found"] = rated.found(os.path.join(a.work, "found.csv"))
    cards.write(path, (json.dumps(made, indent=1) + "\n").encode())


def document(a):
    from . import document as documents, figures
    with open(os.path.join(a.assets, "affect.json")) as f:
        made = json.load(f)
    figures.write(made, a.work, os.path.splitext(a.document)[0], say)
    documents.write(made, a.document)


def demo(a):
    from . import demo as clip
    clip.make(a.data, os.path.join(a.assets, "demo.mjpeg"), os.path.join(a.assets, "demo.json"), say)


def parity(a):
    from . import parity as fixture
    fixture.make(a.data, os.path.join(ROOT, "model/train/testdata/parity"), say)


def mounting(a):
    from . import mounting as scenes
    scenes.measure(ROOT, a.data, a.work, a.assets, log=say)


def aim(a):
    from . import aim as scenes
    scenes.measure(ROOT, a.data, a.work, log=say)


def watch(a):
    from . import blaze, watch as watching
    for name, au, expression, visible, faces, frames in watching.events(a.assets, blaze.detector_bytes(os.path.join(ROOT, ".deps/lib"))):
        say(f"{name:12s} faces {faces}/{frames} {expression} visible {visible} " + " ".join(f"AU{k} {v:.2f}" for k, v in au.items()))


def train(a):
    prepare(a)
    fit(a)
    heads(a)
    card(a)
    document(a)


def counts(text):
    n = tuple(int(v) if v.isdecimal() else -1 for v in text.split(","))
    if len(n) != 3 or min(n) < 0 or sum(n) == 0:
        raise argparse.ArgumentTypeError(f"{text!r}: must be three numbers of pictures, such as 44,16,36")
    return n


def main(arguments=None):
    p = argparse.ArgumentParser(prog="python -m affect", description=__doc__)
    p.add_argument("command", choices=("train", "prepare", "fit", "heads", "card", "by-eye", "found", "document", "demo", "parity", "mounting", "aim", "watch"))
    p.add_argument("--data", default=os.environ.get("MIEN_DATA", os.path.join(ROOT, "../shared/data")), help="folder with ferplus.npz, faces144.npz, people320.npz, ict-face.npz, face_landmarker.task")
    p.add_argument("--work", default=os.path.join(ROOT, ".train"), help="prepared data and checkpoints")
    p.add_argument("--run", help="folder of the run's checkpoint; WORK/run by default")
    p.add_argument("--assets", default=os.path.join(ROOT, "model/assets"))
    p.add_argument("--checkpoint", default=os.path.join(ROOT, "model/train/checkpoint/affect.npz"), help="where card keeps the weights")
    p.add_argument("--document", default=os.path.join(ROOT, "docs/model-card.md"), help="where the model card goes; its pictures go into a folder of its name")
    p.add_argument("--minutes", type=float, default=120, help="training time of the whole run; an interrupted run goes on")
    p.add_argument("--rate", type=float, default=.08, help="largest learning rate; .02 to go on from a trained network")
    p.add_argument("--init", help="weights to start from, as in model/train/checkpoint/affect.npz")
    p.add_argument("--pretrain", type=float, help="part of the run in which the trunk is pretrained on expressions; 0.2, with --init 0")
    p.add_argument("--frozen", type=int, default=0, help="first convolutions to keep as they are for two thirds of the run (4: the two finest scales), which makes a step a third cheaper")
    p.add_argument("--batch", type=counts, default=(44, 16, 36), help="pictures of FER+, faces144 and renders in a batch; 44,16,36 by default")
    p.add_argument("--every", type=float, default=420, help="seconds between validations")
    p.add_argument("--jobs", type=int, default=2)
    p.add_argument("--threads", type=int, default=2, help="of the training step")
    p.add_argument("--version", default="0.1.0")
    p.add_argument("--test", action="store_true", help="measure the test parts too: once, at the end")
    a = p.parse_args(arguments)
    a.run = a.run or os.path.join(a.work, "run")
    globals()[a.command.replace("-", "_")](a)


if __name__ == "__main__":
    sys.exit(main())
