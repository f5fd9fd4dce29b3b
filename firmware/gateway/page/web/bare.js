"use strict";
const out = document.getElementById("out");
document.getElementById("login").addEventListener("submit", async (e) => {
  e.preventDefault();
  const value = (id) => document.getElementById(id).value;
  const answer = await fetch("/api/login", {method: "POST", headers: {"Content-Type": "application/json"},
    body: JSON.stringify({name: value("name"), password: value("password")})});
  if (!answer.ok) { out.textContent = (await answer.json()).error; return; }
  const stream = new EventSource("/api/stream");
  for (const kind of ["state", "lost", "bye"]) {
    stream.addEventListener(kind, (e) => { out.textContent = kind + " " + JSON.stringify(JSON.parse(e.data), null, 1); });
  }
});
