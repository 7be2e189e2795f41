// What is being looked at: the stretch of time, the filters, the choice; kept in the address for sharing.

const view = { from: 0, to: END, nodes: new Set(), groups: new Set(), query: "", chosen: -1 };
const everyNode = NODES.map((_, n) => n).filter((n) => n > 0);
everyNode.forEach((n) => view.nodes.add(n));
DATA.groups.forEach((_, group) => view.groups.add(group));

const visible = new Uint8Array(COUNT);
let visibleCount = 0, lanes = [], laneOf = new Int32Array(NODES.length);

// Decides anew what passes the filters.
function refilter() {
  lanes = [0, ...everyNode.filter((n) => view.nodes.has(n))];
  laneOf.fill(-1);
  lanes.forEach((n, lane) => { laneOf[n] = lane; });
  const terms = view.query.toLowerCase().split(/\s+/).filter(Boolean).map(matcher);
  const groups = TEMPLATES.map((kind) => view.groups.has(kind.group));
  visibleCount = 0;
  for (let i = 0; i < COUNT; i++) {
    const passes = laneOf[node[i]] >= 0 && groups[template[i]] && terms.every((matches) => matches(i));
    visible[i] = passes ? 1 : 0;
    visibleCount += visible[i];
  }
}

// Whether an entry's node, sentence, values or schedule hold a term; texts are looked at once each.
function matcher(term) {
  const has = (text) => text.toLowerCase().includes(term);
  const strings = COLUMNS.strings.map(has), names = NODES.map(has);
  const sentences = TEMPLATES.map((kind) => has(kind.parts.join(" ")) || has(kind.mark));
  const events = new Set([...scheduled].filter(([, event]) => has(event.text)).map(([id]) => id));
  const number = /^\d+$/.test(term) ? Number(term) : -1;
  return (i) => {
    if (names[node[i]] || sentences[template[i]]) return true;
    const types = TEMPLATES[template[i]].types, named = TEMPLATES[template[i]].named;
    let at = start[i];
    for (let slot = 0; slot < types.length; slot++) {
      const type = types[slot];
      if (type === "t") {
        if (strings[values[at++]]) return true;
      } else if (type === "l") {
        const end = at + 1 + values[at];
        for (at++; at < end; at++) if (strings[values[at]]) return true;
      } else {
        if (values[at] === number || (named[slot] === "id" && events.has(values[at]))) return true;
        at++;
      }
    }
    return false;
  };
}

const SPAN_MIN = 4;

function look(from, to) {
  const span = Math.min(Math.max(to - from, SPAN_MIN), END * 1.02);
  const middle = (from + to) / 2;
  view.from = Math.max(-END * 0.01, Math.min(middle - span / 2, END * 1.01 - span));
  view.to = view.from + span;
}

function zoom(factor, at) {
  const around = at ?? (view.from + view.to) / 2;
  const span = Math.min(Math.max((view.to - view.from) * factor, SPAN_MIN), END * 1.02);
  const share = (around - view.from) / (view.to - view.from);
  look(around - span * share, around + span * (1 - share));
}

// Brings an entry into view.
function approach(i) {
  const span = view.to - view.from;
  if (time[i] < view.from + span * 0.03 || time[i] > view.to - span * 0.03) look(time[i] - span / 2, time[i] + span / 2);
}

function aroundFailure() {
  const span = Math.min(Math.max(END / 200, 20000), END);
  look(DATA.violation.at - span * 0.8, DATA.violation.at + span * 0.2);
}

// The address, and back.
function toAddress() {
  const parts = [];
  if (view.from > 0 || view.to < END) parts.push("from=" + Math.round(view.from), "to=" + Math.round(view.to));
  if (view.nodes.size < everyNode.length) parts.push("nodes=" + [...view.nodes].map((n) => encodeURIComponent(NODES[n])).join(","));
  if (view.groups.size < DATA.groups.length) parts.push("kinds=" + [...view.groups].map((group) => encodeURIComponent(DATA.groups[group])).join(","));
  if (view.query) parts.push("search=" + encodeURIComponent(view.query));
  if (view.chosen >= 0) parts.push("select=" + view.chosen);
  return "#" + parts.join("&");
}

function fromAddress() {
  const given = new Map(location.hash.slice(1).split("&").filter(Boolean).map((part) => {
    const at = part.indexOf("=");
    return at < 0 ? [part, ""] : [part.slice(0, at), part.slice(at + 1)];
  }));
  const decode = (text) => { try { return decodeURIComponent(text); } catch { return text; } };
  const names = (text) => text.split(",").map(decode);
  const number = (name, otherwise) => (given.has(name) && isFinite(given.get(name)) ? Number(given.get(name)) : otherwise);
  look(number("from", 0), number("to", END));
  if (given.has("nodes")) view.nodes = new Set(names(given.get("nodes")).map((name) => numberOfNode.get(name)).filter((n) => n > 0));
  if (given.has("kinds")) view.groups = new Set(names(given.get("kinds")).map((name) => DATA.groups.indexOf(name)).filter((group) => group >= 0));
  if (given.has("search")) view.query = decode(given.get("search"));
  const chosen = number("select", -1);
  view.chosen = Number.isInteger(chosen) && chosen >= 0 && chosen < COUNT ? chosen : -1;
  if (view.chosen >= 0) {
    view.nodes.add(node[view.chosen]);
    view.nodes.delete(0);
    if (!given.has("from")) approach(view.chosen);
  }
}
