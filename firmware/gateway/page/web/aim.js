// Aim: where the face is and how it is seen, drawn from figures alone, and what to change.
import { h, s, put, set, list } from "./dom.js";
import { t, known, number } from "./language.js";

// How long an advice must hold before it is shown, and how long it stays after it went: a person moves.
const COMES = 700, GOES = 1500;

// Pictures of the advices: arrows and lamps, of 24 x 24.
const icons = {
  good: "M4 13l5 5L20 6", none: "M12 5a7 7 0 1 0 .1 0M12 9v4M12 16v.1",
  closer: "M12 20V5M6 11l6-6 6 6", further: "M12 4v15M6 13l6 6 6-6",
  lower: "M12 4v11M7 10l5 5 5-5M4 20h16", higher: "M12 20V9M7 14l5-5 5 5M4 4h16",
  left: "M20 12H5M11 6l-6 6 6 6", right: "M4 12h15M13 6l6 6-6 6",
  rotate: "M19 12a7 7 0 1 1-3-5.7M17 2v5h-5", light: "M12 3v3M5 6l2 2M19 6l-2 2M12 9a4 4 0 0 1 2 7v2h-4v-2a4 4 0 0 1 2-7z",
  shade: "M4 10h16M6 10a6 6 0 0 1 12 0M12 10v10", focus: "M4 8V4h4M16 4h4v4M20 16v4h-4M8 20H4v-4M12 9a3 3 0 1 0 .1 0",
};
const icon = { good: "good", face: "none", rotate: "rotate", upright: "rotate", closer: "closer", "larger picture": "closer", further: "further", lower: "lower", higher: "higher",
  "move left": "left", "move right": "right", "turn left": "left", "turn right": "right", "tilt up": "higher", "tilt down": "lower",
  "lean left": "rotate", "lean right": "rotate", "more light": "light", "front light": "light", "less light": "shade", clean: "focus", focus: "focus" };

export function show(root, page) {
  const { live } = page;
  const layer = s("g", {}), frame = s("g", {});
  const field = s("svg", { class: "field live", viewBox: "0 0 640 480", role: "img" }, frame, layer);
  const advice = h("ol", { class: "advice" });
  const seen = h("p", { class: "small muted" });
  const gauges = h("div", { class: "gauges live" });
  root.append(
    h("div", { class: "title" }, h("h1", {}, t("view.aim")), h("p", { class: "muted small" }, t("aim.private"))),
    h("div", { class: "wide-left" },
      h("section", { class: "stack", "aria-label": t("aim.field") }, field, seen),
      h("div", { class: "stack" },
        h("section", { class: "panel" }, h("h2", {}, t("aim.advice")), h("div", { "aria-live": "polite" }, advice)),
        h("section", { class: "panel" }, h("h2", {}, t("aim.figures")), gauges))));

  const parts = figure(layer);
  let shape = "";
  function frameOf(w, hgt, region) {
    const want = [w, hgt, region].join();
    if (shape === want) return;
    shape = want;
    set(field, "viewBox", `0 0 ${w} ${hgt}`);
    const [l, top, rw, rh] = region ?? [0, 0, 0, 0];
    const whole = !(rw > 0 && rh > 0) || (rw >= 1 && rh >= 1);
    frame.replaceChildren(
      ...[1, 2].flatMap((k) => [s("line", { class: "thirds", x1: (w * k) / 3, x2: (w * k) / 3, y1: 0, y2: hgt }), s("line", { class: "thirds", y1: (hgt * k) / 3, y2: (hgt * k) / 3, x1: 0, x2: w })]),
      ...(whole ? [] : [s("rect", { class: "region", x: l * w, y: top * hgt, width: rw * w, height: rh * hgt }), s("text", { x: l * w + 6, y: top * hgt + 20 }, t("aim.region"))]));
  }

  // Advices that come and go with each movement are not shown.
  const since = new Map();
  function settle(wanted) {
    const now = performance.now();
    for (const a of wanted) {
      const had = since.get(a.code);
      since.set(a.code, had ? { ...had, last: now, a: { ...a, by: had.a.by + 0.15 * (a.by - had.a.by) } } : { first: now, last: now, a });
    }
    for (const [code, e] of since) if (now - e.last > GOES) since.delete(code);
    const order = wanted.map((a) => a.code);
    const held = [...since.values()].filter((e) => e.last - e.first >= COMES).map((e) => e.a);
    const firm = held.filter((a) => a.code !== "good");
    return (firm.length ? firm : held).sort((a, b) => (order.indexOf(a.code) + 1 || 99) - (order.indexOf(b.code) + 1 || 99)).slice(0, 4);
  }

  function draw() {
    const { about, state } = live;
    if (!about || !state) return;
    const aim = state.aim, face = aim.face;
    frameOf(aim.width || 640, aim.height || 480, about.region);
    parts.draw(face, aim.width || 640, aim.height || 480, (name) => state.levels[about.signals.findIndex((x) => x.name === name)], state.covered ?? []);
    const words = face ? t("aim.seen", { n: aim.faces, width: number(face.size, 0) }) : t("aim.unseen");
    put(seen, state.reason && face ? `${words} ${t("aim.unread", { reason: known("reason.", state.reason) })}` : words);
    set(field, "aria-label", seen.textContent);
    list(advice, settle(aim.advice ?? []), (a) => a.code, (a) => h("li", {}, s("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, s("path", { d: icons[icon[a.code]] ?? icons.none })), h("span", {})),
      (child, a) => {
        set(child, "data-grade", a.code === "good" ? "good" : "do");
        put(child.lastChild, t(`advice.${a.code}`, { by: round(a), rotate: a.rotate ?? 0 }));
      });
    if (!advice.children.length) advice.append(h("li", { "data-wait": true }, h("span", {}), h("span", {}, t("aim.wait"))));
    else advice.querySelector("[data-wait]")?.remove();
    drawGauges(gauges, about.gate, aim, face);
  }
  page.on("state", draw);
  page.on("about", draw);
  draw();
}

// Centimetres and degrees in steps that a hand can set.
function round(a) {
  const step = a.unit === "cm" ? (a.by >= 50 ? 10 : 5) : 5;
  return Math.max(step, step * Math.round(a.by / step));
}

// figure draws a head: its parts stand where the detector found them, and move as the signals say.
function figure(layer) {
  const make = (tag, cls) => { const e = s(tag, { class: cls }); layer.append(e); return e; };
  const box = make("rect", "box"), head = make("path", "head-line");
  const eyes = [0, 1].map(() => ({ lid: make("path", "part"), pupil: make("circle", "part filled"), brow: make("path", "part") }));
  const nose = make("path", "part"), mouth = make("path", "part"), ears = [0, 1].map(() => make("path", "part"));
  const all = [box, head, nose, mouth, ...ears, ...eyes.flatMap((e) => [e.lid, e.pupil, e.brow])];
  return {
    draw(face, w, hgt, level, covered) {
      for (const e of all) set(e, "visibility", face ? null : "hidden");
      if (!face) return;
      const p = face.points.map(([x, y]) => [x * w, y * hgt]);
      const [r, l, tip, lip] = p;
      const d = Math.hypot(l[0] - r[0], l[1] - r[1]) || 1;
      // The face's own axes: u along the eyes, v down.
      const u = [(l[0] - r[0]) / d, (l[1] - r[1]) / d], v = [-u[1], u[0]];
      const at = (o, x, y) => `${(o[0] + u[0] * x + v[0] * y).toFixed(1)} ${(o[1] + u[1] * x + v[1] * y).toFixed(1)}`;
      const value = (name) => { const x = level(name); return Number.isFinite(x) ? x : 0; };
      const [x0, y0, x1, y1] = face.box;
      for (const [k, n] of [["x", x0 * w], ["y", y0 * hgt], ["width", (x1 - x0) * w], ["height", (y1 - y0) * hgt]]) set(box, k, n.toFixed(1));
      // An egg about the middle of the face, from above the brow to the chin. It shifts as the head turns.
      const bw = (x1 - x0) * w, mid = [(r[0] + l[0]) / 2, (r[1] + l[1]) / 2];
      const off = ((tip[0] - mid[0]) * u[0] + (tip[1] - mid[1]) * u[1]) * -0.35;
      const a = bw * 0.56, top = -bw * 0.62, chin = Math.max(bw * 0.62, ((lip[0] - mid[0]) * v[0] + (lip[1] - mid[1]) * v[1]) * 1.75);
      set(head, "d", `M${at(mid, off, top)} C${at(mid, off + a * 0.75, top)} ${at(mid, off + a, top * 0.35)} ${at(mid, off + a, 0)} C${at(mid, off + a, chin * 0.55)} ${at(mid, off + a * 0.5, chin)} ${at(mid, off, chin)} C${at(mid, off - a * 0.5, chin)} ${at(mid, off - a, chin * 0.55)} ${at(mid, off - a, 0)} C${at(mid, off - a, top * 0.35)} ${at(mid, off - a * 0.75, top)} ${at(mid, off, top)}Z`);
      // Far behind the turned cheek an ear is not seen.
      [[4, -1], [5, 1]].forEach(([i, side], n) => {
        const e = p[i], turned = side * (face.yaw ?? 0) > 25;
        set(ears[n], "visibility", turned ? "hidden" : null);
        set(ears[n], "d", `M${at(e, 0, -d * 0.16)} Q${at(e, side * d * 0.22, -d * 0.2)} ${at(e, side * d * 0.17, 0)} Q${at(e, side * d * 0.13, d * 0.22)} ${at(e, 0, d * 0.18)}`);
      });
      const closed = Math.min(1, Math.max(0, value("eyes_closed") || value("au43"))), open = d * 0.13 * (1 - closed) * (1 - 0.4 * value("au7"));
      const hidden = covered.includes("eyes");
      [r, l].forEach((o, i) => {
        const half = d * 0.2, e = eyes[i], side = i ? 1 : -1;
        set(e.lid, "d", open < d * 0.025 ? `M${at(o, -half, 0)} Q${at(o, 0, d * 0.07)} ${at(o, half, 0)}` : `M${at(o, -half, 0)} Q${at(o, 0, -open * 2)} ${at(o, half, 0)} Q${at(o, 0, open * 1.5)} ${at(o, -half, 0)}Z`);
        set(e.pupil, "cx", o[0].toFixed(1)); set(e.pupil, "cy", o[1].toFixed(1)); set(e.pupil, "r", (Math.min(open, d * 0.08)).toFixed(1));
        set(e.pupil, "visibility", open < d * 0.025 || hidden ? "hidden" : null);
        const lift = -d * (0.36 + 0.13 * value("au2") - 0.1 * value("au4")), inner = -d * (0.36 + 0.14 * value("au1") - 0.17 * value("au4"));
        set(e.brow, "d", side < 0 ? `M${at(o, -half * 1.2, lift + d * 0.05)} Q${at(o, 0, lift - d * 0.08)} ${at(o, half * 1.15, inner)}` : `M${at(o, -half * 1.15, inner)} Q${at(o, 0, lift - d * 0.08)} ${at(o, half * 1.2, lift + d * 0.05)}`);
        set(e.lid, "class", hidden ? "part covered" : "part");
      });
      set(nose, "d", `M${at(tip, -d * 0.12, -d * 0.03)} Q${at(tip, 0, d * 0.12)} ${at(tip, d * 0.12, -d * 0.03)}`);
      const wide = d * (0.38 + 0.08 * value("au12")), corner = d * (0.16 * value("au15") - 0.2 * value("au12")), gap = d * Math.max(0.6 * value("au26"), 0.12 * value("au25"));
      set(mouth, "d", `M${at(lip, -wide, corner)} Q${at(lip, 0, d * 0.06 - gap * 0.35 - corner * 0.4)} ${at(lip, wide, corner)} Q${at(lip, 0, d * 0.1 + gap * 1.3 - corner * 0.4)} ${at(lip, -wide, corner)}Z`);
      set(mouth, "class", covered.includes("mouth") ? "part covered" : "part");
    },
  };
}

// Figures against the limits within which a face is read.
function drawGauges(parent, gate, aim, face) {
  const g = gate ?? {};
  const rows = [
    ["size", face?.size, 0, 0.6 * (aim.width || 640), g.min_size, Infinity, 0, "px"],
    ["inside", face && 100 * face.inside, 0, 100, 100 * (1 - (g.max_outside ?? 0)), 100, 0, "%"],
    ["pitch", face?.pitch, -60, 60, -g.max_pitch, g.max_pitch, 0, "°"],
    ["yaw", face?.yaw, -60, 60, -g.max_yaw, g.max_yaw, 0, "°"],
    ["roll", face?.roll, -60, 60, -g.max_roll, g.max_roll, 0, "°"],
    ["light", face?.light ?? aim.light, 0, 255, g.min_light, g.max_light, 0, ""],
    ["contrast", face?.contrast, 0, 100, g.min_contrast, Infinity, 0, ""],
    ["sharpness", face?.sharpness, 0, 0.4, g.min_sharpness, Infinity, 3, ""],
  ];
  list(parent, rows, (r) => r[0], (r) => h("div", { class: "gauge" }, h("span", { class: "small" }, t(`aim.${r[0]}`)),
    s("svg", { viewBox: "0 0 100 16", preserveAspectRatio: "none", "aria-hidden": "true" }, s("rect", { class: "back", y: 4, width: 100, height: 8 }), s("rect", { class: "good", y: 4, height: 8 }), s("rect", { class: "needle", width: 2, height: 16 })),
    h("span", { class: "figure" })), (child, [, value, low, high, from, to, digits, unit]) => {
    const at = (v) => Math.max(0, Math.min(100, (100 * (v - low)) / (high - low)));
    const [, good, needle] = child.children[1].children;
    const a = at(Number.isFinite(from) ? from : low), b = at(Number.isFinite(to) ? to : high);
    set(good, "x", a); set(good, "width", Math.max(0, b - a));
    const there = Number.isFinite(value);
    set(needle, "visibility", there ? null : "hidden");
    if (there) set(needle, "x", at(value) - 1);
    set(needle, "data-bad", there && (value < from || value > to));
    put(child.lastChild, there ? `${number(value, digits)}${unit && (unit === "°" ? unit : ` ${unit}`)}` : "–");
  });
}
