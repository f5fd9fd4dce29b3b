// Wiring: each output on or off for some seconds, each input as it is pressed, and the serial port's traffic.
import { h, put, set, list, unit } from "./dom.js";
import { t, span, time } from "./language.js";
import { act } from "./alarm.js";

const EACH = 1000; // between two looks at the port
const KEPT = 200; // frames on the page

export function show(root, page) {
  const { live, api } = page;
  const said = h("p", { class: "said top", hidden: true });
  page.said = (text, bad) => { said.hidden = !text; put(said, text); set(said, "data-bad", bad); };
  const testing = h("p", { class: "said", hidden: true, role: "status" });
  const lasts = h("select", {}, [3, 5, 10, 30, 60].map((v) => h("option", { value: v, selected: v === 5 }, t("plot.seconds", { n: v }))));
  const outputs = h("ul", { class: "lines wide live" }), inputs = h("ul", { class: "lines wide live" });
  const noOutput = h("p", { class: "none", hidden: true }, t("wiring.no_output")), noInput = h("p", { class: "none", hidden: true }, t("wiring.no_input"));
  const seconds = () => api.seconds(Number(lasts.value));
  const pressed = new Map(); // input -> { on, n, at }

  const port = h("p", { class: "muted" }), counts = h("dl", { class: "tiles", hidden: true });
  const stop = h("input", { type: "checkbox" });
  const frames = h("tbody", {}), noFrame = h("p", { class: "none" }, t("wiring.no_frame"));
  const search = h("input", { type: "search", autocomplete: "off", oninput: () => registers() });
  const rows = h("tbody", {}), map = h("section", { class: "panel", hidden: true }, h("header", {}, h("h2", {}, t("wiring.registers")), h("label", { class: "search" }, h("span", { class: "only-read" }, t("wiring.search")), search)),
    h("div", { class: "scroll tall", tabindex: 0, role: "region", "aria-label": t("wiring.registers") }, h("table", { class: "cards" },
      h("thead", {}, h("tr", {}, ["address", "register", "value", "meaning"].map((k) => h("th", { scope: "col" }, t(`wiring.${k}`))))), rows)));
  search.placeholder = t("wiring.search");

  root.append(h("div", { class: "title" }, h("h1", {}, t("view.wiring"))), said, testing,
    h("div", { class: "columns" },
      h("section", { class: "panel" }, h("header", {}, h("h2", {}, t("now.outputs")), h("label", {}, h("span", {}, t("wiring.for")), lasts)),
        h("p", { class: "small muted" }, t("wiring.how")), noOutput, outputs,
        h("div", { class: "do" }, act(page, t("wiring.all"), "test", () => ({ ask: "test", for: seconds() })), act(page, t("wiring.end"), "test", { ask: "test", for: 0 }))),
      h("section", { class: "panel" }, h("h2", {}, t("now.inputs")), h("p", { class: "small muted" }, t("wiring.press")), noInput, inputs)),
    h("section", { class: "panel" }, h("header", {}, h("h2", {}, t("wiring.serial")), h("label", { class: "check" }, stop, t("wiring.hold"))), port, counts, noFrame,
      h("div", { class: "scroll tall", tabindex: 0, role: "region", "aria-label": t("wiring.serial") }, h("table", { class: "cards frames" },
        h("thead", {}, h("tr", {}, ["time", "way", "bytes", "says"].map((k) => h("th", { scope: "col" }, t(`wiring.${k}`))))), frames))), map);

  const line = (words) => (x) => {
    const child = h("li", {}, h("span", { class: "lamp", "aria-hidden": "true" }), h("strong", {}, unit(x.name)), h("span", { class: "small muted" }), words(x));
    return child;
  };
  const outputRow = line((x) => h("div", { class: "do" }, [true, false].map((on) => {
    const b = act(page, t(on ? "wiring.on" : "wiring.off"), "test", () => ({ ask: "test", output: x.name, on, for: seconds() }));
    set(b, "aria-label", t("wiring.of", { do: t(on ? "wiring.on" : "wiring.off"), output: x.name }));
    return b;
  })));
  const inputRow = line(() => h("span", { class: "figure small" }));

  function draw() {
    const { about, state } = live;
    if (!about || !state) return;
    noOutput.hidden = about.outputs.length > 0;
    noInput.hidden = about.inputs.length > 0;
    testing.hidden = !state.test_ms;
    if (state.test_ms) put(testing, t("wiring.testing", { what: state.tested || t("wiring.every"), time: span(Math.ceil(state.test_ms / 1000)) }));
    list(outputs, about.outputs.map((name, i) => ({ name, on: state.outputs[i] })), (x) => x.name, outputRow, (child, x) => {
      set(child.children[0], "data-on", x.on);
      put(child.children[2], t(x.on ? "line.on" : "line.off"));
    });
    list(inputs, about.inputs.map((name, i) => ({ name, on: state.inputs[i] })), (x) => x.name, inputRow, (child, x) => {
      const was = pressed.get(x.name) ?? { on: x.on, n: 0 };
      if (x.on !== was.on) {
        if (x.on) { was.n++; was.at = state.at; }
        page.announce(t("wiring.is", { input: x.name, state: t(x.on ? "line.active" : "line.rest") }));
      }
      was.on = x.on;
      pressed.set(x.name, was);
      set(child.children[0], "data-on", x.on);
      put(child.children[2], t(x.on ? "line.active" : "line.rest"));
      put(child.children[3], was.n ? t("wiring.pressed", { n: was.n, time: time(was.at) }) : t("wiring.not_pressed"));
    });
  }
  page.on("state", draw);
  page.on("about", draw);
  draw();

  // The port is asked once a second while the view is seen: nothing of it is kept for nobody.
  let newest = 0, kept = [], held = [], waits = false;
  async function ask() {
    if (document.hidden || waits) return;
    waits = true;
    try {
      const { serial } = await api.ask({ ask: "serial", after: newest });
      if (page.signal.aborted) return;
      put(port, serial.protocol ? t("wiring.port", { protocol: serial.protocol, port: serial.port }) : t("wiring.no_port"));
      const last = serial.frames.at(-1)?.n ?? newest;
      if (last < newest) kept = []; // another port
      newest = last;
      kept = kept.concat(serial.frames).slice(-KEPT);
      if (!stop.checked) traffic();
      counts.hidden = !serial.counts?.length;
      list(counts, serial.counts ?? [], (c) => c.name, (c) => h("div", { class: "tile" }, h("dt", {}, t(`serial.${c.name}`)), h("dd", {})), (child, c) => put(child.lastChild, c.n));
      held = serial.registers ?? [];
      map.hidden = !held.length;
      registers();
    } catch (error) {
      if (error.status !== 401) put(port, error.status ? error.message : t("link.away"));
    } finally {
      waits = false;
    }
  }
  function traffic() {
    noFrame.hidden = kept.length > 0;
    list(frames, kept.slice().reverse(), (f) => f.n, (f) => h("tr", {}, h("td", { class: "figure inline" }, time(f.at)), h("td", { class: "inline word" }, t(f.out ? "wiring.out" : "wiring.in")),
      h("td", { class: "code bytes", translate: "no" }, f.text ? f.raw.replace(/(..)(?=.)/g, "$1 ") : f.raw), h("td", { translate: "no" }, f.text ?? "")));
  }
  function registers() {
    const words = search.value.trim().toLowerCase();
    const fits = held.filter((r) => !words || r.name.includes(words) || String(r.address) === words || r.meaning.toLowerCase().includes(words));
    list(rows, fits, (r) => `${r.space} ${r.address}`, (r) => h("tr", {}, h("td", { class: "inline small", translate: "no" }, `${r.space} ${r.address}`), h("td", { class: "inline", translate: "no" }, h("strong", {}, r.name)),
      h("td", { class: "figure inline", translate: "no" }), h("td", { class: "small muted", translate: "no" }, r.meaning)), (child, r) => put(child.children[2], r.value === "" ? "–" : `${r.value} ${r.unit ?? ""}`.trim()));
  }
  ask();
  const clock = setInterval(ask, EACH);
  page.signal.addEventListener("abort", () => clearInterval(clock));
}
