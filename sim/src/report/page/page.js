// What the reader does: zooming, filtering, choosing, and what the panel and the table say then.

let awaited = false, saving = 0;
function redraw() {
  if (awaited) return;
  awaited = true;
  requestAnimationFrame(() => {
    awaited = false;
    draw();
    hovered = -1;
    if (element("listing").open) fillTable();
    clearTimeout(saving);
    saving = setTimeout(() => { try { history.replaceState(null, "", toAddress()); } catch { /* not every place allows it */ } }, 300);
  });
}

function filterAgain() {
  refilter();
  mapBars = null;
  rowsShown = ROWS;
  element("nodes-count").textContent = view.nodes.size + "/" + everyNode.length;
  element("groups-count").textContent = view.groups.size + "/" + DATA.groups.length;
  element("found").textContent = view.query ? visibleCount + " found" : "";
  redraw();
}

// Builds an element; texts go in as texts, never as markup.
function make(name, text, into, given = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  Object.assign(made, given);
  if (into) into.append(made);
  return made;
}

// Entries near to one another.
function neighbour(i, way, passes) {
  for (let j = i + way; j >= 0 && j < COUNT; j += way) if (passes(j)) return j;
  return -1;
}
const onNode = (n) => (j) => node[j] === n;

function choose(i, move = true) {
  view.chosen = i;
  if (i >= 0 && move) {
    approach(i);
    if (laneOf[node[i]] < 0) { view.nodes.add(node[i]); buildFilters(); filterAgain(); }
    const top = laneOf[node[i]] * laneHeight;
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    if (top + laneHeight + AXIS > scroller.scrollTop + scroller.clientHeight) scroller.scrollTop = top + laneHeight + AXIS - scroller.clientHeight + 8;
  }
  fillPanel();
  redraw();
}

function go(into, label, i) {
  if (i < 0 || i === undefined) return;
  const button = make("button", "", into, { type: "button", className: "go", onclick: () => choose(i) });
  make("b", label + " ", button);
  const sentence = words(i);
  button.append(clock(time[i]) + " " + (sentence.length > 150 ? sentence.slice(0, 150) + "…" : sentence));
}

function fillPanel() {
  const panel = element("panel"), i = view.chosen;
  panel.replaceChildren();
  if (i < 0) return introduce(panel);
  make("h2", clock(time[i]) + " · " + nodeName(node[i]), panel);
  make("p", words(i), panel, { className: markOf(i) === "violated" ? "violated" : "" });
  make("p", DATA.groups[groupOf(i)] + ", step " + step[i], panel, { className: "quiet" });
  const event = value(i, "id") !== undefined && scheduled.get(value(i, "id"));
  if (event) {
    make("h3", "Scheduled for " + clock(event.at), panel);
    make("p", event.text, panel);
  }
  const records = recordsOf(i);
  if (records.length > 5) {
    make("h3", records.length + " records", panel);
    make("p", records.slice(0, 60).join(", ") + (records.length > 60 ? " …" : ""), panel);
  }
  circumstances(panel, i);
  make("h3", "From here", panel);
  origins(panel, i);
  go(panel, "← before, on this node:", neighbour(i, -1, onNode(node[i])));
  go(panel, "→ next, on this node:", neighbour(i, 1, onNode(node[i])));
  if (records.length) {
    const same = (j) => recordsOf(j).some((record) => records[0] === record);
    go(panel, "← this record before:", neighbour(i, -1, same));
    go(panel, "→ this record next:", neighbour(i, 1, same));
  }
  const together = [];
  for (let j = neighbour(i, -1, (j) => step[j] !== step[i]) + 1; j < COUNT && step[j] === step[i] && together.length < 8; j++) if (j !== i) together.push(j);
  if (together.length) make("h3", "In the same step", panel);
  together.forEach((j) => go(panel, "", j));
}

function introduce(panel) {
  make("h2", "Nothing selected", panel);
  make("p", "Click a mark, line or bar to read what happened there.", panel);
  make("p", "Wheel or + and − zoom, dragging moves, the small map above shows where you are; Shift and wheel move sideways, Alt and wheel up and down. With the diagram in focus, ← and → go from event to event on one node, ↑ and ↓ to the next node, 0 shows the whole run" + (DATA.violation ? ", f the failure." : "."), panel, { className: "quiet" });
  const failure = findFailure();
  if (failure >= 0) go(panel, "What failed:", failure);
}

const findFailure = () => neighbour(COUNT, -1, (j) => markOf(j) === "violated");

// What was going on at that node then.
function circumstances(panel, i) {
  const said = [];
  for (const [n, from, to, how] of DATA.downs) if (n === node[i] && from <= time[i] && time[i] < to) said.push("The process is " + how + " until " + clock(to) + ".");
  for (const [id, name, from, to, nodes, cut] of DATA.faults) {
    if (from > time[i] || to < time[i]) continue;
    const own = markOf(i) === "fault" && value(i, "id") === id;
    if (!own && !nodes.includes(node[i]) && !cut.some((both) => both.includes(node[i]))) continue;
    said.push(name + " (event " + id + "), " + clock(from) + " to " + clock(to) + ", " + duration(to - from) + ".");
  }
  if (!said.length) return;
  make("h3", "At that time", panel);
  said.slice(0, 8).forEach((text) => make("p", text, panel));
}

// Where it came from, and what came of it.
function origins(panel, i) {
  const mark = markOf(i);
  if (mark === "sent") {
    if (otherEnd[i] >= 0) go(panel, "→ arrived " + duration(time[otherEnd[i]] - time[i]) + " later:", otherEnd[i]);
    else make("p", "It never arrived.", panel, { className: "violated" });
  }
  if (mark === "received") {
    if (otherEnd[i] >= 0) go(panel, "← sent " + duration(time[i] - time[otherEnd[i]]) + " before:", otherEnd[i]);
    else make("p", "Its sending is not on this page.", panel, { className: "quiet" });
  }
  if (mark === "commit-peer") go(panel, "← came with:", neighbour(i, -1, (j) => node[j] === node[i] && markOf(j) === "received" && /Batch|Part/.test(value(j, "name"))));
  if (mark === "write") {
    const commit = (j) => node[j] === node[i] && markOf(j) === "commit-local", before = neighbour(i, -1, (j) => step[j] !== step[i] || commit(j));
    go(panel, "→ committed as:", before >= 0 && step[before] === step[i] ? before : neighbour(i, 1, commit));
  }
  if (mark === "kill" || mark === "power-cut" || mark === "close") go(panel, "→ started again:", neighbour(i, 1, (j) => node[j] === node[i] && (markOf(j) === "open" || markOf(j) === "not-open")));
  if (mark === "fault") go(panel, "→ over:", neighbour(i, 1, (j) => markOf(j) === "healed" || (markOf(j) === "fault-end" && value(j, "id") === value(i, "id"))));
  if (mark === "fault-end") go(panel, "← began:", neighbour(i, -1, (j) => markOf(j) === "fault" && value(j, "id") === value(i, "id")));
  if (mark === "violated" && element("differing").textContent) {
    make("button", "See the records that differ", panel, { type: "button", className: "go", onclick: () => element("differing").scrollIntoView({ behavior: "smooth" }) });
  }
  if (mark === "violated") for (const n of DATA.violation.nodes.slice(0, 6)) go(panel, "← before, on " + nodeName(n) + ":", neighbour(i, -1, onNode(n)));
}

// The table: the same events for those who read rather than look.
const ROWS = 200;
let rowsShown = ROWS;
function fillTable() {
  const body = element("rows");
  body.replaceChildren();
  let shown = 0, i = firstAt(view.from);
  for (; i < COUNT && time[i] <= view.to && shown < rowsShown; i++) {
    if (!visible[i]) continue;
    shown++;
    const row = make("tr", "", body, { className: i === view.chosen ? "chosen" : "" }), here = i;
    make("td", clock(time[i]), row);
    make("td", nodeName(node[i]), row);
    make("td", DATA.groups[groupOf(i)], row);
    make("button", words(i), make("td", "", row), { type: "button", onclick: () => choose(here, false) });
  }
  element("more").hidden = !(i < COUNT && time[i] <= view.to);
}

// What lies under the pointer: the nearest mark or line, or in bars the nearest event.
function under(x, y) {
  if (x < gutter || y < AXIS) return -1;
  let best = -1, least = 9;
  for (let at = drawn.length - 1; at >= 0; at--) {
    const item = drawn[at];
    const far = item.x2 === undefined ? Math.hypot(item.x - x, item.y - y) - 2 : toLine(item, x, y) + 2;
    if (far < least) [best, least] = [item.i, far];
  }
  if (best >= 0 || !dense) return best;
  const n = lanes[laneAt(y)], reach = ((view.to - view.from) / (width - gutter)) * BUCKET * 2;
  if (n === undefined) return -1;
  const at = timeAt(x);
  let i = firstAt(at - reach), near = -1;
  for (; i < COUNT && time[i] <= at + reach; i++) {
    if (visible[i] && node[i] === n && (near < 0 || Math.abs(time[i] - at) < Math.abs(time[near] - at))) near = i;
  }
  return near;
}

function toLine({ x, y, x2, y2 }, px, py) {
  const dx = x2 - x, dy = y2 - y, length = dx * dx + dy * dy || 1;
  const share = Math.max(0, Math.min(1, ((px - x) * dx + (py - y) * dy) / length));
  return Math.hypot(px - x - share * dx, py - y - share * dy);
}

const inside = (event) => { const box = canvas.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };

function bandUnder(x, y) {
  const n = lanes[laneAt(y)], at = timeAt(x);
  if (!n || x < gutter || y < AXIS) return "";
  const said = DATA.downs.filter(([m, from, to]) => m === n && from <= at && at < to).map(([, , , how]) => how);
  DATA.faults.forEach(([, name, from, to, nodes, cut]) => {
    if (from <= at && at < to && (nodes.includes(n) || cut.some((both) => both.includes(n)))) said.push(name + " until " + clock(to));
  });
  return said.length ? nodeName(n) + ": " + said.join("; ") : "";
}

let hovered = -1;
function hover(event) {
  const [x, y] = inside(event), i = under(x, y), tip = element("hover");
  const text = i >= 0 ? clock(time[i]) + " " + words(i) : bandUnder(x, y);
  tip.hidden = !text;
  canvas.style.cursor = i >= 0 ? "pointer" : "";
  if (i !== hovered) {
    draw();
    if (i >= 0) glow(i);
    hovered = i;
  }
  if (!text) return;
  tip.textContent = text;
  const wide = tip.offsetWidth, high = tip.offsetHeight;
  tip.style.left = Math.max(4, Math.min(event.clientX + 14, innerWidth - wide - 8)) + "px";
  tip.style.top = (event.clientY + 18 + high > innerHeight ? event.clientY - high - 8 : event.clientY + 18) + "px";
}

function glow(i) {
  if (laneOf[node[i]] < 0) return;
  pen.strokeStyle = colours.accent;
  pen.lineWidth = 2;
  const from = markOf(i) === "received" ? otherEnd[i] : markOf(i) === "sent" ? i : -1;
  pen.beginPath();
  if (from >= 0 && laneOf[sentTo[from]] >= 0) {
    const line = messageLine(from);
    pen.moveTo(line.x, line.y);
    pen.lineTo(line.x2, line.y2);
  } else pen.arc(xOf(time[i]), yOf(laneOf[node[i]]), 8, 0, 7);
  pen.stroke();
}

function listen() {
  let drag = null, hovering = 0;
  canvas.addEventListener("wheel", (event) => {
    const sideways = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
    if (event.altKey) return;
    event.preventDefault();
    const span = view.to - view.from;
    if (sideways) {
      const by = ((event.deltaX || event.deltaY) / (width - gutter)) * span;
      look(view.from + by, view.to + by);
    } else zoom(Math.exp(Math.max(-240, Math.min(240, event.deltaY)) * 0.0022), timeAt(Math.max(gutter, inside(event)[0])));
    redraw();
  }, { passive: false });
  canvas.addEventListener("pointerdown", (event) => {
    drag = { x: event.clientX, y: event.clientY, from: view.from, to: view.to, top: scroller.scrollTop, moved: false };
    canvas.setPointerCapture(event.pointerId);
    scroller.focus({ preventScroll: true });
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!drag) {
      cancelAnimationFrame(hovering);
      hovering = requestAnimationFrame(() => hover(event));
      return;
    }
    if (Math.hypot(event.clientX - drag.x, event.clientY - drag.y) > 4) drag.moved = true;
    if (!drag.moved) return;
    canvas.classList.add("drag");
    const by = ((drag.x - event.clientX) / (width - gutter)) * (drag.to - drag.from);
    look(drag.from + by, drag.to + by);
    scroller.scrollTop = drag.top + drag.y - event.clientY;
    redraw();
  });
  canvas.addEventListener("pointerup", (event) => {
    canvas.classList.remove("drag");
    if (drag && !drag.moved) choose(under(...inside(event)), false);
    drag = null;
  });
  canvas.addEventListener("pointercancel", () => { drag = null; });
  canvas.addEventListener("pointerleave", () => { cancelAnimationFrame(hovering); element("hover").hidden = true; redraw(); });
  canvas.addEventListener("dblclick", (event) => { zoom(0.25, timeAt(inside(event)[0])); redraw(); });
  scroller.addEventListener("scroll", redraw);
  scroller.addEventListener("keydown", keys);
  listenToMap();
  listenToTools();
  new ResizeObserver(redraw).observe(scroller);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readColours(); drawLegend(); redraw(); });
  addEventListener("hashchange", () => { fromAddress(); buildFilters(); filterAgain(); fillPanel(); });
}

function listenToMap() {
  let drag = null;
  const at = (event) => ((event.clientX - map.getBoundingClientRect().left) / map.clientWidth) * END;
  map.addEventListener("pointerdown", (event) => {
    const where = at(event), within = where > view.from && where < view.to && view.to - view.from < END * 0.98;
    drag = within ? { off: where - view.from } : { start: where };
    map.setPointerCapture(event.pointerId);
  });
  map.addEventListener("pointermove", (event) => {
    if (!drag) return;
    const where = at(event), span = view.to - view.from;
    if (drag.off !== undefined) look(where - drag.off, where - drag.off + span);
    else if (Math.abs(where - drag.start) > END / 300) look(Math.min(drag.start, where), Math.max(drag.start, where));
    redraw();
  });
  map.addEventListener("pointerup", (event) => {
    const where = at(event), span = view.to - view.from;
    if (drag && drag.start !== undefined && Math.abs(where - drag.start) <= END / 300) look(where - span / 2, where + span / 2);
    drag = null;
    redraw();
  });
}

function keys(event) {
  if (event.ctrlKey || event.metaKey) return;
  const i = view.chosen, press = event.key;
  const seen = (j) => visible[j] === 1;
  if (press === "ArrowRight" || press === "ArrowLeft") {
    const way = press === "ArrowRight" ? 1 : -1;
    const from = i >= 0 ? i : way > 0 ? firstAt(view.from) - 1 : firstAt(view.to);
    const next = neighbour(from, way, (j) => seen(j) && (event.shiftKey || i < 0 || node[j] === node[i]));
    if (next >= 0) choose(next);
  } else if (press === "ArrowDown" || press === "ArrowUp") {
    const lane = (i >= 0 ? laneOf[node[i]] : 0) + (press === "ArrowDown" ? 1 : -1), when = i >= 0 ? time[i] : (view.from + view.to) / 2;
    if (lane < 0 || lane >= lanes.length) return;
    const here = (j) => seen(j) && node[j] === lanes[lane], at = firstAt(when);
    const after = neighbour(at - 1, 1, here), before = neighbour(at, -1, here);
    const nearest = after < 0 ? before : before < 0 ? after : time[after] - when < when - time[before] ? after : before;
    if (nearest >= 0) choose(nearest);
  } else if (press === "+" || press === "=") zoom(0.5, i >= 0 ? time[i] : undefined);
  else if (press === "-") zoom(2, i >= 0 ? time[i] : undefined);
  else if (press === "0") look(0, END);
  else if (press === "f" && DATA.violation) aroundFailure();
  else if (press === "Escape") choose(-1);
  else return;
  event.preventDefault();
  redraw();
}

function listenToTools() {
  const click = (id, act) => element(id).addEventListener("click", () => { act(); redraw(); });
  click("zoom-in", () => zoom(0.5));
  click("zoom-out", () => zoom(2));
  click("zoom-all", () => look(0, END));
  click("more", () => { rowsShown += ROWS; });
  element("listing").addEventListener("toggle", redraw);
  let typing = 0;
  element("search").addEventListener("input", (event) => {
    clearTimeout(typing);
    view.query = event.target.value;
    typing = setTimeout(filterAgain, 150);
  });
  const nodes = (chosen) => () => { view.nodes = new Set(chosen()); buildFilters(); filterAgain(); };
  click("nodes-all", nodes(() => everyNode));
  click("nodes-none", nodes(() => []));
  if (DATA.violation) {
    element("zoom-failure").hidden = false;
    click("zoom-failure", () => { aroundFailure(); choose(findFailure(), false); });
    element("nodes-failure").hidden = !DATA.violation.nodes.length;
    click("nodes-failure", nodes(() => DATA.violation.nodes.filter((n) => n > 0)));
  }
  document.querySelectorAll(".show").forEach((button) => button.addEventListener("click", () => {
    if (view.to - view.from > END / 50) look(time[button.dataset.entry] - END / 200, time[button.dataset.entry] + END / 200);
    choose(Number(button.dataset.entry));
    element("app").scrollIntoView({ behavior: "smooth" });
  }));
  document.addEventListener("pointerdown", (event) => {
    document.querySelectorAll(".menu[open]").forEach((menu) => { if (!menu.contains(event.target)) menu.open = false; });
  });
  if (DATA.schedule) {
    element("save").hidden = false;
    element("save").addEventListener("click", () => {
      const link = make("a", "", null, { href: URL.createObjectURL(new Blob([DATA.schedule])), download: DATA.file });
      link.click();
      URL.revokeObjectURL(link.href);
    });
  }
}

function buildFilters() {
  const box = (into, label, colour, on, change) => {
    const row = make("label", "", into);
    make("input", "", row, { type: "checkbox", checked: on, onchange: (event) => { change(event.target.checked); filterAgain(); } });
    if (colour) make("span", "", row, { className: "swatch" }).style.background = "var(--" + colour + ")";
    row.append(" " + label);
  };
  const toggle = (set, item) => (on) => (on ? set.add(item) : set.delete(item));
  element("nodes-list").replaceChildren();
  element("groups-list").replaceChildren();
  everyNode.forEach((n) => {
    const role = typeof DATA.roles[n - 1] === "string" && DATA.roles[n - 1] !== "device" ? " (" + DATA.roles[n - 1] + ")" : "";
    box(element("nodes-list"), NODES[n] + role, "", view.nodes.has(n), toggle(view.nodes, n));
  });
  const colour = { checks: "bad", faults: "fault", processes: "process", writes: "write", commits: "commit", messages: "message", connections: "line", sessions: "session", durability: "quiet", "other events": "clock" };
  DATA.groups.forEach((name, group) => box(element("groups-list"), name, colour[name], view.groups.has(group), toggle(view.groups, group)));
  element("search").value = view.query;
}

const LEGEND = [["write", "a write of an app"], ["skipped", "an event that did nothing"], ["commit-local", "own changes committed"],
  ["commit-peer", "a peer's changes committed"], ["durable", "safe on the disk"], ["connect", "connected"], ["disconnect", "disconnected"],
  ["dial", "dialled"], ["dial-failed", "did not reach"], ["session", "news of a session"], ["open", "store opened"], ["close", "closed in good order"],
  ["kill", "process ended"], ["power-cut", "power cut"], ["not-open", "store could not be opened"], ["clock", "clock jumps or stands still"],
  ["event", "another scheduled event"], ["fault", "a fault begins"], ["fault-end", "a fault ends"], ["violated", "a check failed"]];

function drawLegend() {
  const legend = element("legend"), brush = legend.getContext("2d"), high = 19;
  fit(legend, brush, 240, (LEGEND.length + 5) * high);
  brush.font = "12px system-ui, sans-serif";
  brush.textBaseline = "middle";
  const say = (text, at) => { brush.fillStyle = colours.ink; brush.fillText(text, 34, (at + 0.5) * high); };
  LEGEND.forEach(([mark, text], at) => { shape(brush, mark, 16, (at + 0.5) * high, 4.5); say(text, at); });
  const line = (at, lost) => {
    brush.strokeStyle = lost ? colours.lost : colours.message;
    brush.beginPath();
    brush.moveTo(4, at * high + 4);
    brush.lineTo(26, at * high + 14);
    if (lost) { brush.moveTo(22, at * high + 10); brush.lineTo(30, at * high + 18); brush.moveTo(30, at * high + 10); brush.lineTo(22, at * high + 18); }
    brush.stroke();
  };
  const n = LEGEND.length;
  line(n, false);
  say("a message, sender to receiver", n);
  line(n + 1, true);
  say("a message that never arrived", n + 1);
  [["cut", false, "cut off from others"], ["fault", false, "another fault"], ["down", true, "the process is down"]].forEach(([colour, down, text], at) => {
    brush.fillStyle = hatch(colours[colour], down);
    brush.fillRect(4, (n + 2 + at) * high + 3, 24, 13);
    say(text, n + 2 + at);
  });
}

element("app").hidden = false;
fromAddress();
if (!location.hash && DATA.violation) view.chosen = findFailure();
readColours();
buildFilters();
filterAgain();
fillPanel();
drawLegend();
listen();
