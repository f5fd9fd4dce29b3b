// Which language the page speaks, and its texts: text.js is made of texts.json.
import { texts } from "./text.js";

export const languages = ["en", "ja"];
let at = languages.indexOf(localStorage.getItem("mien.language"));
if (at < 0) at = navigator.language?.toLowerCase().startsWith("ja") ? 1 : 0;
document.documentElement.lang = languages[at];

// t gives the text of a key; {name} in it becomes args.name. A key that is not there is
// shown as such, and a test looks for those. which is the place of another language.
export function t(key, args, which = at) {
  const row = texts[key];
  if (!row) return `[${key}]`;
  return args ? row[which].replace(/\{(\w+)\}/g, (all, name) => args[name] ?? all) : row[which];
}

// known gives the text of prefix + word where there is one, else the word itself: words of the
// unit that may be of a network or of a config.
export function known(prefix, word) {
  return texts[prefix + word]?.[at] ?? word;
}

export const has = (key) => key in texts;
export const language = () => languages[at];

export function speak(code) {
  at = Math.max(0, languages.indexOf(code));
  document.documentElement.lang = languages[at];
  try { localStorage.setItem("mien.language", languages[at]); } catch { /* private windows forget it */ }
}

// Numbers and times. Seconds are written as the config writes them: 1h30m, 4.2s.
export const number = (v, digits = 2) => (v === null || v === undefined || !Number.isFinite(v) ? "–" : v.toFixed(digits).replace(/^-(?=[0.]+$)/, ""));

export function span(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "–";
  if (seconds < 10) return `${Math.max(0, seconds).toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

// English is read where 01/12 is January and where it is December: its dates are those of ISO 8601, as Sweden writes them.
const clocks = {};
const format = (name, options) => (clocks[`${name}${at}`] ??= new Intl.DateTimeFormat(languages[at] === "ja" ? "ja-JP" : "sv-SE", options));
export const time = (date) => format("time", { hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(new Date(date));
export const moment = (date) => format("moment", { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(new Date(date));
