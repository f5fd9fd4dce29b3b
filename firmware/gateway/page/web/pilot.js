// Pilot: start, mark, lead a person through a drill, the report, and the limits that marks recommend.
import { h, put, set, list, unit } from "./dom.js";
import { t, known, number, span, moment, language } from "./language.js";
import { act } from "./alarm.js";
import { change } from "./change.js";
import { study } from "./study.js";
import { decimal } from "./limits.js";
import { scripts } from "./drills.js";

export function show(root, page) {
  const { live, api } = page;
  const said = h("p", { class: "said top", hidden: true });
  page.said = (text, bad) => { said.hidden = !text; put(said, text); set(said, "data-bad", bad); };

  /* What is so, and beginning and ending it. */
  const facts = h("dl", { class: "pairs" });
  const trouble = h("p", { class: "said", "data-bad": true, hidden: true });
  const purpose = h("input", { maxlength: 200, autocomplete: "off" }), days = h("input", { type: "number", min: 0.1, max: 90, step: "any", value: 14 });
  const start = act(page, t("pilot.start"), "pilot.start", () => {
    if (!purpose.value.trim() || !(Number(days.value) > 0)) { page.said(t("pilot.needs"), true); page.announce(t("pilot.needs"), true); purpose.focus(); return null; }
    return { ask: "pilot", pilot: "start", text: purpose.value.trim(), for: api.seconds(Number(days.value) * 86400) };
  }, { class: "main" });
  const form = h("div", { class: "fields" }, h("label", {}, h("span", {}, t("pilot.purpose")), purpose), h("label", {}, h("span", {}, t("pilot.days")), days), h("div", { class: "do" }, start));
  const stop = act(page, t("pilot.stop"), "pilot.stop", { ask: "pilot", pilot: "stop" });

  /* Marks. */
  const which = h("select", {}), ago = h("select", {}, [0, 10, 30, 60, 300].map((v) => h("option", { value: v }, v ? t("pilot.ago", { time: span(v) }) : t("pilot.just_now"))));
  const mark = (word, extra = () => ({})) => act(page, t(`pilot.${word}`), "mark", () => ({ ask: "mark", mark: word, alarm: which.value, ...extra() }), { class: "big" });
  const marks = h("section", { class: "panel" }, h("h2", {}, t("pilot.marks")), h("p", { class: "small muted" }, t("pilot.marks_how")),
    h("div", { class: "fields" }, h("label", {}, h("span", {}, t("pilot.which")), which), h("label", {}, h("span", {}, t("pilot.when")), ago)),
    h("div", { class: "do" }, mark("right"), mark("false"), mark("missed", () => ({ for: api.seconds(Number(ago.value)) })), mark("withdraw")));

  /* A drill. */
  const script = h("select", {}, scripts.map((d, i) => h("option", { value: i }, known("script.", d.name))));
  const lead = h("button", { type: "button", class: "main", disabled: !page.may("pilot.drill"), onclick: () => drill(page, scripts[Number(script.value)]) }, t("drill.start"));
  const drills = h("section", { class: "panel" }, h("h2", {}, t("pilot.drill")), h("p", { class: "small muted" }, t("drill.how")), h("div", { class: "fields" }, h("label", {}, h("span", {}, t("drill.script")), script), h("div", { class: "do" }, lead)));

  /* Report and limits, by what mistakes cost. */
  const cost = (value) => h("input", { type: "number", min: 0, step: "any", value, required: true });
  const costs = { false: cost(1), missed: cost(10), most: cost(1) };
  const given = () => ({ cost_false: Number(costs.false.value), cost_missed: Number(costs.missed.value), most_false: Number(costs.most.value) });
  const money = h("section", { class: "panel" }, h("h2", {}, t("pilot.costs")), h("p", { class: "small muted" }, t("pilot.costs_how")),
    h("div", { class: "fields" }, ["false", "missed", "most"].map((k) => h("label", {}, h("span", {}, t(`pilot.cost_${k}`)), costs[k]))));
  const report = study(page, { title: t("pilot.report"), how: t("pilot.report_how"), label: t("pilot.make"), begin: () => ({ do: "report", ...given(), language: language() }),
    say: (now) => h("p", {}, h("a", { class: "button", href: "/api/report", target: "_blank", rel: "noopener" }, t("pilot.open", { kb: Math.ceil(now.size / 1024) }))) });
  const ofAlarm = h("select", {});
  const panel = change(page, { done: () => {} });
  panel.element.hidden = true;
  let asked = null;
  const tune = study(page, { title: t("pilot.tune"), how: t("pilot.tune_how"), label: t("pilot.search"), fields: h("label", {}, h("span", {}, t("limits.alarm")), ofAlarm),
    begin: () => { asked = condition(ofAlarm.value); panel.element.hidden = true; return asked && { do: "tune", ...given(), signal: asked.signal, below: asked.side === "below" }; },
    say: ({ result: r }) => found(r) });
  root.append(h("div", { class: "title" }, h("h1", {}, t("view.pilot"))), said,
    h("div", { class: "columns" }, h("section", { class: "panel" }, h("h2", {}, t("pilot.now")), trouble, facts, form, h("div", { class: "do" }, stop)), marks, drills),
    ...(page.may("study") ? [money, h("div", { class: "columns" }, report.element, h("div", { class: "stack" }, tune.element, panel.element))] : []));

  function condition(name) {
    const a = live.about?.alarms.find((x) => x.name === name);
    return a && a.conditions.length === 1 ? { alarm: a.name, ...a.conditions[0] } : null;
  }

  function fill() {
    const names = live.about.alarms.map((a) => a.name), one = live.about.alarms.filter((a) => a.conditions.length === 1).map((a) => a.name);
    which.replaceChildren(h("option", { value: "" }, t("pilot.newest")), ...names.map((n) => h("option", { value: n, translate: "no" }, n)));
    ofAlarm.replaceChildren(...one.map((n) => h("option", { value: n, translate: "no" }, n)));
  }

  function draw() {
    const p = live.state?.pilot;
    if (!p) return;
    const rows = [["state", p.recording ? t("pilot.recording", { at: moment(p.ends) }) : p.allowed ? t("now.not_recording") : t("pilot.not_allowed")]];
    if (p.purpose) rows.push(["purpose", p.purpose]);
    if (!p.recording && p.ended) rows.push(["ended", p.ended]);
    rows.push(["files", t("pilot.size", { files: p.files ?? 0, mb: number((p.bytes ?? 0) / 1e6, 1) })], ["frames", t("pilot.frames_of", { n: p.frames ?? 0, lost: p.dropped ?? 0 })],
      ["counted", t("pilot.counts", { right: p.marks_right ?? 0, false: p.marks_false ?? 0, missed: p.marks_missed ?? 0 })]);
    list(facts, rows, (r) => r[0], (r) => h("div", { class: "pair" }, h("dt", {}, t(`pilot.${r[0]}`)), h("dd", { translate: r[0] === "purpose" || r[0] === "ended" ? "no" : null })), (child, r) => put(child.lastChild, r[1]));
    trouble.hidden = !p.trouble;
    put(trouble, p.trouble ? t("pilot.trouble", { why: p.trouble }) : "");
    form.hidden = p.recording;
    stop.hidden = !p.recording;
    lead.disabled = !p.recording || !page.may("pilot.drill");
  }
  page.on("about", fill);
  page.on("state", draw);
  if (live.about) fill();
  draw();

  // found shows the limit of least cost beside the one in force.
  function found(r) {
    if (!r) return h("p", { class: "none" }, t("pilot.nothing"));
    const between = (f, k, times = 1, unit_ = "") => (f[k] === null || f[k] === undefined ? "–" : `${number(times * f[k], 1)}${unit_} [${number(times * f[`${k === "missed_share" ? "missed" : k === "cost_per_shift" ? "cost" : k}_low`], 1)}–${number(times * f[`${k === "missed_share" ? "missed" : k === "cost_per_shift" ? "cost" : k}_high`], 1)}]`);
    const row = (name, f) => f && h("tr", {}, h("th", { scope: "row" }, name), h("td", { class: "figure inline" }, number(f.limit, 3)), h("td", { class: "figure inline" }, f.on_delay === undefined || f.on_delay === null ? "–" : `${f.on_delay} s / ${f.off_delay} s`),
      h("td", { class: "figure inline" }, between(f, "false_per_shift")), h("td", { class: "figure inline" }, between(f, "missed_share", 100, " %")));
    const table = h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": t("pilot.tune") }, h("table", {}, h("thead", {}, h("tr", {}, ["settings", "limit", "delays", "false_shift", "missed_share"].map((k) => h("th", { scope: "col" }, t(`tune.${k}`))))),
      h("tbody", {}, row(t("tune.force"), r.in_force), row(t("tune.best"), r))));
    const notes = [h("p", { class: "small" }, t("tune.observed", { hours: number(r.hours, 2), sessions: r.sessions, events: r.present }))];
    for (const n of r.notes ?? []) notes.push(h("p", { class: "small muted", translate: "no" }, n));
    if (!r.enough) return [table, ...notes, h("p", { class: "said" }, t("tune.needs")), h("ul", { class: "stack" }, String(r.needs ?? "").split("; ").filter(Boolean).map((n) => h("li", { translate: "no" }, n)))];
    return [table, ...notes, h("div", { class: "do" }, h("button", { type: "button", disabled: !page.may("config.apply"), onclick: () => take(r) }, t("tune.take")))];
  }

  async function take(r) {
    try {
      const { config } = await api.ask({ ask: "config" });
      const path = `alarm[${asked.alarm}].`;
      const made = await api.ask({ ask: "config", config: { do: "set", text: config.text, keys: [{ path: path + r.side, value: decimal(r.limit) }, { path: `${path}deadband`, value: decimal(r.deadband) },
        { path: `${path}on_delay`, value: `"${r.on_delay}s"` }, { path: `${path}off_delay`, value: `"${r.off_delay}s"` }] } });
      panel.element.hidden = false;
      panel.why.value = t("tune.why");
      panel.look(made.config.text, config.base);
    } catch (error) {
      tune.tell(error.status === 0 ? t("link.away") : error.message, true);
    }
  }
}

// A drill fills the screen: one large sentence, how long, and a tone at each step. What was asked of the
// person is told to the unit as it is shown; a drill that is not gone through counts for nothing.
function drill(page, script) {
  const { api, live } = page;
  const words = h("p", { class: "words", "aria-live": "assertive" }), left = h("p", { class: "left figure" }), step = h("p", { class: "muted" });
  const bar = h("div", { class: "progress", "aria-hidden": "true" }, h("div", {}));
  const end = h("button", { type: "button", onclick: () => over("broken") }, t("drill.stop"));
  const dialog = h("dialog", { class: "drill", "aria-label": t("pilot.drill") }, h("div", {}, step, words, left, bar, end));
  const number_ = Array.from(crypto.getRandomValues(new Uint8Array(6)), (b) => b.toString(16).padStart(2, "0")).join("");
  const has = (names) => (names ?? []).filter((n) => live.about?.signals.some((x) => x.name === n));
  const sounds = new AudioContext();
  let clock, at = -1, until = 0, done = false;

  function tone(high) {
    const o = sounds.createOscillator(), gain = sounds.createGain(), now = sounds.currentTime;
    o.frequency.value = high ? 880 : 587;
    gain.gain.setValueAtTime(0.0001, now);
    gain.gain.exponentialRampToValueAtTime(0.5, now + 0.02);
    gain.gain.exponentialRampToValueAtTime(0.0001, now + 0.45);
    o.connect(gain).connect(sounds.destination);
    o.start(now);
    o.stop(now + 0.5);
  }

  const send = (one, state) => api.ask({ ask: "pilot", pilot: "drill", drill: { script: script.name, number: number_, reaction: api.seconds(script.reaction), state, present: one ? has(one.present) : [], absent: one ? has(one.absent) : [] } });

  async function next() {
    if (done) return;
    at++;
    const one = script.steps[at];
    if (!one) { over("ended"); return; }
    put(words, one[language()] ?? one.en);
    put(step, t("drill.step", { n: at + 1, of: script.steps.length }));
    until = performance.now() + one.seconds * 1000;
    tone(one.present?.length > 0);
    try {
      await send(one, 0);
    } catch (error) {
      over("broken", error.status === 0 ? t("link.away") : error.message);
    }
  }

  function tick() {
    const rest = (until - performance.now()) / 1000, one = script.steps[at];
    if (!one || done) return;
    put(left, span(Math.max(0, Math.ceil(rest))));
    bar.firstChild.style.width = `${Math.min(100, 100 * (1 - rest / one.seconds))}%`;
    if (rest <= 0) next();
  }

  async function over(how, why = "") {
    if (done) return;
    done = true;
    clearInterval(clock);
    tone(false);
    try {
      await send(null, how === "ended" ? 1 : 2);
    } catch (error) {
      how = "broken";
      why ||= error.status === 0 ? t("link.away") : error.message;
    }
    put(words, t(`drill.${how}`));
    put(step, why);
    put(left, "");
    bar.hidden = true;
    end.replaceWith(h("button", { type: "button", class: "main", onclick: () => dialog.close() }, t("drill.close")));
    dialog.querySelector("button").focus();
    setTimeout(() => sounds.close(), 1000);
  }

  dialog.addEventListener("cancel", (e) => { if (!done) { e.preventDefault(); over("broken"); } });
  dialog.addEventListener("close", () => { if (!done) over("broken"); dialog.remove(); });
  page.signal.addEventListener("abort", () => { if (!done) over("broken"); dialog.close(); }, { once: true });
  addEventListener("pagehide", () => { if (!done) over("broken"); }, { once: true });
  document.body.append(dialog);
  dialog.showModal();
  clock = setInterval(tick, 100);
  next();
}
