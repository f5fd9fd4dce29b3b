// What the unit says: its stream, the newest state, and the last minutes of each signal.

// Minutes of history, and how long without a state until the page says so.
export const MINUTES = 5;
const QUIET = 2500;
const ROOM = MINUTES * 60 * 20 * 1.1;

class Live extends EventTarget {
  about = null;
  state = null;
  events = []; // newest last
  // Where the state comes from: "wait" at first, "well", "lost" (the gateway says that the unit
  // does not answer), "away" (the gateway itself does not).
  link = "wait";
  why = "";
  since = performance.now();
  history = { time: [], levels: [] }; // levels[signal][i], as in about.signals

  start() {
    this.#open();
    this.watch ??= setInterval(() => this.#look(), 250);
  }

  stop() {
    this.source?.close();
    this.source = null;
    clearInterval(this.watch);
    clearTimeout(this.again);
    this.watch = this.again = undefined;
    this.about = this.state = null;
    this.events = [];
    this.history = { time: [], levels: [] };
    this.#be("wait");
  }

  #open() {
    this.source?.close();
    const source = (this.source = new EventSource("/api/stream"));
    const on = (name, take) => source.addEventListener(name, (e) => { if (source === this.source) take(JSON.parse(e.data)); });
    on("about", (a) => this.#take(a));
    on("state", (s) => {
      this.state = s;
      this.arrived = Date.now();
      this.seen = performance.now();
      this.#keep(s);
      this.#be("well");
      this.#tell("state");
    });
    on("events", (list) => {
      const newest = this.events.at(-1)?.n ?? 0;
      const fresh = list.filter((e) => e.n > newest || e.n === undefined);
      this.events = this.events.concat(fresh).slice(-1000);
      if (fresh.length) this.#tell("events", fresh);
    });
    on("lost", (l) => this.#be("lost", l.why));
    on("bye", (b) => {
      this.stop();
      this.#tell("bye", b.why);
    });
    source.onerror = () => {
      if (source !== this.source) return;
      // The browser's own pause is longer than ours, and it gives up after some answers.
      source.close();
      this.again = setTimeout(() => { if (this.watch) this.#open(); }, 700);
      this.#tell("broken");
    };
    this.seen ??= performance.now();
  }

  #look() {
    if (this.link === "lost") return;
    if (performance.now() - (this.seen ?? this.since) > QUIET) this.#be("away");
  }

  #be(link, why = "") {
    if (this.link === link && this.why === why) return;
    this.link = link;
    this.why = why;
    this.since = performance.now();
    this.#tell("link");
  }

  #take(about) {
    const names = (a) => JSON.stringify(a?.signals?.map((s) => s.name));
    if (names(about) !== names(this.about)) this.history = { time: [], levels: about.signals.map(() => []) };
    this.about = about;
    this.#tell("about");
  }

  #keep(s) {
    if (!this.about) return;
    const { time, levels } = this.history;
    const at = s.taken / 1000;
    const last = time.at(-1);
    // A clock that was set back: what was drawn before it is of another time.
    if (last !== undefined && at < last - 1) { time.length = 0; levels.forEach((l) => (l.length = 0)); }
    else if (last !== undefined && at <= last) return;
    if (last !== undefined && at > last + 1.5) { // a gap is seen as one
      time.push(last + 0.001);
      levels.forEach((l) => l.push(null));
    }
    time.push(at);
    levels.forEach((l, i) => l.push(s.levels[i] ?? null));
    if (time.length > ROOM) {
      const old = time.length - ROOM + 500;
      time.splice(0, old);
      levels.forEach((l) => l.splice(0, old));
    }
  }

  #tell(what, detail) { this.dispatchEvent(new CustomEvent(what, { detail })); }

  // painted says that a plot shows the state; how old its frame is then, tests measure.
  painted(taken) { this.#tell("painted", { taken, at: performance.timeOrigin + performance.now() }); }

  // on listens until a view goes away.
  on(what, take, signal) { this.addEventListener(what, (e) => take(e.detail), { signal }); }
}

export const live = new Live();
