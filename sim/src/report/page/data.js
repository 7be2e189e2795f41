"use strict";
// What the page holds: the entries as columns, and what follows from them. Nothing here draws.

const DATA = JSON.parse(document.getElementById("data").textContent);
const COLUMNS = DATA.columns, COUNT = COLUMNS.count, NODES = DATA.nodes, END = DATA.end;
const TEXT = 0, TYPES = 1, GROUP = 2, MARK = 3;

// Bytes of seven bits per number, the lowest first.
function reader(base64) {
  const raw = atob(base64);
  let at = 0;
  const next = () => {
    let number = 0, factor = 1, byte;
    do {
      byte = raw.charCodeAt(at++);
      number += (byte & 127) * factor;
      factor *= 128;
    } while (byte > 127);
    return number;
  };
  return { next, signed: () => { const coded = next(); return coded % 2 ? -(coded + 1) / 2 : coded / 2; } };
}

function differences(base64) {
  const read = reader(base64), numbers = new Float64Array(COUNT);
  for (let i = 0, last = 0; i < COUNT; i++) numbers[i] = last += read.signed();
  return numbers;
}

function plain(base64, Kind) {
  const read = reader(base64), numbers = new Kind(COUNT);
  for (let i = 0; i < COUNT; i++) numbers[i] = read.next();
  return numbers;
}

const time = differences(COLUMNS.time), step = differences(COLUMNS.step);
const node = plain(COLUMNS.node, Uint16Array), template = plain(COLUMNS.template, Uint16Array);
const TEMPLATES = COLUMNS.templates.map(([text, types, group, mark]) => {
  const slots = [...text.matchAll(/\{(\w+)\}/g)].map((found) => found[1]);
  const named = slots.filter((slot) => slot !== "node");
  return { text, types, group, mark, parts: text.split(/\{\w+\}/), slots, named };
});

// Values lie behind each other; `start` says where an entry's begin.
const values = new Float64Array(COLUMNS.valuesCount), start = new Uint32Array(COUNT + 1);
{
  const read = reader(COLUMNS.values), last = TEMPLATES.map((kind) => new Array(kind.types.length).fill(0));
  let at = 0;
  for (let i = 0; i < COUNT; i++) {
    start[i] = at;
    const types = TEMPLATES[template[i]].types, numbers = last[template[i]];
    for (let slot = 0; slot < types.length; slot++) {
      const type = types[slot];
      if (type === "t") values[at++] = read.next();
      else if (type === "l") {
        const length = (values[at++] = read.next());
        for (let j = 0; j < length; j++) values[at++] = read.next();
      } else values[at++] = numbers[slot] += read.signed();
    }
  }
  start[COUNT] = at;
}

// The value of a slot: a text, a number, or an array of texts; undefined if the sentence has no such slot.
function value(i, name) {
  const kind = TEMPLATES[template[i]];
  let at = start[i];
  for (let slot = 0; slot < kind.types.length; slot++) {
    const type = kind.types[slot];
    if (kind.named[slot] === name) {
      if (type === "t") return COLUMNS.strings[values[at]];
      if (type !== "l") return values[at];
      return Array.from(values.subarray(at + 1, at + 1 + values[at]), (place) => COLUMNS.strings[place]);
    }
    at += type === "l" ? 1 + values[at] : 1;
  }
  return undefined;
}

const nodeName = (n) => NODES[n] || "the fleet";

function list(names) {
  if (names.length === 0) return "nothing";
  if (names.length === 1) return names[0];
  if (names.length > 5) return names.slice(0, 4).join(", ") + " and " + (names.length - 4) + " more";
  return names.slice(0, -1).join(", ") + " and " + names[names.length - 1];
}

function bytes(count) {
  if (count === 1) return "1 byte";
  if (count < 10240) return count + " bytes";
  if (count < 10485760) return Math.floor(count / 1024) + " KiB";
  return Math.floor(count / 1048576) + " MiB";
}

// The sentence of an entry, as in the trace's words.
function words(i) {
  const kind = TEMPLATES[template[i]];
  let said = kind.parts[0], place = 0;
  kind.slots.forEach((slot, j) => {
    if (slot === "node") said += nodeName(node[i]);
    else {
      const type = kind.types[place++], given = value(i, slot);
      said += type === "l" ? list(given) : type === "b" ? bytes(given) : String(given);
    }
    said += kind.parts[j + 1];
  });
  return said;
}

const markOf = (i) => TEMPLATES[template[i]].mark, groupOf = (i) => TEMPLATES[template[i]].group;

function clock(ms, fine = true) {
  ms = Math.round(ms);
  const s = Math.floor(ms / 1000), two = (number) => String(number).padStart(2, "0");
  const whole = Math.floor(s / 3600) + ":" + two(Math.floor(s / 60) % 60) + ":" + two(s % 60);
  return fine ? whole + "." + String(ms % 1000).padStart(3, "0") : whole;
}

function duration(ms) {
  ms = Math.round(ms);
  const units = [[86400000, "d"], [3600000, "h"], [60000, "min"], [1000, "s"], [1, "ms"]];
  const first = units.findIndex(([unit]) => ms >= unit);
  if (first < 0) return "0 ms";
  const [unit, name] = units[first], rest = units[first + 1];
  const small = rest ? Math.floor((ms % unit) / rest[0]) : 0;
  return Math.floor(ms / unit) + " " + name + (small ? " " + small + " " + rest[1] : "");
}

// Messages: both ends by number; and by place the other end, or -1.
const otherEnd = new Int32Array(COUNT).fill(-1);
const sent = [];
{
  const open = new Map();
  for (let i = 0; i < COUNT; i++) {
    const mark = markOf(i);
    if (mark === "sent") {
      sent.push(i);
      open.set(value(i, "message"), i);
    } else if (mark === "received") {
      const from = open.get(value(i, "message"));
      if (from !== undefined) [otherEnd[i], otherEnd[from]] = [from, i];
    }
  }
}
const numberOfNode = new Map(NODES.map((name, n) => [name, n]));
const sentTo = new Uint16Array(COUNT);
sent.forEach((i) => { sentTo[i] = numberOfNode.get(value(i, "to")) ?? 0; });
let flightMax = 0;
const flights = [];
for (const i of sent) if (otherEnd[i] >= 0) flights.push(time[otherEnd[i]] - time[i]);
flights.forEach((flight) => { flightMax = Math.max(flightMax, flight); });
const flightUsual = flights.length ? flights.sort((a, b) => a - b)[flights.length >> 1] : 40;

const scheduled = new Map(DATA.events.map(([id, at, text]) => [id, { at, text }]));

// The first entry at or after a time.
function firstAt(ms) {
  let low = 0, high = COUNT;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (time[middle] < ms) low = middle + 1; else high = middle;
  }
  return low;
}

// Marks that are drawn at every zoom, the most telling last.
const LOUD = ["healed", "converged", "clock", "kill", "power-cut", "not-open", "violated"];
const TEMPLATE_LOUD = TEMPLATES.map((kind) => LOUD.indexOf(kind.mark) + 1);
const louds = [];
for (let i = 0; i < COUNT; i++) if (TEMPLATE_LOUD[template[i]]) louds.push(i);
louds.sort((a, b) => TEMPLATE_LOUD[template[a]] - TEMPLATE_LOUD[template[b]] || a - b);

// The records that an entry is about.
function recordsOf(i) {
  const one = value(i, "record"), many = value(i, "records");
  return one !== undefined ? [one] : Array.isArray(many) ? many : [];
}
