// The shell: log-in, head, menu, and the view that the address names.
import { h, put, set, list, unit } from "./dom.js";
import { t, known, language, languages, speak, time } from "./language.js";
import { live } from "./live.js";
import * as api from "./api.js";
import { views } from "./views.js";

let user = null; // of /api/me
let open = null; // { stop, view } of the view that is shown
const body = document.body;

// Light or dark: what the system has, until a person chooses.
const dark = matchMedia("(prefers-color-scheme: dark)");
let theme = localStorage.getItem("mien.theme") ?? "auto";
function paint() {
  document.documentElement.dataset.theme = theme === "auto" ? (dark.matches ? "dark" : "light") : theme;
  dispatchEvent(new Event("theme"));
}
dark.addEventListener("change", paint);
paint();

function keep(key, value) {
  try { localStorage.setItem(key, value); } catch { /* private windows forget it */ }
}

// What is said to who cannot see it, and to who looks.
const spoken = h("p", { class: "only-read", role: "status", "aria-live": "polite" });
const alert = h("p", { class: "only-read", role: "alert" });
export function announce(text, now = false) { put(now ? alert : spoken, text); }

const select = (label, value, options, take, name) => h("label", { class: "chooser" }, h("span", { class: "only-read" }, label),
  h("select", { class: name, onchange: (e) => take(e.target.value) }, options.map(([v, text]) => h("option", { value: v, selected: v === value }, text))));

const tools = () => h("div", { class: "tools" },
  select(t("shell.language"), language(), languages.map((code) => [code, t(`language.${code}`)]), (v) => { speak(v); build(); }),
  select(t("shell.theme"), theme, ["auto", "light", "dark"].map((v) => [v, t(`theme.${v}`)]), (v) => { theme = v; keep("mien.theme", v); paint(); for (const other of document.querySelectorAll("select.theme")) other.value = v; }, "theme"));

/* ---- log-in ---- */

function login(why = "") {
  close();
  live.stop();
  user = null;
  document.title = t("login.title");
  const said = h("p", { class: "said", "data-bad": true, role: "alert", hidden: !why }, why);
  const name = h("input", { name: "name", autocomplete: "username", autocapitalize: "none", spellcheck: "false", required: true });
  const word = h("input", { name: "password", type: "password", autocomplete: "current-password", required: true });
  const send = h("button", { class: "main", type: "submit" }, t("login.do"));
  const form = h("form", { class: "panel form", novalidate: true, onsubmit: async (e) => {
    e.preventDefault();
    if (!name.value || !word.value) {
      say(t("login.empty"));
      (name.value ? word : name).focus();
      return;
    }
    send.disabled = true;
    try {
      user = await api.login(name.value, word.value);
      start();
    } catch (error) {
      say(error.status === 0 ? t("link.away") : error.status === 429 ? t("login.wait", { seconds: error.wait || "?" })
        : error.status === 401 ? t("login.wrong") : error.message);
      word.value = "";
      word.focus();
    } finally {
      send.disabled = false;
    }
  } }, h("h1", {}, t("login.title")), h("p", { class: "muted" }, t("login.how")), said,
  h("label", {}, h("span", {}, t("login.name")), name), h("label", {}, h("span", {}, t("login.password")), word), send);
  function say(text) { put(said, text); said.hidden = false; }
  body.replaceChildren(h("main", { class: "login", id: "main", tabindex: -1 }, form), h("footer", { class: "login" }, tools()));
  rebuild = () => login(why);
  name.focus();
}

/* ---- the frame ---- */

let rebuild = () => {};
function build() { rebuild(); }

const mayOpen = (view) => !view.needs || view.needs.some((word) => user.may.includes(word));

function start() {
  live.start();
  frame();
}

function frame() {
  close();
  rebuild = frame;
  const shell = h("div", { class: "shell" });
  const health = h("span", { class: "health", "data-state": "wait" }, h("span", { class: "mark", "aria-hidden": "true" }), h("span", {}));
  const clock = h("time", { class: "figure muted" });
  const menu = h("button", { class: "menu", type: "button", "aria-expanded": "false", "aria-controls": "nav", onclick: () => fold(!nav.hasAttribute("data-open")) }, t("shell.menu"));
  const name = unit("", { class: "name" });
  const nav = h("nav", { class: "nav", id: "nav", "aria-label": t("shell.views") }, h("ul", {}));
  const banner = h("div", { class: "banner", role: "alert", hidden: true }, h("p", {}));
  const main = h("main", { id: "main", tabindex: -1 });
  const fold = (on) => { set(nav, "data-open", on); set(menu, "aria-expanded", on ? "true" : "false"); };
  for (const view of views.filter(mayOpen)) {
    nav.firstChild.append(h("li", {}, h("a", { href: `#${view.id}`, "data-view": view.id, onclick: () => fold(false) },
      h("span", {}, t(`view.${view.id}`)), view.id === "alarms" && h("span", { class: "count", hidden: true }))));
  }
  const own = () => [tools(), h("span", { class: "muted small" }, unit(user.name), " · ", t(`role.${user.role}`)), h("button", { type: "button", onclick: leave }, t("shell.logout"))];
  nav.append(h("div", { class: "tools" }, own())); // where the head has no room for it
  nav.addEventListener("keydown", (e) => { if (e.key === "Escape") { fold(false); menu.focus(); } });
  shell.append(
    h("header", { class: "head" }, menu, name, health, clock, h("div", { class: "push tools" }, own()), banner),
    nav, main);
  body.replaceChildren(h("a", { class: "skip", href: "#main", onclick: (e) => { e.preventDefault(); main.focus(); } }, t("shell.skip")), shell, spoken, alert);

  const ends = new AbortController();
  const show = () => {
    const now = condition();
    set(health, "data-state", now.state);
    put(health.lastChild, now.text);
    put(name, live.about?.unit || user.unit || "mien");
    const bad = now.state === "away" || now.state === "stopped" && live.link === "lost";
    banner.hidden = !bad;
    put(banner.firstChild, bad ? now.long : "");
    shell.classList.toggle("old", bad);
    const waiting = live.state?.alarms.filter((a) => a.needs_ack).length ?? 0;
    const count = nav.querySelector(".count");
    if (count) {
      count.hidden = !waiting;
      put(count, waiting || "");
      set(count, "aria-label", waiting ? t("shell.waiting", { n: waiting }) : null);
    }
    document.title = `${waiting ? `(${waiting}) ` : ""}${t(`view.${open?.view.id ?? "now"}`)} · ${live.about?.unit || user.unit || "mien"}`;
    if (live.state) put(clock, time(live.state.at));
  };
  live.on("state", show, ends.signal);
  live.on("link", show, ends.signal);
  live.on("about", show, ends.signal);
  live.on("broken", () => api.me().catch(() => {}), ends.signal);
  live.on("bye", (why) => login(ended(why)), ends.signal);
  live.on("events", (fresh) => {
    const raised = fresh.filter((e) => e.event === "raise" && !e.refused && live.state && Date.parse(e.wall) > Date.now() - 10_000);
    if (raised.length) announce(raised.map((e) => t("shell.raised", { alarm: e.alarm })).join(". "), true);
  }, ends.signal);
  addEventListener("hashchange", () => go(main, nav, show), { signal: ends.signal });
  // That a person is there keeps the session, at most once a minute.
  let told = Date.now();
  const there = () => { if (Date.now() - told > 60_000) { told = Date.now(); api.me().catch(() => {}); } };
  for (const what of ["keydown", "pointerdown"]) addEventListener(what, there, { signal: ends.signal });
  frameEnds?.abort();
  frameEnds = ends;
  show();
  go(main, nav, show, true);
}
let frameEnds = null;

// condition is how the unit is, in a word for the head and a sentence for the banner.
function condition() {
  const s = live.state;
  if (live.link === "away") return { state: "away", text: t("link.away.word"), long: t("link.away") };
  if (live.link === "lost") return { state: "stopped", text: t("link.lost.word"), long: t("link.lost", { why: live.why }) };
  if (!s) return { state: "wait", text: t("link.wait") };
  if (s.faults.some((f) => f.stops)) return { state: "stopped", text: t("health.stopped") };
  if (!s.valid) return { state: "stopped", text: t("health.invalid") };
  if (s.faults.length) return { state: "fault", text: t("health.fault", { n: s.faults.length }) };
  if (s.reason) return { state: "blind", text: t("health.blind") };
  return { state: "running", text: t("health.running") };
}

async function go(main, nav, show, first = false) {
  const allowed = views.filter(mayOpen);
  const view = allowed.find((v) => v.id === location.hash.slice(1)) ?? allowed[0];
  for (const a of nav.querySelectorAll("a")) set(a, "aria-current", a.dataset.view === view.id ? "page" : null);
  const ends = new AbortController();
  close();
  const mine = (open = { view, stop: () => ends.abort() });
  show();
  let module;
  try {
    module = await view.load();
  } catch {
    if (open === mine) main.replaceChildren(h("p", { class: "said", "data-bad": true }, t("shell.unloaded")));
    return;
  }
  if (open !== mine) return;
  const root = h("div", { class: "view", "data-view": view.id });
  main.replaceChildren(root);
  module.show(root, {
    live, api, user, announce, signal: ends.signal,
    may: (word) => user.may.includes(word),
    on: (what, take) => live.on(what, take, ends.signal),
  });
  if (!first) { main.focus({ preventScroll: true }); scrollTo(0, 0); }
}

function close() {
  open?.stop();
  open = null;
}

async function leave() {
  await api.logout().catch(() => {});
  frameEnds?.abort();
  login();
}

const ended = (why) => (why ? t("login.ended", { why: known("bye.", why) }) : t("login.over"));
api.onLost((why) => { if (user) { frameEnds?.abort(); login(ended(why)); } });

try {
  user = await api.me();
  start();
} catch (error) {
  login(error.status === 0 ? t("link.away") : "");
}
