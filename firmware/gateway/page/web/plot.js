// Plots of signals over the last minutes, against their limits. uPlot draws them; it is fetched
// when the first one is wanted.
import { h, put } from "./dom.js";
import { t, number } from "./language.js";
import { live } from "./live.js";

let library = null;
function fetchLibrary() {
  library ??= import("./uPlot.js").then((m) => {
    document.head.append(h("link", { rel: "stylesheet", href: "/uPlot.css" }));
    return m.default;
  });
  return library;
}

const plots = new Set();
let due = false;
let last = 0;

// All plots are drawn together, after a state came, in the browser's own rhythm; no more often than
// an eye needs.
const EVERY = 60;
live.addEventListener("state", () => {
  if (due || !plots.size) return;
  due = true;
  const wait = EVERY - (performance.now() - last);
  if (wait > 0) setTimeout(() => requestAnimationFrame(draw), wait);
  else requestAnimationFrame(draw);
});
// While nothing comes the plots still move on, so that the end of what is known is seen.
setInterval(() => { if (!document.hidden && plots.size && performance.now() - last > 500) requestAnimationFrame(draw); }, 500);

function draw() {
  due = false;
  last = performance.now();
  for (const p of plots) if (p.seen) p.draw();
  const taken = live.state?.taken;
  if (taken && plots.size) {
    const done = new MessageChannel(); // its message comes after this frame was painted
    done.port1.onmessage = () => { live.painted(taken); done.port1.close(); };
    done.port2.postMessage(0);
  }
}

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// plot shows one signal: limits is a list of { limit, off, side, present }. It gives the element and
// a function that takes other limits and another window in seconds. It ends with signal.
export function plot(name, options, signal) {
  const element = h("figure", { class: "plot", role: "img" });
  const index = () => live.about?.signals.findIndex((x) => x.name === name) ?? -1;
  const about = live.about?.signals[index()];
  const low = about?.min ?? 0, high = about?.max ?? 1;
  let limits = options.limits ?? [], seconds = options.seconds ?? 60;
  let colours, u;
  const height = options.height ?? 120;
  const me = {
    seen: true,
    draw() {
      const i = index();
      if (!u || i < 0) return;
      u.setData([live.history.time, live.history.levels[i]]);
    },
  };
  const recolour = () => {
    colours = { trace: css("--trace"), limit: css("--limit"), faint: css("--faint"), muted: css("--muted"), band: css("--band"), over: css("--critical") };
    u?.redraw(false);
  };
  const clock = () => (live.link === "well" && live.state ? live.state.taken / 1000 : Math.max((live.state?.taken ?? Date.now()) / 1000, (Date.now() - skew()) / 1000));
  const make = (uPlot) => {
    if (signal.aborted) return;
    recolour();
    const font = "12px system-ui, sans-serif";
    u = new uPlot({
      width: Math.max(120, element.clientWidth), height, ms: 1e-3, pxAlign: 1,
      legend: { show: false },
      cursor: { show: false },
      padding: [6, 20, 0, 0],
      scales: { x: { time: false, auto: true, range: () => { const n = clock(); return [n - seconds, n]; } }, y: { auto: false, range: [low, high] } },
      axes: [
        { font, size: 22, stroke: () => colours.muted, grid: { stroke: () => colours.faint, width: 1 }, ticks: { show: false },
          splits: (self, axis, min, max) => { const step = seconds / (self.width < 420 ? 3 : 6), out = []; for (let k = 0; k * step <= seconds; k++) out.push(max - k * step); return out.reverse(); },
          values: (self, splits) => splits.map((v) => { const ago = Math.round(splits.at(-1) - v); return ago === 0 ? t("plot.now") : ago % 60 === 0 ? t("plot.minutes", { n: -ago / 60 }) : t("plot.seconds", { n: -ago }); }) },
        { font, size: 38, stroke: () => colours.muted, grid: { stroke: () => colours.faint, width: 1 }, ticks: { show: false },
          splits: () => [low, (low + high) / 2, high], values: (self, splits) => splits.map((v) => v.toFixed(1)) },
      ],
      series: [{}, { stroke: () => colours.trace, width: 1.75, spanGaps: false, points: { show: false } }],
      hooks: {
        drawClear: [(self) => {
          const { ctx, bbox } = self;
          for (const l of limits) {
            if (!Number.isFinite(l.limit)) continue;
            const y = self.valToPos(l.limit, "y", true);
            ctx.save();
            ctx.fillStyle = colours.band;
            if (l.side === "below") ctx.fillRect(bbox.left, y, bbox.width, bbox.top + bbox.height - y);
            else ctx.fillRect(bbox.left, bbox.top, bbox.width, y - bbox.top);
            ctx.restore();
          }
        }],
        draw: [(self) => {
          const { ctx, bbox } = self;
          for (const l of limits) {
            for (const [v, dash, width] of [[l.limit, [], 1.75], [l.off, [4, 4], 1]]) {
              if (!Number.isFinite(v)) continue;
              const y = Math.round(self.valToPos(v, "y", true)) + 0.5;
              ctx.save();
              ctx.strokeStyle = v === l.limit ? colours.over : colours.limit;
              ctx.lineWidth = width * devicePixelRatio;
              ctx.setLineDash(dash.map((d) => d * devicePixelRatio));
              ctx.beginPath();
              ctx.moveTo(bbox.left, y);
              ctx.lineTo(bbox.left + bbox.width, y);
              ctx.stroke();
              ctx.restore();
            }
          }
        }],
      },
    }, [[], []], element);
    me.draw();
  };
  const said = () => element.setAttribute("aria-label", t("plot.label", {
    signal: about?.human ?? name, level: number(live.state?.levels[index()]),
    limit: limits.map((l) => number(l.limit)).join(", ") || "–", seconds }));
  said();
  const telling = setInterval(said, 5000);
  fetchLibrary().then(make, () => element.replaceChildren(h("p", { class: "said", "data-bad": true }, t("plot.missing"))));
  plots.add(me);
  const sizes = new ResizeObserver(() => { if (u && element.clientWidth && element.clientWidth !== u.width) u.setSize({ width: element.clientWidth, height }); });
  sizes.observe(element);
  const sight = new IntersectionObserver((entries) => { me.seen = entries.at(-1).isIntersecting; if (me.seen) me.draw(); });
  sight.observe(element);
  addEventListener("theme", recolour, { signal });
  signal.addEventListener("abort", () => {
    plots.delete(me);
    clearInterval(telling);
    sizes.disconnect();
    sight.disconnect();
    u?.destroy();
  });
  return {
    element,
    change(next) {
      limits = next.limits ?? limits;
      seconds = next.seconds ?? seconds;
      u?.redraw();
    },
  };
}

// How far the browser's clock is ahead of the unit's, so that a plot moves on by the unit's time
// while nothing comes.
const skew = () => (live.state ? live.arrived - live.state.at : 0);
