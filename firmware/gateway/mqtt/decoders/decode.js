// Reads payloads with sparkplug-payload, one a line: kind and hexadecimal digits, and
// writes what it found as JSON, one a line. It knows no births: of data it gives what
// stands in the message.
const { decodePayload } = require("sparkplug-payload").get("spBv1.0");
const types = { Int8: 1, Int16: 2, Int32: 3, Int64: 4, UInt8: 5, UInt16: 6, UInt32: 7, UInt64: 8, Float: 9, Double: 10, Boolean: 11, String: 12 };
const number = (n) => (n === null || n === undefined ? 0 : Number(n));
const scalar = (v) => (v !== null && typeof v === "object" ? Number(v) : v === undefined ? null : v);

require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
  const p = decodePayload(Buffer.from(line.split(" ")[1], "hex"));
  const metrics = (p.metrics || []).map((m) => ({
    name: m.name || null, type: types[m.type] || 0, value: scalar(m.value), at: number(m.timestamp), alias: number(m.alias),
    historical: !!m.isHistorical, null: m.value === null,
  }));
  console.log(JSON.stringify({ at: number(p.timestamp), seq: p.seq === undefined || p.seq === null ? -1 : number(p.seq), metrics }));
});
