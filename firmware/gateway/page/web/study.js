// A study of the recordings: the unit begins it, and is asked now and then how it fares.
import { h, put, set } from "./dom.js";
import { t, span } from "./language.js";

// study builds a panel. begin() gives what is asked for, null for nothing; say(study) gives elements that
// show what came of it; fields are put above the button.
export function study(page, { title, how, begin, say, fields = [], label = t("study.begin") }) {
  const start = h("button", { type: "button", onclick: go }, label), stop = h("button", { type: "button", hidden: true, onclick: end }, t("study.stop"));
  start.disabled = !page.may("study");
  const said = h("p", { class: "said", role: "status", hidden: true }), out = h("div", { class: "stack" });
  const element = h("section", { class: "panel", "aria-label": title }, h("h2", {}, title), how && h("p", { class: "small muted" }, how), fields, h("div", { class: "do" }, start, stop), said, out);
  let clock, mine = "";

  function tell(text, bad) { said.hidden = !text; put(said, text); set(said, "data-bad", bad); }
  const wrong = (error) => tell(error.status === 0 ? t("link.away") : error.status === 403 ? t("said.forbidden") : error.message, true);

  async function go() {
    const ask = begin();
    if (!ask) return;
    out.replaceChildren();
    try {
      await page.api.ask({ ask: "study", study: ask });
      mine = ask.do;
      look();
    } catch (error) { wrong(error); }
  }

  async function look() {
    clearTimeout(clock);
    if (page.signal.aborted) return;
    try {
      const now = (await page.api.ask({ ask: "study" })).study;
      if (now.do !== mine) { start.hidden = false; stop.hidden = true; return; }
      start.hidden = now.going;
      stop.hidden = !now.going;
      if (now.going) {
        tell(t("study.going", { time: span(now.took / 1e9) }));
        clock = setTimeout(look, 700);
        return;
      }
      if (now.failed) { tell(now.failed, true); return; }
      tell(t("study.done", { time: span(now.took / 1e9) }));
      page.announce(t("study.done", { time: span(now.took / 1e9) }));
      out.replaceChildren(...[say(now)].flat());
    } catch (error) {
      if (error.status !== 401) wrong(error);
      if (error.status === 0 || error.status === 503) clock = setTimeout(look, 2000);
    }
  }

  async function end() { await page.api.ask({ ask: "study", study: { do: "stop" } }).catch(wrong); }

  page.signal.addEventListener("abort", () => clearTimeout(clock));
  return { element, tell };
}
