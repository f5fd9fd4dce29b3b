// Asking the gateway. Every error is an Error whose message is the unit's own words.

export class Refused extends Error {
  constructor(status, text, wait) { super(text); this.status = status; this.wait = wait; }
}

let csrf = "";
let lost = () => {};

// onLost is called when the session has ended, with why, as far as the gateway knows.
export const onLost = (f) => { lost = f; };

async function call(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { cache: "no-store", ...options });
  } catch {
    throw new Refused(0, "");
  }
  const body = answer.status === 204 ? null : await answer.json().catch(() => null);
  if (answer.ok) return body;
  if (answer.status === 401 && path !== "/api/login") lost(body?.why);
  throw new Refused(answer.status, body?.error ?? String(answer.status), Number(answer.headers.get("Retry-After")) || 0);
}

const post = (path, body) =>
  call(path, { method: "POST", headers: { "Content-Type": "application/json", "X-Mien-CSRF": csrf }, body: JSON.stringify(body) });

function known(me) {
  csrf = me.csrf;
  return me;
}

export const get = (path) => call(path);
export const me = async () => known(await call("/api/me"));
export const login = async (name, password) => known(await post("/api/login", { name, password }));
export const password = (old, next) => post("/api/password", { old, new: next });
export const logout = () => post("/api/logout", {});
// ask gives the unit a request of the operators' socket; times in it are nanoseconds.
export const ask = (request) => post("/api/ask", request);
export const seconds = (s) => Math.round(s * 1e9);
