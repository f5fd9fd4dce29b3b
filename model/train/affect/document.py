"""docs/model-card.md out of the card, so that no figure is typed by hand."""

from . import AUS, teacher

_NAMES = {1: "inner brow raiser", 2: "outer brow raiser", 4: "brow lowerer", 6: "cheek raiser", 7: "lid tightener", 9: "nose wrinkler", 10: "upper lip raiser",
          12: "lip corner puller", 15: "lip corner depressor", 23: "lip tightener", 24: "lip pressor", 25: "lips part", 26: "jaw drop", 43: "eyes closed"}

_NEAREST = {9: "noseSneer", 23: "mouthRoll", 24: "mouthPress"}


def _f(v):
    return "–" if v is None else f"{v:.3f}" if isinstance(v, float) else str(v)


def _of(positives, unit, n):
    return f"{positives[unit]} of {n}" if unit in positives else "–"


def _ci(d, k):
    return f"{_f(d[k])} ({_f(d[k + '_95'][0])}–{_f(d[k + '_95'][1])})"


def _part(title, s, lines, pictures):
    f, d, r, v, c = s["ferplus"], s["rendered"], s["real_against_teacher"], s["visibility"], s["closed_on_ferplus"]
    lines += [f"## {title}", "", "Intervals are bootstrap 95%, over pictures for FER+ and over persons for action units. "
              "An answer is the mean of a face and its mirror, as the unit takes it of two frames.", "",
              "| task | measure | value |", "|---|---|---|",
              f"| expression, FER+ majority rule, {f['n']} faces | accuracy | {_ci(f, 'accuracy')} |",
              f"| | macro F1 | {_f(f['macro_f1'])} |", f"| | expected calibration error | {_f(f['calibration_error'])} |",
              f"| valence, arousal (derived from votes) | CCC | {_f(f['ccc_derived']['valence'])}, {_f(f['ccc_derived']['arousal'])} |",
              f"| action units, {d['persons']} rendered persons, {d['n']} pictures | macro F1, {d['thresholds']} | {_ci(d, 'macro_f1')} |",
              f"| | macro F1 at the card's thresholds | {_f(d['macro_f1_at_card_thresholds'])} |",
              f"| action units against MediaPipe, {r['persons']} real persons, {r['n']} pictures | macro F1, {r['thresholds']} | {_ci(r, 'macro_f1')} |",
              f"| | the same, where MediaPipe takes a side | {_ci(r, 'macro_f1_decided')} |",
              f"| | macro F1 at the card's thresholds | {_f(r['macro_f1_at_card_thresholds'])} |",
              f"| | mean Spearman | {_f(r['mean_spearman'])} |",
              f"| eyes closed against MediaPipe, {c['n']} FER+ faces, {c['closed']} of them closed | F1, thresholds of validation faces | {_ci(c, 'f1')} |",
              f"| | the same, where MediaPipe takes a side: {c['decided_closed']} closed of {c['decided']} | {_ci(c, 'f1_decided')} |",
              f"| visibility of eyes, {v['n']} pictures | F1 visible / covered | {_f(v['eyes']['f1_visible'])} / {_f(v['eyes']['f1_covered'])} |",
              f"| visibility of mouth | F1 visible / covered | {_f(v['mouth']['f1_visible'])} / {_f(v['mouth']['f1_covered'])} |", "",
              "| expression | " + " | ".join(f["class_f1"]) + " |", "|---" * (len(f["class_f1"]) + 1) + "|",
              "| F1 | " + " | ".join(_f(k) for k in f["class_f1"].values()) + " |", "",
              "| unit | | rendered F1 | rendered AUC | against MediaPipe: F1 | of n | where it takes a side: F1 | of n | Spearman |", "|---" * 9 + "|"]
    for k in AUS:
        u = str(k)
        lines.append(f"| AU{k} | {_NAMES[k]} | {_f(d['unit_f1'][u])} | {_f(d['unit_auc'][u])} | {_f(r['unit_f1'].get(u))} | {_of(r['positives'], u, r['n'])} | "
                     f"{_f(r['unit_f1_decided'].get(u))} | {_of(r['decided_positives'], u, r['decided'].get(u))} | {_f(r['unit_spearman'].get(u))} |")
    if pictures:
        lines += ["", "![F1 of every unit](model-card/units.png)"]
    b, p, e = d["beside_teacher"], d["paint"], s["lids"]
    lines += ["", "Of n: how many of the pictures have the unit, by MediaPipe. Its value has two marks for every unit (affect/teacher.py): absent at or below the one, present at or above the other. "
              "The first F1 counts every picture, split in the middle between the marks, where a little noise turns the label; the second those at or beyond a mark, as the units of rendered faces are.", "",
              f"MediaPipe beside itself: shown the mirrors of the same {r['n']} pictures, its own marks agree with those it gave before at macro F1 "
              f"{_f(r['teacher_mirrored_macro_f1'])}, thresholds chosen on the validation persons. A network that came near that figure would follow the teacher as well as the teacher follows itself. Against the mean of its two opinions this network has "
              f"{_f(r['macro_f1_mean_of_mirrored'])}. AU4, 6, 7, 9 and 15 are where the teacher is weak; there the rendered faces, whose units are known, are the better judge:", "",
              f"| unit | made of | teacher against its mirror, F1 | teacher on {b['n']} rendered faces, AUC | this network on the same, AUC | with paint, AUC | without paint, AUC |", "|---|---|---|---|---|---|---|"]
    for k in AUS:
        u = str(k)
        made = teacher.RULE[k][3] if k in teacher.RULE else _NEAREST[k] + " (not trained on)"
        lines.append(f"| AU{k} | {made} | {_f(r['teacher_mirrored_unit_f1'].get(u))} | {_f(b['teacher_auc'][u])} | {_f(b['own_auc'][u])} | {_f(p['painted_auc'][u])} | {_f(p['bare_auc'][u])} |")
    lines += ["", f"The mesh of the rendered heads has no wrinkles. Furrows that a unit brings (nasolabial, glabella, forehead, crow's feet, lids, nose bridge, mouth corners) and the lips' red that pressing hides are "
              f"painted on, in a strength of each person's own, now and then not at all. The last two columns are {p['n']} pictures drawn twice, with and without that paint.", "",
              f"Lids at all heights, {e['n']} rendered pictures: eyes count as closed from AU43 at {e['eyes_closed_at']}; F1 for lids at least 80 % down {_ci(e, 'f1_80_percent_down')}, "
              f"{100 * e['called_closed_below_half']:.1f} % of the eyes less than half closed are called closed, {100 * e['called_open_above_80_percent']:.1f} % of those at least 80 % closed are not.",
              "", "Groups (macro F1 of the action units by quarter, worst to best):", ""]
    for name, g in {**d["groups"], **r["groups"]}.items():
        lines.append(f"- {name.replace('_', ' ')}: {', '.join(_f(q) for q in g['macro_f1'])}; worst to best {_f(g['worst_to_best'])}"
                     + ("" if g["worst_to_best"] is None or g["worst_to_best"] >= .9 else " (below 0.9)"))
    lines.append("")


def _share(v, low, high):
    return f"{_f(v)} ({_f(low)}–{_f(high)})"


def _found(found, lines):
    lines += ["## Finding the face", "",
              "Before the network comes the unit's own face detector. Pictures of people320, scaled so that the face has this width and is somewhere in a picture of 640 x 480, "
              "of faces that two detectors agree on near to (`go run ./tools/finding -unit`): found within half a second, and of those, both eyes within a tenth of the distance between them. Intervals: Wilson's 95%.", "",
              "| width of the face | faces | found | of those, eyes near |", "|---|---|---|---|"]
    lines += [f"| {w} px | {v['faces']} | {_share(*v['found'])} | {_share(*v['eyes_near'])} |" for w, v in found.items()]
    lines.append("")


def _by_eye(b, lines):
    s = b["score"]
    ci = lambda d, k: _ci(d, k) if d.get(k + "_95") else _f(d[k])
    lines += ["## Real faces rated by eye", "",
              f"{sum(b['parts'].values())} real faces of faces144, FER+ and people320, rated from contact sheets without any score beside them (model/train/labels/by_eye.csv): {b['parts']['train']} for training, "
              f"{b['parts']['threshold']} to choose thresholds, {b['parts']['score']} for this table, of {s['groups']} persons and groups that no network was trained on. Only what is clearly present or clearly absent "
              "counts. The rater was a vision model that looked at the pictures, neither a person nor a FACS coder.", "",
              f"Most faces were chosen where networks err: where an earlier version called AU4, AU9, AU15, raised brows or closed eyes, where MediaPipe differed or saw a blink, where FER+'s raters saw sadness, surprise, fear, anger or disgust, dark glasses, masks. {s['chosen_at_random']} were drawn at random; the last column "
              "has those alone, which is nearer to what a line sees. Thresholds are the card's. Intervals: bootstrap 95% over persons and groups.", "",
              "| mark | present | absent | AUC | recall | false positives | false positives, random faces |", "|---|---|---|---|---|---|---|"]
    for k, u in s["units"].items():
        q = u["random"]
        lines.append(f"| {k.replace('or', ' or AU')} | {u['present']} | {u['absent']} | {ci(u, 'auc')} | {ci(u, 'recall')} | {ci(u, 'false')} | {_f(q['false'])} of {q['absent']} |")
    for part, u in s["covers"].items():
        lines.append(f"| {part} covered | {u['present']} | {u['absent']} | {ci(u, 'auc')} | {ci(u, 'recall')} | {ci(u, 'false')} | |")
    lines += ["", "Called closed, of eyes that are not, 95% intervals (Wilson): " + "; ".join(f"{k} {_share(v['called_closed'], *v['called_closed_95'])} of {v['n']}" for k, v in s["not_closed"].items() if v["n"]) + ".", ""]
    lines += [f"How often this part has been opened: {b['opened']}.", ""]
    lines += ["The pain index, 0 to 16, which is withdrawn, made of levels: " + "; ".join(f"{k} faces median {v['median']}, {100 * v['from_8']:.0f} % from 8 on, of {v['n']}" for k, v in b["pain"].items())
              + ". None of them is known to be in pain. A level is a probability that a unit is there, not how strong it is.", ""]
    lines += [f"False positives by what a rater saw of the person, told of {b['told_of_persons']} of the {s['faces']} faces, of groups of at least 25 faces with the unit clearly absent, 95% intervals (Wilson). *Worst to best* is meant to be within a factor of 2; "
              "a dash: none above 0.03; *intervals meet* where those of worst and best do: then chance may be all of it.", "", "| mark | by | false positives | worst to best |", "|---|---|---|---|"]
    for k, columns in b["groups"].items():
        for w, v in columns.items():
            if len(v) < 2:
                continue
            best, worst = min(v.values(), key=lambda x: x[1]), max(v.values(), key=lambda x: x[1])
            ratio = "–" if worst[1] <= .03 else ("> 9" if worst[1] > 9 * best[1] else f"{worst[1] / best[1]:.1f}") + (", intervals meet" if best[3] >= worst[2] else "")
            lines.append(f"| {k.replace('or', ' or AU')} | {w} | " + ", ".join(f"{n} {x[1]:.3f} ({x[2]:.3f}–{x[3]:.3f}) of {x[0]}" for n, x in v.items()) + f" | {ratio} |")
    lines.append("")
    if b["agreement"]:
        lines += ["How two ratings of one face agree (share equal, and Cohen's kappa, where both told; empty: either left it so). *Again* is the same rater, who knew many of the pictures again: it is no measure of "
                  "reliability, only of consistency. *Other* is a second rater of the same kind, who saw neither score nor first rating.", "",
                  "| mark | " + " | ".join(f"{k}: told by both | equal | kappa | empty" for k in b["agreement"]) + " |", "|---" * (1 + 4 * len(b["agreement"])) + "|"]
        for m in next(iter(b["agreement"].values())):
            if m != "faces":
                lines.append(f"| {m} | " + " | ".join(f"{v[m]['n']} of {v['faces']} | {_f(v[m]['equal'])} | {_f(v[m]['kappa'])} | {_f(v[m]['empty'])}" for v in b["agreement"].values()) + " |")
        lines.append("")


def write(card, path):
    s, o = card["scores"], card["outputs"]
    lines = [f"# {card['name']}, version {card['version']}", "", "Generated from model/assets/affect.json by `python -m affect document`.", "", card["description"], "",
             f"- File: {card['file']}, {s['bytes']} bytes, SHA-256 `{card['sha256']}`, int8 in and out",
             f"- {s['multiply_adds'] / 1e6:.0f} M multiply-adds, {s['parameters'] / 1e6:.2f} M parameters",
             f"- Input: {card['input']['width']}x{card['input']['height']} {card['input']['colour']}, eyes at {card['input']['template']['right_eye']} and {card['input']['template']['left_eye']}",
             f"- Licence of the network: {card['licence']}", "", "## Data and rights", "", "| data | licence | use |", "|---|---|---|"]
    lines += [f"| {d['name']} | {d['licence']} | {d['note']} |" for d in card["data"]]
    lines += ["", "No picture of these sets is in the repository or on the unit.", ""]
    if "by_eye" in s:
        _by_eye(s["by_eye"], lines)
    if "found" in s:
        _found(s["found"], lines)
    if "test" in s:
        _part("Test parts", s["test"], lines, True)
    _part("Validation parts", s["validation"], lines, "test" not in s)
    q = s["float_to_int8"]
    lines += ["## What int8 costs (validation)", "", "| | float | int8 |", "|---|---|---|",
              f"| expression accuracy | {_f(q['expression_accuracy']['float'])} | {_f(q['expression_accuracy']['int8'])} |",
              f"| unit macro F1, rendered | {_f(q['unit_macro_f1']['float'])} | {_f(q['unit_macro_f1']['int8'])} |", "",
              f"Mean absolute difference: unit probability {_f(q['unit_probability_error'])}, V/A {_f(q['valence_arousal_error'])}, visibility {_f(q['visibility_error'])}.", ""]
    if "disturbed" in s:
        d = s["disturbed"]
        lines += ["## The worker's face", "", d["note"], "",
                  f"One rendered face under each, with the scores of the {d['split']} parts below it, red where units are below 0.7 or expressions below 0.75:", "",
                  "![every covering and disturbance on one rendered face](model-card/conditions.png)", "", "![scores against the strength of each disturbance](model-card/disturbed.png)", "", "| covering or disturbance | strength | unit macro F1 | eyes: units F1 | mouth: units F1 | expression accuracy | called covered: eyes / mouth |", "|---|---|---|---|---|---|---|"]
        lines += [f"| {r['what']} | {r['strength']} | {_f(r['macro_f1'])} | {_f(r['eye_units'])} | {_f(r['mouth_units'])} | {_f(r['expression_accuracy'])} | {_f(r['eyes_called_covered'])} / {_f(r['mouth_called_covered'])} |" for r in d["rows"]]
        lines.append("")
    lines += ["## Units too weak to alarm on by default", "", ", ".join(f"AU{k}" for k in o["action_units"]["weak"]) + ".", "", "## Limits", ""]
    lines += [f"- {l}" for l in card["limits"]]
    lines.append("")
    with open(path, "w") as f:
        f.write("\n".join(lines))
