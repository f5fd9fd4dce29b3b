// About: what runs here, on what it was trained, what is open to the network, and the notice for the wall.
import { h, put, set } from "./dom.js";
import { t, known, number } from "./language.js";
import { ask } from "./alarms.js";

export function show(root, page) {
  const { live, api } = page;
  const facts = h("dl", { class: "pairs" }), said = h("p", { class: "said", role: "status", hidden: true });
  const say = (text, bad) => { said.hidden = false; put(said, text); set(said, "data-bad", bad); };
  const other = h("button", { type: "button", onclick: () => ask(page, t("password.change"), "", [{ id: "name", whose: page.user.name },
    { id: "old", label: t("password.old"), type: "password", autocomplete: "current-password", required: true }, { id: "next", label: t("password.next"), type: "password", autocomplete: "new-password", required: true },
    { id: "again", label: t("password.again"), type: "password", autocomplete: "new-password", required: true }], change) }, t("password.change"));
  async function change({ old, next, again }) {
    if (next !== again) { say(t("password.differ"), true); return; }
    try {
      await api.password(old, next);
      say(t("password.done"));
    } catch (error) {
      say(error.status === 0 ? t("link.away") : error.status === 403 ? t("password.wrong") : error.status === 429 ? t("login.wait", { seconds: error.wait || "?" }) : error.message, true);
    }
  }
  const open = h("div", { class: "stack" }), card = h("div", { class: "stack" }, h("p", { class: "none" }, t("about.wait")));
  const licences = h("pre", { class: "code scroll", tabindex: 0, translate: "no" });
  root.append(h("div", { class: "title" }, h("h1", {}, t("view.about"))),
    h("div", { class: "columns" }, h("section", { class: "panel" }, h("h2", {}, t("about.unit")), facts, h("div", { class: "do" }, other), said), h("section", { class: "panel" }, h("h2", {}, t("about.network")), open)),
    h("section", { class: "panel" }, h("h2", {}, t("about.card")), card), notice(page),
    h("section", { class: "panel" }, h("h2", {}, t("about.licences")), h("p", {}, t("about.licences_how")), licences));

  const pair = (k, v, own = true) => h("div", { class: "pair" }, h("dt", {}, t(`about.${k}`)), h("dd", { translate: own ? "no" : null }, v));
  api.get("/api/about").then((a) => {
    facts.replaceChildren(pair("name", live.about?.unit || page.user.unit), pair("version", a.version), pair("go", a.go),
      pair("purpose", live.about?.purpose ? known("purpose.", live.about.purpose) : t("now.no_purpose"), false), pair("users", a.users),
      pair("you", h("span", {}, page.user.name, " · ", t(`role.${page.user.role}`)), true));
    open.replaceChildren(h("p", {}, t("about.promise")), ...(a.listens ?? []).map((l) => h("dl", { class: "pairs" }, pair("what", known("listen.", l.what), false), pair("address", l.address),
      pair("tls", t(l.tls ? "about.tls_on" : "about.tls_off"), false), l.fingerprint ? pair("fingerprint", h("span", { class: "code" }, l.fingerprint)) : null)));
    put(licences, a.licences ?? "");
  }, (error) => open.replaceChildren(h("p", { class: "said", "data-bad": true }, error.status ? error.message : t("link.away"))));

  api.ask({ ask: "card" }).then(({ card: c }) => card.replaceChildren(...paint(c)), (error) => card.replaceChildren(h("p", { class: "said", "data-bad": true }, error.status ? error.message : t("link.away"))));
}

// paint shows the model card, whatever is in it: figures as a table, lists as lists.
function paint(card) {
  const out = [];
  const simple = (v) => v === null || typeof v !== "object";
  const words = (k) => k.replaceAll("_", " ");
  const rows = [];
  for (const [k, v] of Object.entries(card)) if (simple(v) && v !== "" && v !== null) rows.push(h("div", { class: "pair" }, h("dt", {}, words(k)), h("dd", {}, typeof v === "number" ? String(v) : String(v))));
  out.push(h("dl", { class: "pairs", translate: "no" }, rows));
  for (const [k, v] of Object.entries(card)) {
    if (simple(v)) continue;
    out.push(h("details", { translate: "no" }, h("summary", {}, words(k)), tree(v)));
  }
  return out;

  function tree(v) {
    if (simple(v)) return h("span", {}, String(v));
    if (Array.isArray(v)) return v.every(simple) ? h("span", {}, v.map((x) => (typeof x === "number" && !Number.isInteger(x) ? number(x, 3) : x)).join(", ")) : h("ul", { class: "stack" }, v.map((x) => h("li", {}, tree(x))));
    return h("dl", { class: "pairs small" }, Object.entries(v).map(([k, x]) => h("div", { class: "pair" }, h("dt", {}, words(k)), h("dd", {}, tree(x)))));
  }
}

// The notice for the wall, to fill in and print, in both languages whatever the page speaks.
function notice(page) {
  const purpose = page.live.about?.purpose;
  const sheet = (at) => h("div", { class: "notice", lang: at === 0 ? "en" : "ja" }, h("h3", {}, t("notice.title", null, at)),
    ["for", "does", "not", "kept", ...(purpose ? ["emotion"] : []), "who", "council"].map((k) => h("p", {}, h("strong", {}, t(`notice.${k}.word`, null, at)), " ", h("span", { contenteditable: "plaintext-only", role: "textbox", "aria-label": t(`notice.${k}.word`, null, at), "aria-multiline": "true", tabindex: 0 }, t(`notice.${k}`, null, at)))));
  return h("section", { class: "panel" }, h("header", {}, h("h2", {}, t("about.notice")), h("button", { type: "button", class: "no-print", onclick: () => {
    document.body.classList.add("print-notice");
    addEventListener("afterprint", () => document.body.classList.remove("print-notice"), { once: true });
    print();
  } }, t("about.print"))), h("p", { class: "muted no-print" }, t("about.notice_how")), h("div", { class: "columns" }, sheet(0), sheet(1)));
}
