// Draws: lanes, bands, messages, marks; bars of density where marks would cover each other.

const element = (id) => document.getElementById(id);
const scroller = element("scroller"), canvas = element("diagram"), map = element("map"), tall = element("tall");
const pen = canvas.getContext("2d"), mapPen = map.getContext("2d");
const AXIS = 24, BUCKET = 4, MARKS_MAX = 5000, LINES_MAX = 3000;
let gutter = 80, width = 0, height = 0, laneHeight = 30, colours = {}, drawn = [], dense = false, mapBars = null;

function readColours() {
  const style = getComputedStyle(document.documentElement);
  colours = {};
  for (const name of ["ground", "raised", "ink", "quiet", "rule", "lane", "bad", "accent", "write", "commit", "commit-peer",
    "message", "lost", "process", "fault", "cut", "clock", "session", "line", "down", "good"]) {
    colours[name] = style.getPropertyValue("--" + name).trim();
  }
  hatches.clear();
}

const COLOUR = { write: "write", skipped: "quiet", "commit-local": "commit", "commit-peer": "commit-peer", durable: "quiet",
  open: "good", close: "quiet", kill: "process", "power-cut": "process", "not-open": "bad", clock: "clock", dial: "line",
  "dial-failed": "line", connect: "line", disconnect: "line", sent: "message", received: "message", session: "session",
  fault: "fault", "fault-end": "fault", healed: "good", converged: "good", violated: "bad", event: "clock" };
// Which bar a group counts in: above the lane's line, or below.
const BARS = ["write", "commit", "message", "line"];
const BAR_OF_GROUP = { writes: 0, commits: 1, messages: 2 };

const hatches = new Map();
function hatch(colour, down) {
  const key = colour + down;
  if (!hatches.has(key)) {
    const tile = document.createElement("canvas");
    tile.width = tile.height = 8;
    const brush = tile.getContext("2d");
    brush.strokeStyle = colour;
    brush.lineWidth = 1.6;
    brush.beginPath();
    for (const offset of [-8, 0, 8]) {
      brush.moveTo(offset, down ? 0 : 8);
      brush.lineTo(offset + 8, down ? 8 : 0);
    }
    brush.stroke();
    hatches.set(key, pen.createPattern(tile, "repeat"));
  }
  return hatches.get(key);
}

function fit(target, brush, wide, high) {
  const ratio = window.devicePixelRatio || 1;
  if (target.width !== Math.round(wide * ratio) || target.height !== Math.round(high * ratio)) {
    target.width = Math.round(wide * ratio);
    target.height = Math.round(high * ratio);
    target.style.width = wide + "px";
    target.style.height = high + "px";
  }
  brush.setTransform(ratio, 0, 0, ratio, 0, 0);
  brush.clearRect(0, 0, wide, high);
}

const xOf = (ms) => gutter + ((ms - view.from) / (view.to - view.from)) * (width - gutter);
const timeAt = (x) => view.from + ((x - gutter) / (width - gutter)) * (view.to - view.from);
const yOf = (lane) => AXIS + lane * laneHeight + laneHeight * 0.55 - scroller.scrollTop;
const laneAt = (y) => Math.floor((y - AXIS + scroller.scrollTop) / laneHeight);

function draw() {
  const room = Math.max(260, Math.min(innerHeight * 0.62, AXIS + lanes.length * 72 + 10));
  if (Math.abs(scroller.offsetHeight - room) > 2) scroller.style.height = Math.round(room) + "px";
  width = scroller.clientWidth;
  height = scroller.clientHeight;
  laneHeight = Math.max(lanes.length > 60 ? 18 : 26, Math.min(72, Math.floor((height - AXIS - 4) / lanes.length)));
  tall.style.height = AXIS + lanes.length * laneHeight + 4 + "px";
  fit(canvas, pen, width, height);
  pen.font = "12px system-ui, sans-serif";
  gutter = Math.min(190, 22 + Math.max(...lanes.map((n) => pen.measureText(laneName(n)).width)));
  drawn = [];
  const first = firstAt(view.from), last = firstAt(view.to + 1e-6);
  drawLanes();
  drawBands();
  const lines = messagesInView();
  const asLines = lines.length <= LINES_MAX;
  if (asLines) lines.forEach(drawMessage);
  drawEntries(first, last, asLines);
  if (view.chosen >= 0) drawChosen(view.chosen);
  drawFailure();
  if (view.chosen >= 0) ring(view.chosen);
  drawAxis();
  drawNames();
  drawMap();
  const many = dense ? " · bars show how much happened; zoom in for single events" : "";
  element("window").textContent = clock(Math.max(0, view.from)) + " – " + clock(Math.min(END, view.to)) + " · " + duration(view.to - view.from) + many;
}

const laneName = (n) => (nodeName(n).length > 22 ? nodeName(n).slice(0, 21) + "…" : nodeName(n));

function drawLanes() {
  for (let lane = 0; lane < lanes.length; lane++) {
    const y = yOf(lane);
    if (y < -laneHeight || y > height + laneHeight) continue;
    if (lane % 2) {
      pen.fillStyle = colours.raised;
      pen.globalAlpha = 0.6;
      pen.fillRect(0, AXIS + lane * laneHeight - scroller.scrollTop, width, laneHeight);
      pen.globalAlpha = 1;
    }
    pen.fillStyle = colours.rule;
    pen.fillRect(gutter, Math.round(y), width - gutter, 1);
  }
}

function band(lane, from, to, colour, down, label) {
  const left = Math.max(gutter, xOf(from)), right = Math.min(width, xOf(to));
  if (right <= gutter || left >= width) return;
  const top = AXIS + lane * laneHeight - scroller.scrollTop + 1, wide = Math.max(1.5, right - left);
  if (top > height || top + laneHeight < 0) return;
  pen.fillStyle = colour;
  pen.globalAlpha = 0.16;
  pen.fillRect(left, top, wide, laneHeight - 2);
  pen.globalAlpha = 0.5;
  pen.fillStyle = hatch(colour, down);
  if (wide > 3) pen.fillRect(left, top, wide, laneHeight - 2);
  pen.globalAlpha = 1;
  if (label && wide > pen.measureText(label).width + 8 && laneHeight > 24) {
    pen.fillStyle = colours.ink;
    pen.textBaseline = "top";
    pen.fillText(label, left + 4, top + 1);
  }
}

// At the foot of the lane of one that somebody else is cut off from.
function strip(lane, from, to, colour) {
  const left = Math.max(gutter, xOf(from)), right = Math.min(width, xOf(to));
  pen.fillStyle = colour;
  pen.globalAlpha = 0.7;
  if (right > gutter && left < width) pen.fillRect(left, AXIS + (lane + 1) * laneHeight - scroller.scrollTop - 4, Math.max(1.5, right - left), 3);
  pen.globalAlpha = 1;
}

function drawBands() {
  pen.font = "10px system-ui, sans-serif";
  for (const [n, from, to, how] of DATA.downs) {
    if (laneOf[n] < 0 || to < view.from || from > view.to) continue;
    band(laneOf[n], from, to, colours.down, true, how);
    // Where a process does not run there is no line.
    const left = Math.max(gutter, xOf(from));
    pen.fillStyle = colours.ground;
    pen.fillRect(left, Math.round(yOf(laneOf[n])), Math.max(1, Math.min(width, xOf(to)) - left), 1);
  }
  for (const [, name, from, to, nodes, cut] of DATA.faults) {
    if (to < view.from || from > view.to) continue;
    const colour = cut.length ? colours.cut : colours.fault, own = new Set(nodes.length ? nodes : cut.flat());
    for (const n of own) if (laneOf[n] > 0) band(laneOf[n], from, to, colour, false, name);
    const others = [...new Set(cut.flat())].filter((n) => !own.has(n));
    // Of many, the relays tell enough.
    for (const n of others) if (laneOf[n] > 0 && (others.length < 4 || DATA.roles[n - 1] === "relay")) strip(laneOf[n], from, to, colour);
  }
  pen.font = "12px system-ui, sans-serif";
}

// Messages under way within view, as far as filters let them through; of few nodes only, if there are too many.
function messagesInView() {
  const lines = [], back = Math.max(flightMax, flightUsual);
  let low = 0, high = sent.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (time[sent[middle]] < view.from - back) low = middle + 1; else high = middle;
  }
  for (let at = low; at < sent.length && time[sent[at]] <= view.to; at++) {
    const i = sent[at], other = otherEnd[i];
    if (laneOf[sentTo[i]] <= 0 || laneOf[node[i]] <= 0) continue;
    if (!visible[i] && (other < 0 || !visible[other])) continue;
    if ((other >= 0 ? time[other] : time[i] + flightUsual) < view.from) continue;
    lines.push(i);
    if (lines.length > LINES_MAX) break;
  }
  return lines;
}

function messageLine(i) {
  const other = otherEnd[i], x = xOf(time[i]), y = yOf(laneOf[node[i]]);
  const far = yOf(laneOf[sentTo[i]]);
  if (other >= 0) return { x, y, x2: xOf(time[other]), y2: far, lost: false };
  return { x, y, x2: x + (xOf(time[i] + flightUsual) - x) * 0.6, y2: y + (far - y) * 0.6, lost: true };
}

function drawMessage(i) {
  const line = messageLine(i);
  if (Math.max(line.y, line.y2) < 0 || Math.min(line.y, line.y2) > height) return;
  pen.strokeStyle = line.lost ? colours.lost : colours.message;
  pen.lineWidth = line.lost ? 1.4 : 1;
  pen.globalAlpha = line.lost ? 1 : 0.75;
  pen.beginPath();
  pen.moveTo(line.x, line.y);
  pen.lineTo(line.x2, line.y2);
  if (line.lost) cross(line.x2, line.y2, 3.5);
  else {
    const angle = Math.atan2(line.y2 - line.y, line.x2 - line.x);
    for (const side of [-0.4, 0.4]) {
      pen.moveTo(line.x2, line.y2);
      pen.lineTo(line.x2 - 6 * Math.cos(angle + side), line.y2 - 6 * Math.sin(angle + side));
    }
  }
  pen.stroke();
  pen.globalAlpha = 1;
  drawn.push({ i, ...line });
}

function cross(x, y, r) {
  pen.moveTo(x - r, y - r);
  pen.lineTo(x + r, y + r);
  pen.moveTo(x - r, y + r);
  pen.lineTo(x + r, y - r);
}

function drawEntries(first, last, asLines) {
  let count = 0;
  const message = DATA.groups.indexOf("messages");
  for (let i = first; i < last; i++) if (visible[i] && !(asLines && groupOf(i) === message)) count++;
  dense = count > MARKS_MAX || (count > 800 && count / (lanes.length * (width - gutter)) > 0.12);
  if (dense) drawBars(first, last, asLines ? message : -1);
  for (let i = first; i < last && !dense; i++) {
    if (visible[i] && !TEMPLATE_LOUD[template[i]] && !(asLines && groupOf(i) === message)) drawMark(i);
  }
  for (const i of louds) if (i >= first && i < last && visible[i]) drawMark(i);
}

function drawBars(first, last, without) {
  const buckets = Math.ceil((width - gutter) / BUCKET) + 1, kinds = BARS.length;
  const counts = new Uint32Array(lanes.length * buckets * kinds);
  const bar = TEMPLATES.map((kind) => (kind.group === without ? -1 : BAR_OF_GROUP[DATA.groups[kind.group]] ?? 3));
  const scale = (width - gutter) / BUCKET / (view.to - view.from);
  let most = 1;
  for (let i = first; i < last; i++) {
    const kind = bar[template[i]];
    if (!visible[i] || kind < 0) continue;
    const bucket = Math.max(0, Math.floor((time[i] - view.from) * scale));
    const count = ++counts[(laneOf[node[i]] * buckets + bucket) * kinds + kind];
    if (count > most) most = count;
  }
  const unit = (laneHeight * 0.46) / Math.log2(1 + 2 * most);
  for (let kind = 0; kind < kinds; kind++) {
    pen.fillStyle = colours[BARS[kind]];
    const lift = kind % 2;
    for (let lane = 0; lane < lanes.length; lane++) {
      const y = yOf(lane);
      if (y < -laneHeight || y > height + laneHeight) continue;
      for (let bucket = 0; bucket < buckets; bucket++) {
        const at = (lane * buckets + bucket) * kinds;
        if (!counts[at + kind]) continue;
        // Of two on one side, the second stands on the first.
        const below = lift ? counts[at + kind - 1] : 0;
        const base = Math.log2(1 + below) * unit, high = Math.max(1.5, Math.log2(1 + below + counts[at + kind]) * unit - base);
        const top = kind < 2 ? y - base - high : y + 1 + base;
        pen.fillRect(gutter + bucket * BUCKET, top, BUCKET - 1, high);
      }
    }
  }
}

function drawMark(i) {
  const x = xOf(time[i]), y = yOf(laneOf[node[i]]);
  if (y < -laneHeight || y > height + laneHeight) return;
  const mark = markOf(i);
  if (mark === "healed" || mark === "converged") {
    pen.strokeStyle = colours.good;
    pen.setLineDash([4, 4]);
    pen.beginPath();
    pen.moveTo(x, AXIS);
    pen.lineTo(x, height);
    pen.stroke();
    pen.setLineDash([]);
  }
  shape(pen, mark, x, y, Math.min(5, laneHeight / 5));
  drawn.push({ i, x, y });
}

// A mark: its form tells as much as its colour.
function shape(brush, mark, x, y, r) {
  const colour = colours[COLOUR[mark]] || colours.quiet;
  brush.fillStyle = brush.strokeStyle = colour;
  brush.lineWidth = 1.5;
  brush.beginPath();
  const path = (...points) => {
    points.forEach(([dx, dy], at) => (at ? brush.lineTo(x + dx * r, y + dy * r) : brush.moveTo(x + dx * r, y + dy * r)));
    brush.closePath();
  };
  const fill = () => brush.fill(), stroke = () => brush.stroke();
  if (mark === "write") { path([-1, -0.6], [1, -0.6], [0, -2.4]); fill(); }
  else if (mark === "skipped") { path([-0.8, -0.6], [0.8, -0.6], [0, -2]); stroke(); }
  else if (mark === "commit-local") { brush.fillRect(x - r * 0.4, y - r * 0.5, r * 0.8, r * 2.2); }
  else if (mark === "commit-peer") { brush.fillRect(x - r * 0.3, y - r * 0.2, r * 0.6, r * 1.9); }
  else if (mark === "durable") { brush.arc(x, y + r * 1.6, r * 0.32, 0, 7); fill(); }
  else if (mark === "open") { path([-1, 0.9], [1, 0.9], [0, -0.9]); fill(); }
  else if (mark === "close") { path([-1, -0.9], [1, -0.9], [0, 0.9]); stroke(); }
  else if (mark === "kill") { brush.lineWidth = 2.6; brush.moveTo(x - r, y - r); brush.lineTo(x + r, y + r); brush.moveTo(x - r, y + r); brush.lineTo(x + r, y - r); stroke(); }
  else if (mark === "power-cut") { path([0.6, -2], [-1.1, 0.3], [-0.1, 0.3], [-0.6, 2], [1.1, -0.4], [0.1, -0.4]); fill(); }
  else if (mark === "not-open" || mark === "violated") {
    path([0, -1.9], [1.7, 1.1], [-1.7, 1.1]); fill();
    brush.fillStyle = colours.ground;
    brush.fillRect(x - 0.8, y - r * 0.9, 1.6, r * 0.9);
    brush.fillRect(x - 0.8, y + r * 0.4, 1.6, 1.6);
  }
  else if (mark === "clock") { brush.arc(x, y, r * 1.2, 0, 7); stroke(); brush.beginPath(); brush.moveTo(x, y - r * 0.8); brush.lineTo(x, y); brush.lineTo(x + r * 0.6, y); stroke(); }
  else if (mark === "connect") { brush.arc(x, y, r * 0.8, 0, 7); fill(); }
  else if (mark === "disconnect") { brush.arc(x, y, r * 0.8, 0, 7); stroke(); }
  else if (mark === "dial") { path([-0.5, -0.7], [0.6, 0], [-0.5, 0.7]); stroke(); }
  else if (mark === "dial-failed") { brush.moveTo(x - r * 0.6, y - r * 0.6); brush.lineTo(x + r * 0.6, y + r * 0.6); brush.moveTo(x - r * 0.6, y + r * 0.6); brush.lineTo(x + r * 0.6, y - r * 0.6); stroke(); }
  else if (mark === "session") { path([0, -0.7], [0.6, 0], [0, 0.7], [-0.6, 0]); fill(); }
  else if (mark === "fault") { path([-0.8, -1], [1, 0], [-0.8, 1]); fill(); }
  else if (mark === "fault-end") { path([0.8, -1], [-1, 0], [0.8, 1]); stroke(); }
  else if (mark === "sent" || mark === "received") { brush.fillRect(x - 0.8, y - r * 0.7, 1.6, r * 1.4); }
  else { path([0, -1.1], [1, -0.2], [0.6, 1], [-0.6, 1], [-1, -0.2]); fill(); }
}

function drawFailure() {
  if (!DATA.violation) return;
  const x = xOf(DATA.violation.at);
  if (x < gutter || x > width) return;
  pen.strokeStyle = colours.bad;
  pen.lineWidth = 2;
  pen.beginPath();
  pen.moveTo(x, AXIS - 4);
  pen.lineTo(x, height);
  pen.stroke();
  for (const n of DATA.violation.nodes) if (laneOf[n] >= 0) shape(pen, "violated", x, yOf(laneOf[n]), Math.min(7, laneHeight / 4));
  const label = "✘ " + DATA.violation.check, wide = pen.measureText(label).width + 8;
  const left = Math.min(x + 3, width - wide - 2);
  pen.fillStyle = colours.bad;
  pen.fillRect(left, AXIS + 2, wide, 17);
  pen.fillStyle = colours.ground;
  pen.textBaseline = "middle";
  pen.fillText(label, left + 4, AXIS + 11);
}

function drawChosen(i) {
  const x = xOf(time[i]), lane = laneOf[node[i]];
  if (lane < 0) return;
  pen.strokeStyle = colours.accent;
  pen.lineWidth = 1;
  pen.globalAlpha = 0.7;
  pen.beginPath();
  pen.moveTo(x, AXIS);
  pen.lineTo(x, height);
  pen.stroke();
  pen.globalAlpha = 1;
  pen.lineWidth = 2.4;
  const from = markOf(i) === "received" ? otherEnd[i] : markOf(i) === "sent" ? i : -1;
  if (from >= 0 && laneOf[sentTo[from]] >= 0 && laneOf[node[from]] >= 0) {
    const line = messageLine(from);
    pen.beginPath();
    pen.moveTo(line.x, line.y);
    pen.lineTo(line.x2, line.y2);
    pen.stroke();
  }
  if (!visible[i] || dense) shape(pen, markOf(i), x, yOf(lane), 4);
  // Who cannot reach whom by it.
  const fault = markOf(i) === "fault" && DATA.faults.find(([id, , at]) => id === value(i, "id") && at === time[i]);
  if (fault) fault[5].slice(0, 60).forEach(([a, b]) => pair(x, a, b));
}

function ring(i) {
  if (laneOf[node[i]] < 0) return;
  pen.strokeStyle = colours.accent;
  pen.lineWidth = 2.4;
  pen.beginPath();
  pen.arc(xOf(time[i]), yOf(laneOf[node[i]]), 10, 0, 7);
  pen.stroke();
}

function pair(x, a, b) {
  if (laneOf[a] <= 0 || laneOf[b] <= 0) return;
  const top = yOf(laneOf[a]), bottom = yOf(laneOf[b]);
  pen.strokeStyle = colours.cut;
  pen.lineWidth = 1.5;
  pen.setLineDash([3, 3]);
  pen.beginPath();
  pen.moveTo(x, top);
  pen.quadraticCurveTo(x + 26, (top + bottom) / 2, x, bottom);
  pen.stroke();
  pen.setLineDash([]);
}

const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 15e3, 3e4, 6e4, 12e4, 3e5, 6e5, 9e5, 18e5, 36e5, 72e5,
  144e5, 216e5, 432e5, 864e5, 1728e5, 6048e5, 2592e6];

function drawAxis() {
  pen.fillStyle = colours.ground;
  pen.fillRect(0, 0, width, AXIS);
  pen.fillStyle = colours.rule;
  pen.fillRect(0, AXIS - 1, width, 1);
  const wanted = ((view.to - view.from) * 95) / (width - gutter), every = STEPS.find((ms) => ms >= wanted) || 2592e6;
  pen.fillStyle = colours.quiet;
  pen.textBaseline = "middle";
  for (let at = Math.max(0, Math.ceil(view.from / every) * every); at <= Math.min(view.to, END); at += every) {
    const x = xOf(at);
    pen.fillRect(x, AXIS - 6, 1, 5);
    pen.fillText(clock(at, every < 1000), x + 3, AXIS / 2);
  }
}

function drawNames() {
  pen.fillStyle = colours.ground;
  pen.globalAlpha = 0.93;
  pen.fillRect(0, AXIS, gutter - 6, height);
  pen.globalAlpha = 1;
  const failed = new Set(DATA.violation ? DATA.violation.nodes : []);
  pen.textBaseline = "middle";
  for (let lane = 0; lane < lanes.length; lane++) {
    const n = lanes[lane], y = yOf(lane);
    if (y < AXIS - 8 || y > height + laneHeight) continue;
    pen.fillStyle = failed.has(n) ? colours.bad : n ? colours.ink : colours.quiet;
    pen.font = (view.chosen >= 0 && node[view.chosen] === n ? "bold " : "") + "12px system-ui, sans-serif";
    pen.fillText((failed.has(n) ? "✘ " : "") + laneName(n), 4, y, gutter - 12);
  }
  pen.font = "12px system-ui, sans-serif";
  pen.fillStyle = colours.ground;
  pen.fillRect(0, 0, gutter - 6, AXIS - 1);
}

// The small map of the whole run.
const mapX = (ms) => (ms / END) * map.clientWidth;
function drawMap() {
  const wide = map.clientWidth, high = map.clientHeight;
  fit(map, mapPen, wide, high);
  if (!mapBars || mapBars.length !== wide) {
    mapBars = new Uint32Array(wide);
    for (let i = 0; i < COUNT; i++) if (visible[i]) mapBars[Math.min(wide - 1, Math.floor((time[i] / END) * wide))]++;
  }
  const most = Math.log2(1 + mapBars.reduce((a, b) => Math.max(a, b), 1));
  mapPen.fillStyle = colours.message;
  mapBars.forEach((count, x) => {
    const tall = (Math.log2(1 + count) / most) * (high - 10);
    if (count) mapPen.fillRect(x, high - tall, 1, tall);
  });
  for (const [, , from, to, , cut] of DATA.faults) {
    mapPen.fillStyle = cut.length ? colours.cut : colours.fault;
    mapPen.fillRect(mapX(from), cut.length ? 0 : 4, Math.max(1, mapX(to) - mapX(from)), 3);
  }
  if (DATA.messagesWithin) {
    mapPen.fillStyle = colours.accent;
    const [from, to] = DATA.messagesWithin;
    mapPen.fillRect(mapX(from), high - 2, Math.max(1, mapX(Math.min(to, END)) - mapX(from)), 2);
  }
  if (DATA.violation) {
    mapPen.fillStyle = colours.bad;
    mapPen.fillRect(mapX(DATA.violation.at) - 1, 0, 2, high);
  }
  const left = mapX(view.from), right = mapX(view.to);
  mapPen.fillStyle = colours.ground;
  mapPen.globalAlpha = 0.6;
  mapPen.fillRect(0, 0, left, high);
  mapPen.fillRect(right, 0, wide - right, high);
  mapPen.globalAlpha = 1;
  mapPen.strokeStyle = colours.accent;
  mapPen.lineWidth = 2;
  mapPen.strokeRect(left + 1, 1, Math.max(3, right - left - 2), high - 2);
}
