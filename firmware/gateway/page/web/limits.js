// Limits: drag a limit over the recorded minutes and see which alarms would have come, by the unit's own
// alarm engine; check, apply, undo.
import { h, s as svg, put, set, unit } from "./dom.js";
import { t, number, span, time } from "./language.js";
import { change } from "./change.js";
import { study } from "./study.js";

const W = 1000, H = 240; // of the drawing
const MOST = 900_000; // bytes of a request

export function show(root, page) {
  const { live, api } = page;
  const choose = h("select", { onchange: () => pick(choose.value) });
  const fresh = h("button", { type: "button", onclick: () => { snap(); tryIt(); } }, t("limits.fresh"));
  const none = h("p", { class: "none", hidden: true }, t("limits.none"));
  const fields = h("div", { class: "fields" });
  const plots = h("div", { class: "stack" });
  const result = h("p", { class: "said", role: "status", hidden: true });
  const undo = h("button", { type: "button", hidden: true, onclick: back }, t("limits.undo"));
  const undone = h("p", { class: "said", role: "status", hidden: true });
  const panel = change(page, { done: applied });
  const recordings = study(page, { title: t("limits.recordings"), how: t("limits.recordings_how"), begin: () => text && { do: "replay", text }, say: counted });
  const stage = h("section", { class: "panel" }, h("header", {}, h("label", {}, h("span", {}, t("limits.alarm")), choose), fresh), none, plots, fields, result);
  root.append(h("div", { class: "title" }, h("h1", {}, t("view.limits")), h("div", { class: "do" }, undo)), undone, h("p", { class: "muted" }, t("limits.how")),
    h("div", { class: "wide-left" }, stage, h("div", { class: "stack" }, panel.element, recordings.element)));

  let alarm = null, values = [], delays = {}, was = "", text = "", base = "", file = "", minutes = null, due, number_ = 0;

  const human = (name) => live.about?.signals.find((x) => x.name === name)?.human ?? name;
  const range = (name) => { const x = live.about?.signals.find((y) => y.name === name); return [x?.min ?? 0, x?.max ?? 1]; };
  const round = (v) => Number(v.toFixed(3));

  // snap keeps the minutes that are worked on: they stand still under the hand.
  function snap() {
    const { time: at, levels } = live.history;
    const names = new Set(live.about.alarms.flatMap((a) => a.conditions.map((c) => c.signal)));
    minutes = { times: at.map((v) => Math.round(v * 1000)), levels: {} };
    live.about.signals.forEach((x, i) => { if (names.has(x.name)) minutes.levels[x.name] = levels[i].slice(); });
    // Two frames of one millisecond are one.
    const keep = minutes.times.map((v, i) => i === 0 || v > minutes.times[i - 1]);
    minutes.times = minutes.times.filter((_, i) => keep[i]);
    for (const n of Object.keys(minutes.levels)) minutes.levels[n] = minutes.levels[n].filter((_, i) => keep[i]);
    draw();
  }

  function fill() {
    const list = live.about?.alarms ?? [];
    none.hidden = list.length > 0;
    const before = choose.value;
    choose.replaceChildren(...list.map((a) => h("option", { value: a.name, translate: "no", selected: a.name === before }, a.name)));
    if (!list.length) return;
    if (!minutes) snap();
    if (!alarm || !list.some((a) => a.name === alarm.name)) pick(choose.value);
    else if (JSON.stringify(list.find((a) => a.name === alarm.name)) !== was) pick(alarm.name, true);
  }

  function pick(name, same = false) {
    alarm = live.about.alarms.find((a) => a.name === name);
    was = JSON.stringify(alarm);
    values = alarm.conditions.map((c) => ({ ...c, deadband: round(Math.abs(c.limit - c.off)) }));
    delays = { on_delay: alarm.on_delay_ms / 1000, off_delay: alarm.off_delay_ms / 1000 };
    result.hidden = true;
    panel.clear(same);
    text = "";
    build();
    tryIt();
  }

  // One drawing for each condition: the level, the band beyond the limit, and the limit as a slider.
  let drawings = [];
  function build() {
    drawings = values.map((v, i) => {
      const [low, high] = range(v.signal), step = (high - low) / 100;
      const trace = svg("path", { class: "trace" }), band = svg("rect", { class: "band", x: 0, width: W });
      const off = svg("line", { class: "off", x1: 0, x2: W }), line = svg("line", { class: "limit", x1: 0, x2: W });
      const now = svg("g", { class: "came now" }), then = svg("g", { class: "came then" });
      // The grip is beside the line's end, large enough for a finger: the drawing itself lets a phone scroll.
      const slider = h("div", { class: "grip figure", role: "slider", tabindex: 0, "aria-label": t("limits.limit_of", { signal: human(v.signal) }), "aria-valuemin": low, "aria-valuemax": high, "aria-orientation": "vertical" });
      const picture = svg("svg", { class: "limits", viewBox: `0 0 ${W} ${H + 44}`, preserveAspectRatio: "none", "aria-hidden": "true" }, svg("rect", { class: "back", width: W, height: H }), band, trace, off, line, now, then);
      const stand = h("div", { class: "stand" }, picture, slider);
      const y = (l) => H - ((l - low) / (high - low)) * H;
      const move = (l) => { v.limit = Math.min(high, Math.max(low, round(l))); draw(); later(); };
      const from = (e) => { const box = picture.getBoundingClientRect(); return low + (1 - (e.clientY - box.top) / (box.height * H / (H + 44))) * (high - low); };
      for (const part of [picture, slider]) {
        let apart = 0; // of the finger from the line, as the grip was taken
        part.addEventListener("pointerdown", (e) => {
          if (part === picture && e.pointerType === "touch") return;
          e.preventDefault();
          slider.focus();
          part.setPointerCapture(e.pointerId);
          apart = part === slider ? v.limit - from(e) : 0;
          move(from(e) + apart);
        });
        part.addEventListener("pointermove", (e) => { if (part.hasPointerCapture(e.pointerId)) move(from(e) + apart); });
      }
      slider.addEventListener("keydown", (e) => {
        const by = { ArrowUp: step, ArrowRight: step, ArrowDown: -step, ArrowLeft: -step, PageUp: 10 * step, PageDown: -10 * step }[e.key];
        const to = e.key === "Home" ? low : e.key === "End" ? high : by ? v.limit + by : null;
        if (to === null) return;
        e.preventDefault();
        move(to);
      });
      const legend = h("div", { class: "axis small muted" }, h("span", {}), h("span", {}));
      const scale = h("div", { class: "scale small muted figure", "aria-hidden": "true" }, [high, (low + high) / 2, low].map((l) => h("span", {}, number(l, 1))));
      const element = h("figure", { class: "stack" }, h("figcaption", {}, h("strong", {}, unit(human(v.signal))), " ", h("span", { class: "figure" })), h("div", { class: "scaled" }, scale, stand), legend);
      return { v, i, low, high, y, trace, band, off, line, now, then, slider, element, legend, caption: element.firstChild.lastChild };
    });
    plots.replaceChildren(...drawings.map((d) => d.element), h("p", { class: "legend small" }, h("span", {}, h("span", { class: "mark now" }), t("limits.now")), h("span", {}, h("span", { class: "mark then" }), t("limits.then"))));
    const input = (label, value, take, props) => h("label", {}, h("span", {}, label), h("input", { type: "number", value, onchange: (e) => { const n = Number(e.target.value); if (Number.isFinite(n)) { take(n); draw(); later(); } }, ...props }));
    fields.replaceChildren(...values.flatMap((v, i) => {
      const [low, high] = range(v.signal), of = values.length > 1 ? ` · ${human(v.signal)}` : "";
      return [h("div", {}, (drawings[i].field = input(t("limits.limit") + of, v.limit, (n) => { v.limit = Math.min(high, Math.max(low, n)); }, { min: low, max: high, step: 0.01 }))), input(t("limits.deadband") + of, v.deadband, (n) => { v.deadband = Math.max(0, n); }, { min: 0, max: high - low, step: 0.01 })];
    }), input(t("limits.on_delay"), delays.on_delay, (n) => { delays.on_delay = Math.max(0, n); }, { min: 0, step: 0.1 }), input(t("limits.off_delay"), delays.off_delay, (n) => { delays.off_delay = Math.max(0, n); }, { min: 0, step: 0.1 }));
    draw();
  }

  let stretches = { now: [], then: [] };
  function draw() {
    if (!minutes) return;
    const at = minutes.times, first = at[0] ?? 0, last = at.at(-1) ?? 1, x = (ms) => ((ms - first) / Math.max(1, last - first)) * W;
    for (const d of drawings) {
      const level = minutes.levels[d.v.signal] ?? [];
      if (d.drawn !== minutes) {
        d.drawn = minutes;
        let path = "", pen = false;
        const every = Math.max(1, Math.floor(at.length / 2400));
        for (let i = 0; i < at.length; i += every) {
          const l = level[i];
          if (l === null || l === undefined) { pen = false; continue; }
          path += `${pen ? "L" : "M"}${x(at[i]).toFixed(1)} ${d.y(l).toFixed(1)}`;
          pen = true;
        }
        d.trace.setAttribute("d", path);
        put(d.legend.firstChild, at.length ? time(first) : "");
        put(d.legend.lastChild, at.length ? time(last) : "");
      }
      const y = d.y(d.v.limit), below = d.v.side === "below";
      d.line.setAttribute("y1", y); d.line.setAttribute("y2", y);
      d.slider.style.top = `${(100 * y) / (H + 44)}%`;
      put(d.slider, number(d.v.limit, 2));
      const off = d.y(below ? d.v.limit + d.v.deadband : d.v.limit - d.v.deadband);
      d.off.setAttribute("y1", off); d.off.setAttribute("y2", off);
      d.band.setAttribute("y", below ? y : 0);
      d.band.setAttribute("height", Math.max(0, below ? H - y : y));
      set(d.slider, "aria-valuenow", d.v.limit);
      set(d.slider, "aria-valuetext", number(d.v.limit, 3));
      put(d.caption, `${below ? "≤" : "≥"} ${number(d.v.limit, 3)}`);
      const field = d.field?.querySelector("input");
      if (field && document.activeElement !== field) field.value = d.v.limit;
      for (const [k, row] of [["now", 0], ["then", 1]]) {
        d[k].replaceChildren(...stretches[k].map((r) => svg("rect", { x: x(r.from), y: H + 6 + row * 20, width: Math.max(3, x(r.to) - x(r.from)), height: 14 })));
      }
    }
  }

  const side = (v) => (v.side === "below" ? "low" : "high");
  function keys() {
    const about = JSON.parse(was), out = [], many = values.length > 1;
    values.forEach((v, i) => {
      const c = about.conditions[i], path = `alarm[${alarm.name}].${many ? `${alarm.all ? "all" : "any"}[${i + 1}].` : ""}`;
      if (v.limit !== round(c.limit)) out.push({ path: path + side(v), value: decimal(v.limit) });
      if (v.deadband !== round(Math.abs(c.limit - c.off))) out.push({ path: `${path}deadband`, value: decimal(v.deadband) });
    });
    for (const k of ["on_delay", "off_delay"]) if (delays[k] !== about[`${k}_ms`] / 1000) out.push({ path: `alarm[${alarm.name}].${k}`, value: `"${delays[k]}s"` });
    return out;
  }

  function later() {
    clearTimeout(due);
    due = setTimeout(tryIt, 200);
  }

  // tryIt asks the unit what the new values would have brought, and whether they are right.
  async function tryIt() {
    clearTimeout(due);
    if (!alarm || !minutes) return;
    const mine = ++number_;
    set(stage, "data-wait", true);
    try {
      if (!file) await fetchFile();
      const changed = keys();
      const made = changed.length ? (await api.ask({ ask: "config", config: { do: "set", text: file, keys: changed } })).config.text : file;
      if (mine !== number_ || page.signal.aborted) return;
      text = made;
      if (changed.length) panel.look(text, base); else panel.clear(true);
      if (minutes.times.length > 1) {
        const request = { ask: "try", try: { text, alarm: alarm.name, ...part() } };
        const { tried } = await api.ask(request);
        if (mine !== number_) return;
        stretches = tried;
        result.hidden = false;
        set(result, "data-bad", null);
        put(result, t("limits.came", { minutes: span((minutes.times.at(-1) - minutes.times[0]) / 1000), now: tried.now.length, then: tried.then.length }));
        draw();
      }
    } catch (error) {
      if (mine !== number_) return;
      result.hidden = false;
      set(result, "data-bad", true);
      put(result, error.status === 0 ? t("link.away") : error.message);
    } finally {
      if (mine === number_) set(stage, "data-wait", null);
    }
  }

  // part is as much of the newest minutes as a request holds.
  function part() {
    const names = [...new Set(alarm.conditions.map((c) => c.signal))];
    const room = Math.floor((MOST - file.length * 2) / (14 + 8 * names.length)), from = Math.max(0, minutes.times.length - Math.min(room, 20_000));
    return { times: minutes.times.slice(from), levels: Object.fromEntries(names.map((n) => [n, (minutes.levels[n] ?? []).slice(from)])) };
  }

  async function fetchFile() {
    const { config } = await api.ask({ ask: "config" });
    file = config.text;
    base = config.base;
    return config;
  }

  async function applied() {
    undone.hidden = true;
    undo.hidden = false;
    file = "";
    // The unit tells its new alarms itself: "about" comes, and pick is called.
    await fetchFile().catch(() => {});
  }

  // back puts the version before in force again.
  async function back() {
    undo.disabled = true;
    try {
      const { versions } = await fetchFile();
      const { config } = await api.ask({ ask: "config", config: { do: "version", id: versions[0].id } });
      await api.ask({ ask: "config", config: { do: "apply", text: config.text, base, why: t("limits.undone"), confirm: false } });
      undo.hidden = true;
      file = "";
      panel.clear();
      put(undone, t("limits.undone"));
      undone.hidden = false;
      page.announce(t("limits.undone"));
    } catch (error) {
      panel.say(error.status === 0 ? t("link.away") : error.message, true);
    }
    undo.disabled = false;
  }

  function counted({ result: r }) {
    const rows = Object.entries(r?.alarms ?? {});
    return [h("p", {}, t("limits.replayed", { frames: r?.frames ?? 0, files: r?.files ?? 0 })), h("ul", { class: "stack" }, rows.map(([name, c]) =>
      h("li", {}, unit(name), ": ", t("limits.counts", { now: c.raised, then: c.computed }))))];
  }

  page.on("about", () => { file = ""; fill(); });
  page.signal.addEventListener("abort", () => clearTimeout(due));
  if (live.about) fill();
  // A view that was opened at once has no minutes yet.
  let wait = setInterval(() => { if (live.about && minutes && minutes.times.length < 30 && live.history.time.length >= 30) { snap(); tryIt(); clearInterval(wait); } }, 1000);
  page.signal.addEventListener("abort", () => clearInterval(wait));
}

// decimal writes a number as a config has it.
export const decimal = (v) => (Number.isInteger(v) ? v.toFixed(1) : String(Number(v.toFixed(4))));
