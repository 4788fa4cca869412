"use strict";
// The page's data: columns of numbers into arrays that can be searched.

/** Kinds of bars, by their numbers: a name for the legend, and the style's variable with its colour. */
const KINDS = [
  { name: "phase", colour: "--phase" },
  { name: "work", colour: "--work" },
  { name: "rest of a step", colour: "--step" },
  { name: "callback", colour: "--callback" },
  { name: "error handling", colour: "--handling" },
  { name: "waits", colour: "--wait" },
];
const WAIT = 5;
const FOUND = 1, CRITICAL = 2;

/** A time in the page's units (nanoseconds) as people read it: 0.4 ms, 320 ms, 3.08 s. */
function duration(nanos) {
  const ms = nanos / 1e6;
  if (ms < 0.01) return (nanos / 1e3).toFixed(1) + " µs";
  if (ms < 10) return ms.toFixed(ms < 1 ? 2 : 1) + " ms";
  if (ms < 1000) return ms.toFixed(0) + " ms";
  return (ms / 1000).toFixed(ms < 10000 ? 2 : 1) + " s";
}

/** Columns of the page as typed arrays, with the end of each bar and what is needed to find bars fast. */
function read(json) {
  const data = JSON.parse(json);
  const count = data.bars.kinds.length;
  const lanes = data.lanes.names.length;
  const bars = {
    kind: Uint8Array.from(data.bars.kinds),
    start: new Float64Array(count),
    end: new Float64Array(count),
    open: new Uint8Array(count),
    label: Uint32Array.from(data.bars.labels),
    lane: new Uint32Array(count),
    // The latest end of this bar and those before it in its lane: it only grows, so it can be searched.
    latest: new Float64Array(count),
  };
  const first = new Uint32Array(lanes + 1);
  let bar = 0;
  for (let lane = 0; lane < lanes; lane++) {
    first[lane] = bar;
    let time = 0, latest = 0;
    for (let n = 0; n < data.lanes.counts[lane]; n++, bar++) {
      time += data.bars.starts[bar];
      const length = data.bars.lengths[bar];
      bars.lane[bar] = lane;
      bars.start[bar] = time;
      bars.open[bar] = length < 0 ? 1 : 0;
      bars.end[bar] = length < 0 ? Math.max(data.end, time) : time + length;
      latest = Math.max(latest, bars.end[bar]);
      bars.latest[bar] = latest;
    }
  }
  first[lanes] = bar;
  const arrows = new Map(data.arrows);
  return {
    end: data.end, names: data.lanes.names, kinds: data.lanes.kinds, ids: data.lanes.ids, marks: data.lanes.marks,
    labels: data.labels, bars, first, arrows, paths: data.paths, cycles: data.cycles, left: data.left,
  };
}

/** The first bar of the lane that ends at this time or later. */
function firstAt(data, lane, time) {
  let low = data.first[lane], high = data.first[lane + 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (data.bars.latest[middle] < time) low = middle + 1; else high = middle;
  }
  return low;
}

/** The cycle that a time belongs to: its times count from the start of its resume. */
function cycleAt(data, time) {
  let found = data.cycles[0];
  for (const cycle of data.cycles) if (cycle.from <= time) found = cycle;
  return found;
}

/** A time as the report tells it: +0.32 s, with more digits where less is shown. */
function moment(data, time, shown) {
  const cycle = cycleAt(data, time);
  const since = (time - (cycle ? cycle.base : 0)) / 1e9;
  const digits = shown > 4e8 ? 2 : shown > 4e6 ? 4 : 6;
  return (since < 0 ? "-" : "+") + Math.abs(since).toFixed(digits) + " s";
}

/** Stretches of time worth a look: the resume and the suspend of devices in each cycle, and all of it. */
function windows(data) {
  const all = [];
  for (const cycle of data.cycles) {
    const name = data.cycles.length > 1 ? " of cycle " + cycle.number : "";
    for (const [half, part] of [["resume", cycle.up], ["suspend", cycle.down]]) {
      if (part) all.push({ name: half + " of devices" + name, from: part[0], to: part[1], resume: half === "resume", found: cycle.found });
    }
    all.push({ name: "cycle " + cycle.number, from: cycle.from, to: cycle.to, found: cycle.found });
  }
  all.push({ name: "all of the trace", from: 0, to: data.end });
  return all;
}

/** Puts lanes in order: as the page has them, or by what they do in a stretch of time. The phases stay first. */
function arrange(data, lanes, order, from, to) {
  if (order === "found") return lanes;
  const key = (lane) => {
    let start = Infinity, longest = 0;
    for (let bar = firstAt(data, lane, from); bar < data.first[lane + 1] && data.bars.start[bar] <= to; bar++) {
      if (data.bars.end[bar] < from) continue;
      start = Math.min(start, data.bars.start[bar]);
      longest = Math.max(longest, data.bars.end[bar] - data.bars.start[bar]);
    }
    return data.kinds[lane] === 0 ? -Infinity : order === "start" ? start : -longest;
  };
  const keys = new Map(lanes.map((lane) => [lane, key(lane)]));
  return [...lanes].sort((one, other) => {
    const [a, b] = [keys.get(one), keys.get(other)];
    return a < b ? -1 : a > b ? 1 : one - other;
  });
}

/** Lanes whose name, or a bar of which, has all these words. */
function search(data, text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const lanes = [];
  const labels = words.map((word) => data.labels.map((label) => label.toLowerCase().includes(word)));
  for (let lane = 0; lane < data.names.length; lane++) {
    const name = data.names[lane].toLowerCase();
    const has = (word, n) => {
      if (name.includes(word)) return true;
      for (let bar = data.first[lane]; bar < data.first[lane + 1]; bar++) {
        if (labels[n][data.bars.label[bar]]) return true;
      }
      return false;
    };
    if (words.every(has)) lanes.push(lane);
  }
  return lanes;
}

