// Now: what is so at this moment, and how it came there in the last minutes.
import { h, put, set, list, unit, s as svg } from "./dom.js";
import { t, known, number, span, time } from "./language.js";
import { plot } from "./plot.js";
import { card, act, shown } from "./alarm.js";

export function show(root, page) {
  const { live } = page;
  let seconds = Number(localStorage.getItem("mien.window")) || 60;
  const said = h("p", { class: "said", "data-bad": true, hidden: true });
  page.said = (text, bad) => { said.hidden = !text || !bad; put(said, text); };

  const tiles = h("dl", { class: "tiles live" });
  const figures = ["reading", "rate", "latency", "available", "dropped", "temperature", "up"].map((id) => {
    const dd = h("dd", {}), tile = h("div", { class: "tile" }, h("dt", {}, t(`now.${id}`)), dd);
    tiles.append(tile);
    return { id, tile, dd };
  });
  const blind = h("p", { class: "said", hidden: true });
  const alarms = h("div", { class: "stack live" }), none = h("p", { class: "none", hidden: true }, t("now.no_alarm"));
  const faults = h("ul", { class: "stack" }), noFault = h("p", { class: "none" }, t("now.no_fault"));
  const outputs = h("ul", { class: "lines live" }), inputs = h("ul", { class: "lines live" });
  const signals = h("div", { class: "stack live" });
  const facts = h("dl", { class: "pairs small" });
  const only = h("input", { type: "checkbox", onchange: () => draw() });
  const width = h("label", {}, h("span", { class: "only-read" }, t("now.window")), h("select", { onchange: (e) => {
    seconds = Number(e.target.value);
    try { localStorage.setItem("mien.window", seconds); } catch { /* private windows forget it */ }
    for (const child of alarms.keyed?.values() ?? []) child.window(seconds);
  } }, [60, 300].map((v) => h("option", { value: v, selected: v === seconds }, t("now.last", { n: v / 60 })))));

  root.append(
    h("div", { class: "title" }, h("h1", {}, t("view.now"))), said, blind, tiles,
    h("div", { class: "wide-left" },
      h("section", { class: "stack", "aria-label": t("now.alarms") },
        h("div", { class: "title" }, h("h2", {}, t("now.alarms")), h("div", { class: "do" },
          h("label", { class: "check" }, only, t("now.only")), width)), none, alarms),
      h("div", { class: "stack" },
        h("section", { class: "panel" }, h("h2", {}, t("now.faults")), noFault, faults),
        h("section", { class: "panel" }, h("h2", {}, t("now.outputs")), outputs),
        h("section", { class: "panel" }, h("h2", {}, t("now.inputs")), inputs),
        h("section", { class: "panel" }, h("h2", {}, t("now.unit")), facts))),
    h("section", { class: "panel" }, h("h2", {}, t("now.signals")), signals));

  const human = (name) => live.about?.signals.find((x) => x.name === name)?.human ?? name;

  function alarmCard(a) {
    const conditions = live.about?.alarms.find((x) => x.name === a.name)?.conditions ?? [{ signal: a.signal, side: a.side, limit: a.limit, off: a.off }];
    const ends = new AbortController();
    page.signal.addEventListener("abort", () => ends.abort(), { signal: ends.signal });
    const drawn = conditions.map((c) => ({ c, p: plot(c.signal, { limits: [c], seconds, height: 116 }, ends.signal) }));
    const child = card(a.name, drawn.map(({ c, p }) => [h("p", { class: "small" }, unit(human(c.signal))), p.element]));
    child.window = (v) => drawn.forEach(({ p }) => p.change({ seconds: v }));
    child.limits = (x) => { if (conditions.length === 1) drawn[0].p.change({ limits: [{ side: x.side, limit: x.limit, off: x.off }] }); };
    const ack = act(page, t("do.acknowledge"), "do.acknowledge", { ask: "do", do: "acknowledge", alarm: a.name }, { class: "main" });
    const reset = act(page, t("do.reset"), "do.reset", { ask: "do", do: "reset", alarm: a.name });
    child.buttons.append(ack, reset);
    child.offer = (x) => { ack.hidden = !x.needs_ack; reset.hidden = !x.latched; child.buttons.hidden = ack.hidden && reset.hidden; };
    const gone = child.remove.bind(child);
    child.remove = () => { ends.abort(); gone(); };
    return child;
  }

  function groups() {
    const of = { units: [], eyes: [], emotion: [], visible: [] };
    live.about.signals.forEach((x, i) => {
      const g = /^au\d/.test(x.name) ? "units" : /^(eyes_closed|perclos)$/.test(x.name) ? "eyes" : x.name.startsWith("visible.") ? "visible" : "emotion";
      of[g].push({ ...x, i });
    });
    return Object.entries(of).filter(([, l]) => l.length).map(([id, l]) => ({ id, list: l }));
  }

  let bars = [];
  function build() {
    bars = [];
    signals.replaceChildren(...groups().map((g) => h("div", { class: "stack" }, h("h3", { class: "small muted" }, t(`now.group.${g.id}`)),
      h("div", { class: "signals" }, g.list.map((x) => {
        const level = svg("rect", { class: "level", y: 2, height: 10, x: 0, width: 0 });
        const over = live.about.alarms.flatMap((a) => a.conditions.filter((c) => c.signal === x.name));
        const at = (v) => 100 * (v - x.min) / (x.max - x.min);
        const figure = h("span", { class: "figure" });
        bars.push({ x, level, figure, over, at });
        return h("div", { class: "signal" }, h("span", {}, unit(x.human)),
          svg("svg", { class: "bar", viewBox: "0 0 100 14", preserveAspectRatio: "none", "aria-hidden": "true" }, svg("rect", { class: "back", width: 100, height: 10, y: 2 }), level,
            over.map((c) => svg("line", { class: "mark", x1: at(c.limit), x2: at(c.limit), y1: 0, y2: 14 }))), figure);
      })))));
    list(outputs, [], (x) => x, null);
    list(inputs, [], (x) => x, null);
    for (const child of alarms.keyed?.values() ?? []) child.remove();
    alarms.keyed?.clear();
    alarms.replaceChildren();
    draw();
  }

  const line = () => h("li", {}, h("span", { class: "lamp", "aria-hidden": "true" }), unit(""), h("span", { class: "small muted" }));
  const paintLine = (child, x) => {
    set(child.children[0], "data-on", x.on);
    put(child.children[1], x.name);
    put(child.children[2], t(x.on ? x.words[0] : x.words[1]));
  };

  function draw() {
    const { about, state } = live;
    if (!about || !state) return;
    const show = {
      reading: [state.reason || !state.valid ? t("now.no") : t("now.yes"), ""], rate: [number(state.rate, 1), "/s"], latency: [number(state.latency_ms, 0), "ms"],
      available: [state.available === null ? "–" : number(100 * state.available, 1), "%"], dropped: [state.dropped, ""],
      temperature: [number(state.temperature, 0), state.temperature === null ? "" : "°C"], up: [span(state.up_ms / 1000), ""],
    };
    for (const f of figures) {
      const [v, u] = show[f.id];
      if (f.dd.said === v) continue;
      f.dd.said = v;
      f.dd.replaceChildren(String(v), u && h("small", {}, ` ${u}`));
    }
    blind.hidden = !state.reason;
    if (state.reason) put(blind, t("now.blind", { reason: known("reason.", state.reason), advice: known("advise.", state.advice ?? "") }));
    const shownAlarms = state.alarms.filter((a) => !only.checked || a.state !== "normal");
    none.hidden = shownAlarms.length > 0;
    put(none, t(state.alarms.length ? "now.all_normal" : "now.no_alarm"));
    list(alarms, shownAlarms, (a) => a.name, alarmCard, (child, a) => { child.paint(a); child.offer(a); child.limits(a); });
    noFault.hidden = state.faults.length > 0;
    list(faults, state.faults, (f) => f.code, () => h("li", { class: "fault" }, h("strong", {}), h("p", { class: "small" }), h("p", { class: "small" }), h("p", { class: "small code", translate: "no" })), (child, f) => {
      set(child, "data-stops", f.stops);
      put(child.children[0], `${f.code} ${known(`fault.${f.code}.`, "name")} · ${span(f.for_ms / 1000)}`);
      put(child.children[1], known(`fault.${f.code}.`, "meaning"));
      put(child.children[2], t("now.way_out", { text: known(`fault.${f.code}.`, "way_out") }));
      put(child.children[3], f.detail ?? "");
    });
    list(outputs, about.outputs.map((name, i) => ({ name, on: state.outputs[i], words: ["line.on", "line.off"] })), (x) => x.name, line, paintLine);
    list(inputs, about.inputs.map((name, i) => ({ name, on: state.inputs[i], words: ["line.active", "line.rest"] })), (x) => x.name, line, paintLine);
    for (const b of bars) {
      const v = state.levels[b.x.i];
      set(b.level, "width", v === null || v === undefined ? 0 : Math.max(0, Math.min(100, b.at(v))));
      set(b.level, "data-over", b.over.some((c) => (c.side === "below" ? v <= c.limit : v >= c.limit)) && v !== null);
      put(b.figure, number(v));
    }
    paintFacts(facts, about, state);
  }

  page.on("about", build);
  page.on("state", draw);
  if (live.about) build();
}

function paintFacts(facts, about, state) {
  const rows = [
    ["version", about.version], ["serial", about.serial || t("now.none")], ["purpose", about.purpose ? known("purpose.", about.purpose) : t("now.no_purpose")],
    ["clock", `${time(state.clock.time)} (${known("clock.", state.clock.source)})`],
    ["pilot", state.pilot?.recording ? t("now.recording") : t("now.not_recording")],
  ];
  list(facts, rows, (r) => r[0], (r) => h("div", { class: "pair" }, h("dt", {}, t(`now.fact.${r[0]}`)), h("dd", { translate: r[0] === "version" || r[0] === "serial" ? "no" : null })), (child, r) => put(child.lastChild, r[1]));
}
