// One alarm as a card, with what may be done about it.
import { h, put, set, unit } from "./dom.js";
import { t, known, number, span } from "./language.js";

// Priorities have a shape, a number and, while somebody is needed, a colour.
const rank = { critical: 1, high: 2, medium: 3, low: 4 };
export function badge() {
  return h("span", { class: "priority", role: "img" });
}
export function paintBadge(element, priority, on) {
  put(element, rank[priority] ?? "");
  set(element, "data-priority", priority);
  set(element, "data-on", on);
  set(element, "aria-label", t(`priority.${priority}`));
}

// shown tells whether an alarm is to be seen in colour: present, latched or not acknowledged.
export const shown = (a) => a.active || a.latched || a.needs_ack;

// sign writes a condition: "≥ 0.70".
export const sign = (side, limit) => `${side === "below" ? "≤" : "≥"} ${number(limit)}`;

// card builds an alarm's frame; extra is put below its head.
export function card(name, extra = []) {
  const mark = badge(), state = h("span", { class: "state" }), level = h("span", { class: "now" });
  const why = h("p", { class: "small muted" });
  const buttons = h("div", { class: "do" });
  const element = h("article", { class: "alarm", "aria-label": t("shell.raised", { alarm: name }) },
    h("div", { class: "top" }, mark, h("h3", {}, unit(name)), state, level), extra, why, buttons);
  element.buttons = buttons;
  element.paint = (a, human) => {
    set(element, "data-priority", a.priority);
    set(element, "data-on", shown(a));
    set(element, "data-blink", a.needs_ack && a.active);
    paintBadge(mark, a.priority, shown(a));
    put(state, t(`state.${a.state}`));
    set(state, "data-ack", a.needs_ack);
    put(level, a.unknown ? t("alarm.unknown") : `${number(a.level)} / ${sign(a.side, a.limit)}`);
    put(why, about(a, human));
  };
  return element;
}

// about says how an alarm is, in a sentence of figures.
function about(a, human) {
  const parts = [t("alarm.since", { time: span(a.for_ms / 1000) })];
  if (a.first_out) parts.push(t("alarm.first_out"));
  if (a.silenced) parts.push(t("alarm.silenced"));
  if (a.shelved_ms > 0) parts.push(t("alarm.shelved", { time: span(a.shelved_ms / 1000) }));
  if (a.re_alarm_ms > 0) parts.push(t("alarm.again", { time: span(a.re_alarm_ms / 1000) }));
  parts.push(t("alarm.count", { n: a.count }));
  return parts.join(" · ");
}

// act is a button that asks the unit for something and says what came of it.
export function act(page, text, may, request, props = {}) {
  const button = h("button", { type: "button", ...props }, text);
  button.disabled = !page.may(may);
  if (button.disabled) set(button, "title", t("shell.may_not"));
  button.addEventListener("click", () => tell(page, typeof request === "function" ? request() : request));
  return button;
}

// tell asks the unit, and says what it answered: seen and heard.
export async function tell(page, request) {
  if (!request) return false;
  try {
    const reply = await page.api.ask(request);
    page.announce(reply?.pending ? t("said.pending") : t("said.done"));
    page.said?.(reply?.pending ? t("said.pending") : "");
    return true;
  } catch (error) {
    const text = error.status === 0 ? t("link.away") : error.status === 403 ? t("said.forbidden") : error.message;
    page.announce(text, true);
    page.said?.(text, true);
    return false;
  }
}
