// Config: the whole file, with its mistakes by line, what a change costs, and the versions before.
import { h, put, set, list, unit } from "./dom.js";
import { t, moment } from "./language.js";
import { change } from "./change.js";

export function show(root, page) {
  const file = h("span", { class: "muted code", translate: "no" });
  const text = h("textarea", { class: "code", spellcheck: "false", autocapitalize: "none", autocomplete: "off", wrap: "off", rows: 28, "aria-label": t("config.text"), translate: "no" });
  const gutter = h("pre", { class: "gutter code", "aria-hidden": "true" });
  const back = h("button", { type: "button", onclick: () => load() }, t("config.load"));
  const versions = h("ul", { class: "stack" }), none = h("p", { class: "none" }, t("config.no_version"));
  const panel = change(page, { done: () => load(true), go: (line) => at(line) });
  root.append(h("div", { class: "title" }, h("h1", {}, t("view.config")), file),
    h("div", { class: "wide-left" },
      h("section", { class: "panel" }, h("header", {}, h("h2", {}, t("config.text")), h("div", { class: "do" }, back)), h("div", { class: "editor" }, gutter, text)),
      h("div", { class: "stack" }, panel.element, h("section", { class: "panel" }, h("h2", {}, t("config.versions")), none, versions))));

  let base = "", due;
  text.disabled = true;

  async function load(keep = false) {
    try {
      const { config } = await page.api.ask({ ask: "config" });
      base = config.base;
      put(file, config.file);
      text.value = config.text;
      text.disabled = false;
      none.hidden = !!config.versions?.length;
      list(versions, config.versions ?? [], (v) => v.id, (v) => h("li", { class: "version" },
        h("div", {}, h("strong", { class: "figure" }, moment(v.at)), h("p", { class: "small muted" }, t("config.until", { who: "" }), unit(v.who), v.why ? unit(`: ${v.why}`) : "")),
        h("button", { type: "button", "aria-label": `${t("config.take")}: ${moment(v.at)}`, onclick: () => take(v) }, t("config.take"))));
      number([]);
      if (!keep) panel.clear();
    } catch (error) {
      panel.say(error.status ? error.message : t("link.away"), true);
    }
  }

  async function take(v) {
    try {
      const { config } = await page.api.ask({ ask: "config", config: { do: "version", id: v.id } });
      text.value = config.text;
      panel.why.value = t("config.back_to", { at: moment(v.at) });
      look();
    } catch (error) {
      panel.say(error.status ? error.message : t("link.away"), true);
    }
  }

  // number draws the lines' numbers; those with a mistake are marked.
  function number(problems) {
    const wrong = new Map(problems.filter((p) => p.line).map((p) => [p.line, p.warning]));
    const lines = text.value.split("\n").length;
    gutter.replaceChildren(...Array.from({ length: lines }, (_, i) => h("span", { "data-bad": wrong.get(i + 1) === false, "data-warn": wrong.get(i + 1) === true }, `${wrong.has(i + 1) ? "▶ " : ""}${i + 1}\n`)));
    gutter.scrollTop = text.scrollTop;
  }

  async function look() {
    clearTimeout(due);
    const result = await panel.look(text.value, base);
    if (!result) return;
    const wrong = (result.problems ?? []).filter((p) => !p.warning);
    number(result.problems ?? []);
    set(text, "aria-invalid", wrong.length ? "true" : null);
    if (wrong.length) page.announce(t("config.wrong", { n: wrong.length }));
  }

  // at puts the cursor to the begin of a line and shows it.
  function at(line) {
    const lines = text.value.split("\n");
    const from = lines.slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
    text.focus();
    text.setSelectionRange(from, from + (lines[line - 1]?.length ?? 0));
    text.scrollTop = (line - 4) * parseFloat(getComputedStyle(text).lineHeight);
  }

  text.addEventListener("input", () => { number([]); clearTimeout(due); due = setTimeout(look, 600); });
  text.addEventListener("scroll", () => { gutter.scrollTop = text.scrollTop; });
  page.signal.addEventListener("abort", () => clearTimeout(due));
  load();
}
