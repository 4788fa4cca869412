// The timeline: a canvas that draws only the lanes in sight.

const ROW = 18, AXIS = 22, SHORTEST = 1000, MOST_ARROWS = 400;

/** Draws `data` into the page's elements and moves about in it. */
class Timeline {
  constructor(data) {
    const get = (id) => document.getElementById(id);
    Object.assign(this, { data, canvas: get("timeline"), box: get("lanes"), space: get("space"), overview: get("overview") });
    this.context = this.canvas.getContext("2d");
    this.lanes = data.names.map((_, lane) => lane);
    this.places = Int32Array.from(this.lanes);
    this.arrows = this.path = true;
    this.over = this.kept = -1;
    this.from = 0;
    this.to = data.end;
    this.asked = false;
  }

  /** Takes the style's colours, which depend on the theme. */
  colours() {
    const style = getComputedStyle(document.documentElement);
    const get = (name) => style.getPropertyValue(name).trim();
    this.colour = KINDS.map((kind) => get(kind.colour));
    this.ink = Object.fromEntries(
      ["text", "dim", "line", "back", "band", "bad", "critical"].map((name) => [name, get("--" + name)]));
    this.font = "12px " + get("--mono");
    this.skyline = null;
  }

  /** Shows this stretch of time. */
  show(from, to) {
    const length = Math.max(to - from, SHORTEST);
    const most = this.data.end * 1.1 + SHORTEST;
    if (length > most) { from = -this.data.end * 0.05; to = from + most; } else to = from + length;
    this.from = from;
    this.to = to;
    this.draw();
  }

  /** Shows only these lanes. */
  only(lanes) {
    this.lanes = lanes;
    this.places.fill(-1);
    lanes.forEach((lane, place) => { this.places[lane] = place; });
    this.box.scrollTop = 0;
    this.over = -1;
    this.layout();
  }

  /** Fits the canvas to its box. */
  layout() {
    const height = AXIS + this.lanes.length * ROW + 4;
    const short = height < 420;
    this.box.classList.toggle("short", short);
    const scale = window.devicePixelRatio || 1;
    this.width = this.box.clientWidth;
    this.height = short ? height : Math.min(this.box.clientHeight, height);
    for (const [canvas, wide, high] of [[this.canvas, this.width, this.height], [this.overview, this.width, 34]]) {
      canvas.width = Math.round(wide * scale);
      canvas.height = Math.round(high * scale);
      canvas.style.width = wide + "px";
      canvas.style.height = high + "px";
    }
    this.space.style.height = Math.max(height - this.height, 0) + "px";
    this.scale = scale;
    this.left = Math.min(Math.max(this.width * 0.24, 110), 280);
    this.skyline = null;
    this.draw();
  }

  /** Draws soon, once for all that changed. */
  draw() {
    if (this.asked) return;
    this.asked = true;
    requestAnimationFrame(() => { this.asked = false; this.paint(); });
  }

  x(time) { return this.left + (time - this.from) / (this.to - this.from) * (this.width - this.left - 6); }
  time(x) { return this.from + (x - this.left) / (this.width - this.left - 6) * (this.to - this.from); }
  /** The middle of a lane; lanes out of sight are beyond the edges, hidden ones nowhere. */
  y(lane) {
    const place = this.places[lane];
    return place < 0 ? null : AXIS + place * ROW - this.box.scrollTop + ROW / 2;
  }

  paint() {
    const { context, data } = this;
    if (!this.colour) this.colours();
    context.setTransform(this.scale, 0, 0, this.scale, 0, 0);
    context.font = this.font;
    context.textBaseline = "middle";
    context.fillStyle = this.ink.back;
    context.fillRect(0, 0, this.width, this.height);
    const top = this.box.scrollTop;
    const first = Math.floor(top / ROW), last = Math.min(this.lanes.length, Math.ceil((top + this.height - AXIS) / ROW));
    let drawn = 0;
    for (let place = first; place < last; place++) drawn += this.paintLane(this.lanes[place], AXIS + place * ROW - top, place);
    context.save();
    context.beginPath();
    context.rect(this.left, AXIS, this.width - this.left, this.height - AXIS);
    context.clip();
    if (this.path) data.paths.forEach((path) => this.paintPath(path));
    const arrows = this.paintArrows(first, last);
    context.restore();
    this.axis();
    this.paintOverview();
    // What was drawn, for tests and for the curious.
    Object.assign(this.canvas.dataset, { bars: drawn, arrows, lanes: this.lanes.length, shown: this.to - this.from });
  }

  paintLane(lane, y, place) {
    const { context, data, ink } = this;
    if (place % 2) { context.fillStyle = ink.band; context.fillRect(0, y, this.width, ROW); }
    const { bars } = data;
    const right = this.width - 6;
    let drawn = 0, reached = -1, kind = -1;
    for (let bar = firstAt(data, lane, this.from); bar < data.first[lane + 1]; bar++) {
      if (bars.start[bar] > this.to) break;
      if (bars.end[bar] < this.from) continue;
      const from = Math.max(this.x(bars.start[bar]), this.left);
      const to = Math.max(Math.min(this.x(bars.end[bar]), right), from + 1);
      // Of many short bars in one column one is enough.
      if (bars.kind[bar] === kind && to <= reached && to - from < 2) continue;
      kind = bars.kind[bar];
      reached = to;
      this.paintBar(bar, kind, from, to, y);
      drawn++;
    }
    context.fillStyle = ink.back;
    if (place % 2) context.fillStyle = ink.band;
    context.fillRect(0, y, this.left - 4, ROW);
    const marks = data.marks[lane];
    context.fillStyle = marks & FOUND ? ink.bad : marks & CRITICAL ? ink.critical : data.kinds[lane] === 2 ? ink.dim : ink.text;
    if (marks) context.fillRect(0, y + 2, 3, ROW - 4);
    this.text(data.names[lane], 8, y + ROW / 2, this.left - 16);
    return drawn;
  }

  paintBar(bar, kind, from, to, y) {
    const { context, data } = this;
    const thin = kind === 2 ? 6 : kind === 1 ? 4 : 3;
    const chosen = bar === this.over || bar === this.kept;
    context.fillStyle = this.colour[kind];
    context.fillRect(from, y + thin, to - from, ROW - 2 * thin);
    if (kind === WAIT && to - from > 3) {
      // Waits are told by their pattern too, not by colour alone.
      context.fillStyle = this.ink.back;
      for (let x = from + 2; x < to - 1; x += 4) context.fillRect(x, y + thin + 2, 1.5, ROW - 2 * thin - 4);
    }
    if (kind === 0) {
      // Phases stand inside of others: an edge tells them apart.
      context.fillStyle = this.ink.back;
      context.fillRect(from, y + thin, 1, ROW - 2 * thin);
    }
    if (data.bars.open[bar]) {
      context.fillStyle = this.ink.bad;
      context.fillRect(to - 2, y + 1, 2, ROW - 2);
    }
    if (chosen) {
      context.strokeStyle = this.ink.text;
      context.lineWidth = 1.5;
      context.strokeRect(from - 0.5, y + 1.5, to - from + 1, ROW - 3);
    }
    if (kind !== WAIT && kind !== 2) {
      context.fillStyle = this.ink.back;
      this.text(data.labels[data.bars.label[bar]], from + 4, y + ROW / 2, to - from - 8, 10);
    }
  }

  /** Text that ends where its room does; none if less than the whole of it and than `least` characters fit. */
  text(text, x, y, room, least = 2) {
    const { context } = this;
    if (!this.character) this.character = context.measureText("0").width;
    const most = Math.floor(room / this.character);
    if (most < Math.min(text.length, least)) return;
    context.fillText(text.length > most ? text.slice(0, most - 1) + "…" : text, x, y);
  }

  /** A critical path: the steps on it underlined, each joined with the one after it. */
  paintPath({ parts }) {
    const { context } = this;
    context.strokeStyle = context.fillStyle = this.ink.critical;
    context.lineWidth = 1.5;
    let before = null;
    for (const [lane, start, own] of parts) {
      const y = this.y(lane);
      const here = y === null || start > this.to || start + own < this.from ? null : { x: this.x(start), end: this.x(start + own), y: y + ROW / 2 - 2 };
      if (here) context.fillRect(here.x, here.y - 1, Math.max(here.end - here.x, 1.5), 3);
      if (here && before) this.line([[before.end, before.y], [here.x, before.y], [here.x, here.y]]);
      before = here;
    }
  }

  line(points) {
    const { context } = this;
    context.beginPath();
    points.forEach(([x, y], n) => (n ? context.lineTo(x, y) : context.moveTo(x, y)));
    context.stroke();
  }

  /** Arrows from who waits to whom it waits for: of the lanes in sight, as long as they can be told apart. */
  paintArrows(first, last) {
    const { data } = this;
    const shown = [];
    if (this.arrows) {
      for (let place = first; place < last && shown.length <= MOST_ARROWS; place++) {
        const lane = this.lanes[place];
        for (let bar = firstAt(data, lane, this.from); bar < data.first[lane + 1]; bar++) {
          if (data.bars.start[bar] > this.to) break;
          const wide = (data.bars.end[bar] - data.bars.start[bar]) / (this.to - this.from) * this.width > 6;
          if (wide && data.arrows.has(bar) && data.bars.end[bar] >= this.from) shown.push(bar);
        }
      }
    }
    if (shown.length > MOST_ARROWS) shown.length = 0;
    for (const bar of [this.over, this.kept]) if (data.arrows.has(bar) && !shown.includes(bar)) shown.push(bar);
    shown.forEach((bar) => this.paintArrow(bar));
    return shown.length;
  }

  paintArrow(bar) {
    const { context, data } = this;
    const from = this.y(data.bars.lane[bar]), to = this.y(data.arrows.get(bar));
    if (from === null || to === null) return;
    const chosen = bar === this.over || bar === this.kept;
    const open = data.bars.open[bar];
    const x = Math.max(this.x(data.bars.start[bar]), this.left + 4) + 3;
    const [y, tip] = from < to ? [from + 4, to - 5] : [from - 4, to + 5];
    const bend = Math.min(26, Math.abs(tip - y) / 2 + 6);
    context.strokeStyle = context.fillStyle = chosen || open ? this.ink.bad : this.colour[WAIT];
    context.lineWidth = chosen ? 2.5 : 1.25;
    context.beginPath();
    context.moveTo(x, y);
    context.bezierCurveTo(x + bend, y, x + bend, tip, x + 2, tip);
    context.stroke();
    context.beginPath();
    context.moveTo(x, tip);
    context.lineTo(x + 7, tip - 4);
    context.lineTo(x + 7, tip + 4);
    context.fill();
  }

  axis() {
    const { context, ink } = this;
    context.fillStyle = ink.back;
    context.fillRect(0, 0, this.width, AXIS);
    context.fillStyle = ink.dim;
    this.text(duration(this.to - this.from) + " shown", 8, AXIS / 2, this.left - 16);
    const shown = this.to - this.from;
    let step = 10 ** Math.floor(Math.log10(shown / 8));
    while (shown / step > Math.max(2, (this.width - this.left) / 110)) step *= step.toString()[0] === "2" ? 2.5 : 2;
    const cycle = cycleAt(this.data, Math.max(this.from, 0));
    const base = cycle ? cycle.base : 0;
    for (let time = base + Math.ceil((this.from - base) / step) * step; time <= this.to; time += step) {
      const x = this.x(time);
      if (x > this.width - 70) break;
      context.fillStyle = ink.line;
      context.fillRect(x, AXIS - 6, 1, this.height);
      context.fillStyle = ink.dim;
      context.fillText(moment(this.data, time, shown), x + 4, AXIS / 2);
    }
    context.fillStyle = ink.line;
    context.fillRect(0, AXIS - 1, this.width, 1);
  }

  /** All of the trace: how many bars there are at each time, and which part is shown. */
  paintOverview() {
    const { data, overview, ink } = this;
    const context = overview.getContext("2d");
    const columns = Math.max(1, Math.floor(this.width));
    if (!this.skyline) {
      this.skyline = new Float64Array(columns);
      for (let bar = 0; bar < data.bars.kind.length; bar++) {
        if (data.kinds[data.bars.lane[bar]] === 0) continue;
        this.skyline[Math.min(columns - 1, Math.floor(data.bars.start[bar] / (data.end + 1) * columns))]++;
      }
    }
    const most = this.skyline.reduce((most, count) => Math.max(most, count), 1);
    context.setTransform(this.scale, 0, 0, this.scale, 0, 0);
    context.fillStyle = ink.band;
    context.fillRect(0, 0, this.width, 34);
    context.fillStyle = this.colour[0];
    this.skyline.forEach((count, x) => {
      const high = Math.log1p(count) / Math.log1p(most) * 30;
      context.fillRect(x, 34 - high, 1, high);
    });
    const at = (time) => time / (data.end + 1) * this.width;
    context.strokeStyle = ink.text;
    context.lineWidth = 1.5;
    context.strokeRect(Math.max(at(this.from), 0) + 0.75, 0.75, Math.max(at(Math.min(this.to, data.end)) - Math.max(at(this.from), 0), 3) - 1.5, 32.5);
  }

  /** The bar at this place of the canvas, the one drawn last; -1 if there is none. */
  barAt(x, y) {
    const place = Math.floor((y - AXIS + this.box.scrollTop) / ROW);
    if (x < this.left || y < AXIS || place < 0 || place >= this.lanes.length) return -1;
    const lane = this.lanes[place], { data } = this;
    const from = this.time(x - 2), to = this.time(x + 2);
    let found = -1;
    for (let bar = firstAt(data, lane, from); bar < data.first[lane + 1]; bar++) {
      if (data.bars.start[bar] > to) break;
      if (data.bars.end[bar] >= from) found = bar;
    }
    return found;
  }

  /** Brings a lane into sight; gives the bar that says most about it: one that has not ended, or else the longest. */
  reveal(lane) {
    const { bars, first } = this.data;
    let best = -1;
    const length = (bar) => (bars.open[bar] ? Infinity : bars.end[bar] - bars.start[bar]);
    for (let bar = first[lane]; bar < first[lane + 1]; bar++) if (best < 0 || length(bar) >= length(best)) best = bar;
    this.box.scrollTop = Math.max(0, AXIS + this.places[lane] * ROW - this.height / 2);
    if (best >= 0 && (bars.end[best] < this.from || bars.start[best] > this.to)) {
      const margin = Math.max(bars.end[best] - bars.start[best], SHORTEST) / 5;
      this.show(bars.start[best] - margin, bars.end[best] + margin);
    }
    return best;
  }

  /** What is known about a bar: its name and lines. */
  about(bar) {
    const { data } = this;
    const { bars } = data;
    const end = bars.open[bar] ? ", not ended" : " to " + moment(data, bars.end[bar], 1e6);
    const lines = [
      data.names[bars.lane[bar]],
      moment(data, bars.start[bar], 1e6) + end + ", " + duration(bars.end[bar] - bars.start[bar]),
    ];
    const target = data.arrows.get(bar);
    if (target !== undefined) lines.push("waits for " + data.names[target]);
    for (const path of data.paths) {
      const part = path.parts.find(([lane, start, own]) => lane === bars.lane[bar] && start < bars.end[bar] && start + own > bars.start[bar]);
      if (part) lines.push("on the critical path of dpm_" + path.step + ": " + duration(part[2]) + " of its own" + (part[3] > 0 ? ", without it " + duration(part[3]) + " less" : ""));
    }
    return { title: data.labels[bars.label[bar]] || KINDS[bars.kind[bar]].name, lines };
  }

  /** Comes closer (or not) around a column of the canvas. */
  zoom(factor, x) {
    const middle = this.time(x === undefined ? (this.left + this.width) / 2 : Math.max(x, this.left));
    this.show(middle - (middle - this.from) * factor, middle + (this.to - middle) * factor);
  }

  /** Moves by a part of what is shown. */
  pan(part) {
    const by = (this.to - this.from) * part;
    this.show(this.from + by, this.to + by);
  }
}

