// Alarms and events: what a person may do about each alarm, by the unit's own rules, and the journal.
import { h, put, set, list, unit } from "./dom.js";
import { t, known, number, span, moment } from "./language.js";
import { badge, paintBadge, shown, sign, act, tell } from "./alarm.js";

const triggers = ["raise", "clear", "acknowledge", "reset", "shelve", "unshelve", "expire", "suppress", "unsuppress", "take out", "put back", "re-alarm",
  "silence", "unsilence", "inhibit", "uninhibit", "set limits", "set clock", "lose reading", "regain reading", "note", "start", "remove"];

export function show(root, page) {
  const { live, api } = page;
  const said = h("p", { class: "said", hidden: true });
  page.said = (text, bad) => { said.hidden = !text; put(said, text); set(said, "data-bad", bad); };

  const body = h("tbody", { class: "live" });
  const none = h("p", { class: "none", hidden: true }, t("now.no_alarm"));
  const inhibited = h("p", { class: "said", hidden: true });
  const all = h("div", { class: "do" },
    act(page, t("do.acknowledge_all"), "do.acknowledge", { ask: "do", do: "acknowledge" }, { class: "main" }),
    act(page, t("do.silence"), "do.silence", { ask: "do", do: "silence" }),
    act(page, t("do.reset_all"), "do.reset", { ask: "do", do: "reset" }),
    page.may("do.note") && h("button", { type: "button", onclick: note }, t("do.note")),
    page.may("do.inhibit") && h("button", { type: "button", onclick: inhibit }, t("do.inhibit")),
    page.may("do.uninhibit") && act(page, t("do.uninhibit"), "do.uninhibit", { ask: "do", do: "uninhibit" }));
  root.append(h("div", { class: "title" }, h("h1", {}, t("view.alarms"))), said, inhibited,
    h("section", { class: "panel" }, h("header", {}, h("h2", {}, t("now.alarms")), all), none,
      h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": t("now.alarms") }, h("table", { class: "cards" }, h("thead", {}, h("tr", {}, ["alarm", "state", "level", "since", "do"].map((k) => h("th", { scope: "col" }, t(`alarms.${k}`))))), body))),
    journal(page));

  const human = (name) => live.about?.signals.find((x) => x.name === name)?.human ?? name;
  const row = (a) => {
    const mark = badge(), name = h("strong", { translate: "no" }, a.name), state = h("span", { class: "state" }), level = h("td", { class: "figure inline" }), since = h("td", { class: "figure inline" });
    const on = (word, extra = {}) => ({ ask: "do", do: word, alarm: a.name, ...extra });
    const buttons = {
      ack: act(page, t("do.acknowledge"), "do.acknowledge", on("acknowledge"), { class: "main" }),
      reset: act(page, t("do.reset"), "do.reset", on("reset")),
      silence: act(page, t("do.silence"), "do.silence", on("silence")),
      shelve: h("button", { type: "button", disabled: !page.may("do.shelve"), onclick: () => shelve(a.name) }, t("do.shelve")),
      unshelve: act(page, t("do.unshelve"), "do.unshelve", on("unshelve")),
      out: h("button", { type: "button", disabled: !page.may("do.take out"), onclick: () => takeOut(a.name) }, t("do.take_out")),
      back: act(page, t("do.put_back"), "do.put back", on("put back")),
    };
    for (const b of Object.values(buttons)) set(b, "aria-label", t("alarms.of", { do: b.textContent, alarm: a.name }));
    const why = h("p", { class: "small muted", translate: "no" });
    const tr = h("tr", {}, h("td", {}, h("div", { class: "do" }, mark, name), h("p", { class: "small muted" }, unit("")), why), h("td", { class: "inline" }, state), level, since, h("td", {}, h("div", { class: "do" }, Object.values(buttons))));
    tr.paint = (x) => {
      paintBadge(mark, x.priority, shown(x));
      put(tr.querySelector("td p span"), human(x.signal));
      put(why, x.why ?? "");
      put(state, t(`state.${x.state}`) + (x.shelved_ms > 0 ? ` · ${span(x.shelved_ms / 1000)}` : ""));
      set(state, "data-ack", x.needs_ack);
      put(level, x.unknown ? t("alarm.unknown") : `${number(x.level)} / ${sign(x.side, x.limit)}`);
      put(since, span(x.for_ms / 1000));
      buttons.ack.hidden = !x.needs_ack;
      buttons.reset.hidden = !x.latched;
      buttons.silence.hidden = !x.needs_ack || x.silenced;
      const covered = x.state === "shelved", out = x.state === "out of service";
      buttons.shelve.hidden = covered || out || !(x.max_shelve_ms > 0);
      buttons.unshelve.hidden = !covered;
      buttons.out.hidden = out;
      buttons.back.hidden = !out;
    };
    return tr;
  };
  function draw() {
    const s = live.state;
    if (!s) return;
    none.hidden = s.alarms.length > 0;
    inhibited.hidden = !s.inhibit_ms;
    put(inhibited, s.inhibit_ms ? t("alarms.inhibited", { time: span(s.inhibit_ms / 1000) }) : "");
    list(body, s.alarms, (a) => a.name, row, (tr, a) => tr.paint(a));
  }
  page.on("state", draw);
  draw();

  function shelve(name) {
    const most = live.state.alarms.find((a) => a.name === name)?.max_shelve_ms ?? 0;
    const times = [300, 900, 1800, 3600, 4 * 3600, 8 * 3600].filter((v) => v * 1000 <= most);
    if (!times.length) times.push(most / 1000);
    ask(page, t("do.shelve"), name, [{ id: "for", label: t("alarms.for"), options: times.map((v) => [v, span(v)]) }],
      (v) => tell(page, { ask: "do", do: "shelve", alarm: name, for: api.seconds(Number(v.for)) }));
  }
  function takeOut(name) {
    ask(page, t("do.take_out"), name, [{ id: "text", label: t("alarms.reason"), required: true }], (v) => tell(page, { ask: "do", do: "take out", alarm: name, text: v.text }));
  }
  function note() {
    ask(page, t("do.note"), "", [{ id: "text", label: t("alarms.note"), required: true }], (v) => tell(page, { ask: "do", do: "note", text: v.text }));
  }
  function inhibit() {
    ask(page, t("do.inhibit"), "", [{ id: "for", label: t("alarms.for"), options: [60, 300, 900, 1800, 3600].map((v) => [v, span(v)]) }],
      (v) => tell(page, { ask: "do", do: "inhibit", for: api.seconds(Number(v.for)) }));
  }
}

// ask opens a dialog with fields: { id, label, options | required, type, autocomplete }; { id, whose } tells a
// keeper of passwords for whom they are.
export function ask(page, title, about, fields, done) {
  const inputs = {};
  const dialog = h("dialog", { "aria-label": title },
    h("form", { method: "dialog", novalidate: true, onsubmit: (e) => {
      e.preventDefault();
      const values = Object.fromEntries(Object.entries(inputs).map(([id, i]) => [id, i.value.trim()]));
      const empty = fields.find((f) => f.required && !values[f.id]);
      if (empty) { wrong.hidden = false; inputs[empty.id].focus(); return; }
      dialog.close();
      done(values);
    } }, h("h2", {}, title), about && h("p", {}, unit(about)),
    fields.map((f) => f.whose ? (inputs[f.id] = h("input", { hidden: true, value: f.whose, autocomplete: "username" })) : h("label", {}, h("span", {}, f.label), (inputs[f.id] = f.options
      ? h("select", {}, f.options.map(([v, text]) => h("option", { value: v }, text))) : h("input", { type: f.type, maxlength: 400, required: f.required, autocomplete: f.autocomplete ?? "off" }))))));
  const wrong = h("p", { class: "said", "data-bad": true, role: "alert", hidden: true }, t("shell.needed"));
  dialog.firstChild.append(wrong, h("div", { class: "do" }, h("button", { class: "main", type: "submit" }, title), h("button", { type: "button", onclick: () => dialog.close() }, t("shell.cancel"))));
  dialog.addEventListener("close", () => dialog.remove());
  page.signal.addEventListener("abort", () => dialog.close(), { once: true });
  document.body.append(dialog);
  dialog.showModal();
}

// The journal, with filters that the gateway applies, and as CSV.
function journal(page) {
  const { live, api } = page;
  const filter = { alarm: "", event: "", who: "", text: "", from: "", to: "" };
  let rows = [];
  const body = h("tbody", {}), note = h("p", { class: "none", hidden: true }, t("journal.none"));
  const download = h("a", { class: "button", download: "mien-events.csv" }, t("journal.csv"));
  const names = h("select", { onchange: (e) => take("alarm", e.target.value) });
  const field = (id, input) => h("label", {}, h("span", {}, t(`journal.${id}`)), input);
  const text = (id, type = "search") => field(id, h("input", { type, autocomplete: "off", onchange: (e) => take(id, type === "datetime-local" ? (e.target.value ? new Date(e.target.value).toISOString() : "") : e.target.value.trim()) }));
  const fillNames = () => {
    const list = [["", t("journal.all")], ...(live.about?.alarms ?? []).map((a) => [a.name, a.name])];
    names.replaceChildren(...list.map(([v, label], i) => h("option", { value: v, selected: v === filter.alarm, translate: i ? "no" : null }, label)));
  };
  fillNames();
  page.on("about", fillNames);

  const query = (extra) => new URLSearchParams(Object.entries({ ...filter, ...extra }).filter(([, v]) => v)).toString();
  const link = () => set(download, "href", `/api/events.csv?${query({})}`);
  function take(id, value) { filter[id] = value; link(); load(); }
  const PAGE = 200;
  async function load() {
    try {
      const reply = await api.get(`/api/events?${query({ most: PAGE })}`);
      rows = (reply.events ?? []).slice().sort((a, b) => b.n - a.n);
      note.hidden = rows.length > 0;
      draw();
    } catch (error) {
      if (error.status !== 401) { note.hidden = false; put(note, error.status ? error.message : t("link.away")); }
    }
  }
  function draw() {
    list(body, rows.slice(0, 500), (e) => `${e.start}.${e.n}`, row);
  }
  const fits = (e) => (!filter.alarm || e.alarm === filter.alarm) && (!filter.event || e.event === filter.event) && (!filter.who || (e.who ?? "").includes(filter.who))
    && (!filter.text || JSON.stringify(e).toLowerCase().includes(filter.text.toLowerCase())) && !filter.from && !filter.to;
  page.on("events", (fresh) => {
    const seen = new Set(rows.map((e) => `${e.start}.${e.n}`));
    rows = fresh.filter((e) => fits(e) && !seen.has(`${e.start}.${e.n}`)).reverse().concat(rows).slice(0, 500);
    if (rows.length) note.hidden = true;
    draw();
  });
  link();
  load();
  return h("section", { class: "panel" }, h("header", {}, h("h2", {}, t("journal.title")), download),
    h("div", { class: "fields" }, field("alarm", names),
      field("event", h("select", { onchange: (e) => take("event", e.target.value) }, [["", t("journal.all")], ...triggers.map((k) => [k, t(`event.${k}`)])].map(([v, label]) => h("option", { value: v }, label)))),
      text("who"), text("text"), text("from", "datetime-local"), text("to", "datetime-local")),
    note, h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": t("journal.title") }, h("table", { class: "cards" },
      h("thead", {}, h("tr", {}, ["time", "alarm", "event", "change", "who", "cause"].map((k) => h("th", { scope: "col" }, t(`journal.${k}`))))), body)));
}

function row(e) {
  const change = e.from !== e.to ? `${t(`state.${e.from}`)} → ${t(`state.${e.to}`)}` : "";
  return h("tr", {}, h("td", { class: "figure inline" }, moment(e.wall)), h("td", { class: "inline" }, e.alarm ? unit(e.alarm) : h("span", { class: "muted" }, t("journal.unit"))),
    h("td", { class: "inline word" }, known("event.", e.event), e.refused ? ` (${t("journal.refused")})` : ""), h("td", {}, change), h("td", { class: "inline", translate: "no" }, e.who ?? ""),
    h("td", { class: "small" }, [e.cause && unit(e.cause), e.for ? ` ${span(e.for / 1e9)}` : "", e.why?.signal ? h("span", {}, " ", unit(e.why.signal), ` ${number(e.why.level)} / ${sign(e.why.side, e.why.limit)} · ${span(e.why.for / 1e9)}`) : ""]));
}
