// A change of the config on its way: what is wrong with it, what it costs the running unit, what must be
// confirmed, and applying it. Config, Limits and Pilot use it.
import { h, put, set, list } from "./dom.js";
import { t, known } from "./language.js";

// change builds the panel. look(text) checks a text; done(why) is called when the unit has taken one over.
// go(line) is called when a person wants to see a problem's line, where a view can show it.
export function change(page, { done, go }) {
  const problems = h("ul", { class: "stack problems" });
  const costs = h("ul", { class: "stack", "aria-label": t("change.costs") });
  const dangers = h("ul", { class: "stack" }), sure = h("input", { type: "checkbox", onchange: () => offer() });
  const danger = h("div", { class: "said", "data-bad": true, hidden: true }, h("p", {}, h("strong", {}, t("change.danger"))), dangers, h("label", { class: "check" }, sure, t("change.sure")));
  const why = h("input", { maxlength: 200, autocomplete: "off" });
  const apply = h("button", { type: "button", class: "main", disabled: true, onclick: put_ }, t("change.apply"));
  const said = h("p", { class: "said", role: "status", hidden: true });
  const element = h("section", { class: "panel", "aria-label": t("change.title") }, h("h2", {}, t("change.title")), said, problems, costs, danger,
    h("label", {}, h("span", {}, t("change.why")), why), h("div", { class: "do" }, apply));
  let text = "", base = "", result = null, number = 0;

  function say(words, bad) { said.hidden = !words; put(said, words ?? ""); set(said, "data-bad", bad); }
  const failed = (error) => (error.status === 0 ? t("link.away") : error.status === 403 ? t("said.forbidden") : error.message);

  // look asks what a text would do; base names the file that it was made from.
  async function look(next, from) {
    text = next;
    base = from;
    const mine = ++number;
    set(element, "data-wait", true);
    try {
      const reply = await page.api.ask({ ask: "config", config: { do: "check", text } });
      if (mine !== number) return null;
      result = reply.config;
      say("");
    } catch (error) {
      if (mine !== number) return null;
      result = error.status === 409 ? { problems: [{ text: error.message }] } : null;
      say(failed(error), true);
    }
    set(element, "data-wait", null);
    sure.checked = false;
    draw();
    return result;
  }

  function draw() {
    const found = result?.problems ?? [], changes = result?.changes ?? [];
    list(problems, found, (p) => JSON.stringify(p), (p) => {
      const words = [h("span", { translate: "no" }, `${p.key ? `${p.key}: ` : ""}${p.text}`),
        p.did_you_mean && h("p", {}, t("change.mean", { word: p.did_you_mean })), p.allowed && h("p", { class: "small muted" }, t("change.allowed", { allowed: p.allowed }))];
      const head = h("strong", {}, p.warning ? t("change.warning") : t("change.mistake"), p.line ? ` · ${t("change.line", { line: p.line })}` : "");
      return h("li", { class: "fault", "data-stops": !p.warning }, p.line && go ? h("button", { type: "button", class: "plain", onclick: () => go(p.line) }, head) : head, words);
    });
    costs.hidden = !changes.length;
    list(costs, changes, (c) => JSON.stringify(c), (c) => h("li", { class: "changed" }, h("strong", { translate: "no" }, c.path), h("span", { class: "figure", translate: "no" }, `${c.from || "–"} → ${c.to || "–"}`),
      h("span", { class: "small muted" }, t("change.cost", { cost: known("takes.", c.takes) }))));
    danger.hidden = !result?.dangers?.length;
    list(dangers, result?.dangers ?? [], (d) => d, (d) => h("li", { translate: "no" }, d));
    if (result && !found.length && !changes.length) say(t("change.none"));
    offer();
  }

  function offer() {
    const wrong = !result || (result.problems ?? []).some((p) => !p.warning);
    apply.disabled = wrong || !page.may("config.apply") || !(result.changes?.length || element.anyway) || (result.dangers?.length > 0 && !sure.checked);
  }

  async function put_() {
    apply.disabled = true;
    try {
      const reply = await page.api.ask({ ask: "config", config: { do: "apply", text, base, why: why.value.trim(), confirm: sure.checked } });
      const words = reply.done?.length ? t("change.done") : t("change.nothing");
      result = null;
      draw();
      say(words);
      page.announce(words);
      why.value = "";
      done?.();
    } catch (error) {
      if (error.status === 409 && /somebody else/.test(error.message)) say(t("change.other"), true);
      else say(failed(error), true);
      page.announce(said.textContent, true);
      offer();
    }
  }

  // clear begins anew; keep leaves standing what came of the change before.
  return { element, look, say, offer, why, clear(keep = false) { number++; result = null; if (!keep || said.hasAttribute("data-bad")) say(""); draw(); } };
}
