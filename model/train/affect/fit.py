"""Training in two stages, with checkpoints: the trunk is pretrained on expressions, valence and
arousal; then all tasks train together, a mask for every missing label. Progress is counted in seconds of training, so that a
schedule ends when it should on a busy machine; a stopped run goes on where it was."""

import json
import math
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import keras
import numpy as np
import tensorflow as tf

from . import AUS, losses, metrics, net, pool

WEIGHT_DECAY = 5e-4
# Units that are learnt late and slowly weigh more in the loss.
EMPHASIS = np.array([{7: 4., 15: 2., 24: 4., 43: 1.5}.get(k, 1.) for k in AUS], np.float32)
SAVE = 120  # seconds between checkpoints
PRETRAIN = (64, 12, 20)  # pictures of FER+, faces144 and renders in a batch of the first stage
TEACH = (0., .4)  # parts of the run at which its own mean network gives new soft labels


class State:
    """What a checkpoint holds: weights, their running mean, momenta, and how far the run is."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        self.path = os.path.join(folder, "state.npz")
        self.log = os.path.join(folder, "history.jsonl")

    def save(self, model, mean, opt, info):
        os.makedirs(self.folder, exist_ok=True)
        tmp = self.path + ".part.npz"
        d = {f"w{i}": v.numpy() for i, v in enumerate(model.weights)}
        d.update({f"m{i}": v.numpy() for i, v in enumerate(mean)})
        d.update({f"o{i}": v.numpy() for i, v in enumerate(opt.variables)})
        np.savez(tmp, info=json.dumps(info), **d)
        os.replace(tmp, self.path)

    def load(self):
        if not os.path.exists(self.path):
            return None
        z = np.load(self.path)
        take = lambda c: [z[f"{c}{i}"] for i in range(sum(k[0] == c and k[1:].isdigit() for k in z.files))]
        return take("w"), take("m"), take("o"), json.loads(str(z["info"]))

    def mean(self):
        return self.load()[1]

    def note(self, row):
        with open(self.log, "a") as f:
            f.write(json.dumps(row) + "\n")


def score(model, sets):
    """Validation scores with disturbance off; model: crops -> outputs; sets as from validation()."""
    row = {}
    for name, (x, src, rows) in sets.items():
        out = [np.concatenate(v) for v in zip(*[[o.numpy() for o in model(x[i:i + 128])] for i in range(0, len(x), 128)])]
        if name == "FER+":
            from . import ferplus
            y = src.majority[rows]
            ok = y >= 0
            p = out[0].argmax(1)
            row["fer_acc"] = float(np.mean(p[ok] == y[ok]))
            row["fer_f1"] = metrics.macro_f1(p[ok], y[ok], 8)
            va = src.expression[rows] @ np.array(pool.CIRCUMPLEX)
            row["va_ccc"] = float(np.mean([metrics.ccc(np.tanh(out[1][ok, i]), va[ok, i]) for i in range(2)]))
        else:
            y, w = src.au[rows] >= .5, src.au_w[rows] > 0
            f = [metrics.f1(out[2][w[:, i], i] > 0, y[w[:, i], i]) if w[:, i].any() else np.nan for i in range(len(AUS))]
            best = [metrics.best_threshold(1 / (1 + np.exp(-out[2][w[:, i], i])), y[w[:, i], i])[1] if w[:, i].any() else np.nan for i in range(len(AUS))]
            row[name + "_f1"], row[name + "_best"] = float(np.nanmean(f)), float(np.nanmean(best))
            row[name + "_units"] = {str(k): round(b, 3) for k, b in zip(AUS, best) if b == b}
    return row


def validation(work, limit=700):
    from . import ferplus
    sets = {}
    f = pool.from_ferplus(work, 1)
    d = np.load(f"{work}/ferplus.npz")
    f.majority = ferplus.majority(d["votes"][(d["split"] == 1) & (d["votes"][:, 9] < 5)])
    for name, s, n in (("FER+", f, 1400), ("real", pool.from_faces144(work, 1), limit), ("drawn", pool.from_renders(work, "valid"), limit)):
        x, rows = pool.plain(s, n)
        sets[name] = (((x - 127.5) / 127.5)[..., None].astype(np.float32), s, rows)
    return sets


def train(work, folder, minutes, lr=.08, batch=(44, 16, 36), seed=1, init=None, average=.998, every=300, threads=2, drop=.2, pretrain=None, frozen=0, thaw=.65, log=print):
    """Trains for the given minutes in all (those of earlier, interrupted calls included). pretrain: which
    part of them the first stage takes; by default a fifth, and none where init already holds a trunk.
    batch: pictures of FER+, faces144 and renders in the second stage; frozen: how many first convolutions stay as they
    are until the part thaw of the run is over. Towards the end the disturbances become milder."""
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:  # TensorFlow has computed in this process before, and keeps its threads
        log("TensorFlow runs already: its number of threads stays as it is")
    keras.utils.set_random_seed(seed)
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    hidden = net.load(init)[net.HIDDEN].shape[-1] if init else None
    model = net.build(drop=drop, hidden=hidden)
    judge = net.build(drop=0., hidden=hidden)  # the running mean's network
    keras.mixed_precision.set_global_policy("float32")  # what is exported later is a float32 network
    opt = keras.optimizers.SGD(lr, momentum=.9, nesterov=True)
    opt.build(model.trainable_variables)
    mean = [tf.Variable(v) for v in model.weights]
    state = State(folder)
    info = {"step": 0, "seconds": 0., "seen": 0}
    pretrain = (0. if init else .2) if pretrain is None else pretrain
    past = state.load()
    if past:
        for var, val in zip(model.weights, past[0]):
            var.assign(val)
        for var, val in zip(mean, past[1]):
            var.assign(val)
        for var, val in zip(opt.variables, past[2]):
            var.assign(val)
        info = past[3]
        log(f"goes on at step {info['step']}, {info['seconds'] / 60:.1f} min")
    elif init:
        for var, m, val in zip(model.weights, mean, net.load(init)):
            var.assign(val)
            m.assign(val)
    sources = [pool.from_ferplus(work), pool.from_faces144(work), pool.from_renders(work)]
    log("pictures: " + ", ".join(f"{s.name} {len(s)}" for s in sources))
    pos = np.clip((1 - sources[2].au.mean(0)) / sources[2].au.mean(0), 1, 3).astype(np.float32)
    rate = tf.Variable(0., dtype=tf.float32)
    units = tf.Variable(2.5, dtype=tf.float32)  # weight of the action units' loss

    def stepper(convolutions):
        net.freeze(model, convolutions)
        active = model.trainable_variables
        decay = [v for v in active if len(v.shape) > 1]

        @tf.function
        def step(x, e, ew, va, au, aw, v, vw):
            with tf.GradientTape() as tape:
                oe, ov, oa, ovis = model(x, training=True)
                le = losses.soft_cross_entropy(oe, e, ew)
                lv = losses.valence_arousal(ov, va, ew)
                la = losses.binary_cross_entropy(oa, au, aw * EMPHASIS * (1 + au * (pos - 1)))
                ls = losses.binary_cross_entropy(ovis, v, vw)
                loss = le + .3 * lv + units * la + .5 * ls
            g = tape.gradient(loss, active)
            g, _ = tf.clip_by_global_norm(g, 5.)
            opt.apply(g, active)
            for w in decay:
                w.assign_sub(w * (rate * WEIGHT_DECAY))
            return tf.stack([loss, le, lv, la, ls])
        return step

    @tf.function
    def blend(k):
        for m, w in zip(mean, model.weights):
            m.assign_add((tf.cast(w, tf.float32) - m) * (1 - k))

    def judging():
        for w, m in zip(judge.weights, mean):
            w.assign(m)
        return tf.function(lambda x: judge(x, training=False), reduce_retracing=True)

    sets = validation(work)
    batches = pool.Batches(sources, batch, (seed, info["step"]))
    taught = os.path.join(folder, "taught.npz")
    if past and os.path.exists(taught):
        pool.teach(sources, dict(np.load(taught)))
    run = step = None
    warm = bool(init)
    mark, mark_step = time.time(), info["step"]
    last_save = last_eval = now = time.time()
    budget = minutes * 60
    while info["seconds"] < budget:
        f = info["seconds"] / budget
        due = sum(f >= t for t in TEACH)
        if due > info.get("taught", 0):
            if f > 0 or warm:  # a network that knows nothing has nothing to teach
                soft = pool.opinions(sources[:2], judging())
                np.savez(taught, **soft)
                pool.teach(sources, soft)
                log(f"soft labels by the mean network, {time.time() - now:.0f} s")
                mark, mark_step = time.time(), info["step"]
            info["taught"] = due
        keep = frozen if f < thaw else 0
        if step is None or keep != info["frozen"]:
            step, info["frozen"] = stepper(keep), keep
        batches.strength = 1 - .4 * f
        stage = "pretrain" if f < pretrain else "all"
        batches.counts = PRETRAIN if stage == "pretrain" else batch
        units.assign(0. if stage == "pretrain" else 2.5)
        r = lr * min(1., (info["step"] + 1) / 300) * (.5 * (1 + math.cos(math.pi * f)) + .002)
        opt.learning_rate.assign(r)
        rate.assign(r)
        b = batches.next()
        l = step(*(tf.constant(b[k]) for k in ("x", "e", "ew", "va", "au", "aw", "v", "vw"))).numpy()
        if not np.isfinite(l[0]):
            raise FloatingPointError(f"loss is {l[0]} at step {info['step']}")
        info["step"] += 1
        info["seen"] += len(b["x"])
        blend(tf.constant(min(average, 1 - 1 / (info["step"] / 10 + 1)), tf.float32))
        run = l if run is None else run * .98 + l * .02
        now, before = time.time(), now
        info["seconds"] += now - before
        if info["step"] % 100 == 0:
            log(f"{stage} step {info['step']} {info['seconds'] / 60:.1f} min {(info['step'] - mark_step) * len(b['x']) / (now - mark):.0f} pictures/s lr {r:.4f} "
                f"loss {run[0]:.3f} expr {run[1]:.3f} va {run[2]:.3f} au {run[3]:.3f} vis {run[4]:.3f}")
            mark, mark_step = now, info["step"]
        if now - last_save > SAVE:
            state.save(model, mean, opt, info)
            last_save = now
        if now - last_eval > every or info["seconds"] >= budget:
            row = dict(stage=stage, step=info["step"], minutes=round(info["seconds"] / 60, 1), seen=info["seen"], loss=[round(float(v), 4) for v in run], **score(judging(), sets))
            state.note(row)
            log(json.dumps(row))
            last_eval = mark = time.time()
            mark_step = info["step"]
    batches.stop = True
    state.save(model, mean, opt, info)
    return state
