// live.js - the server's and the chip's figures, asked for every second while the page is seen.
import { get, Refused } from "/api.js";

const $ = (id) => document.getElementById(id);
const KEPT = 120; // points of a curve
const charts = {};
let last = null;

// 0.00026, "s" -> "260 us"
export function short(x, unit) {
  if (x === null || x === undefined || !Number.isFinite(x)) return "-";
  if (x === 0) return `0 ${unit}`;
  const prefixes = [["P", 1e15], ["T", 1e12], ["G", 1e9], ["M", 1e6], ["k", 1e3], ["", 1], ["m", 1e-3], ["u", 1e-6], ["n", 1e-9]];
  const [prefix, scale] = prefixes.find(([, s]) => Math.abs(x) >= s) ?? ["", 1];
  return `${(x / scale).toPrecision(3)} ${prefix}${unit}`.trim();
}

function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function options(more = {}) {
  const scale = { ticks: { color: color("--dim") }, grid: { color: color("--line") } };
  return {
    animation: false, responsive: true, maintainAspectRatio: false,
    scales: { x: { ...scale, ...more.x }, y: { ...scale, beginAtZero: true, ...more.y } },
    plugins: { legend: { display: more.legend ?? false, labels: { color: color("--ink"), boxWidth: 12 } } },
    ...more.top,
  };
}

function lines(id, names) {
  const datasets = names.map((label, i) => ({ label, data: [], borderColor: color(`--c${i + 1}`), backgroundColor: color(`--c${i + 1}`), pointRadius: 0, borderWidth: 2 }));
  charts[id] = new Chart($(id), { type: "line", data: { labels: [], datasets }, options: options({ legend: names.length > 1, x: { ticks: { display: false } } }) });
}

function bars(id, more) {
  charts[id] = new Chart($(id), { type: "bar", data: { labels: [], datasets: [{ data: [], backgroundColor: color("--c1") }] }, options: options(more) });
}

function draw() {
  for (const c of Object.values(charts)) c.destroy();
  lines("rate", ["tokens/s"]);
  lines("pages", ["pages in use", "cached", "waiting"]);
  lines("latency", ["first token p50", "first token p99", "each token p50", "each token p99"]);
  bars("engines");
  bars("phases", { top: { indexAxis: "y" }, y: { ticks: { autoSkip: false, color: color("--dim"), font: { size: 10 } } } });
  bars("layers");
  lines("parts", ["tiles", "LDQ", "STQ", "TEN", "VEC"]);
}

function add(id, values, label) {
  const { data } = charts[id];
  data.labels.push(label);
  values.forEach((v, i) => data.datasets[i].data.push(v));
  if (data.labels.length > KEPT) {
    data.labels.shift();
    data.datasets.forEach((d) => d.data.shift());
  }
  charts[id].update("none");
}

function put(id, object) {
  charts[id].data.labels = Object.keys(object);
  charts[id].data.datasets[0].data = Object.values(object);
  charts[id].update("none");
}

// Shares by layer of the last step: of tiles, then of engines.
function parts(list) {
  const { data } = charts.parts;
  const of = (p, name) => (name === "tiles" ? p.tiles_busy : p.engines_busy[name]);
  data.labels = list.map((p) => p.part);
  data.datasets.forEach((d) => { d.data = list.map((p) => of(p, d.label)); });
  charts.parts.update("none");
  tell("parts", "Tiles busy by layer: " + list.map((p) => `${p.part} ${(p.tiles_busy * 100).toFixed(0)} percent`).join(", "));
}

// A canvas says nothing to a screen reader: its label does.
function tell(id, text) {
  $(id).setAttribute("aria-label", text);
  $(id).removeAttribute("aria-labelledby");
}

function figures(now, rate) {
  const b = now.batch, c = now.chip_last_step, chip = now.chip_now, l = now.latency;
  const rows = [
    ["Running", `${b.running} of ${b.slots}`], ["Waiting", `${b.waiting}`],
    ["KV pages", `${b.pages_used} + ${b.pages_cached} cached of ${b.pages}`],
    ["Tokens/s here", rate.toFixed(1)],
    ["First token p50, p99", `${short(l.ttft_s.p50, "s")}, ${short(l.ttft_s.p99, "s")}`],
    ["Each token p50, p99", `${short(l.tpot_s.p50, "s")}, ${short(l.tpot_s.p99, "s")}`],
    ["Chip now", chip.busy ? "steps" : "idle"],
    ["Power now", short(chip.watts, "W")], ["HBM traffic now", short(chip.memory_bytes_per_s, "B/s")],
    ["Last step of", c.sequences ? `${c.sequences} x ${c.positions} positions` : "-"],
    ["Last step took", short(c.step_s, "s")], ["Last step, each token", short(c.energy_j_per_token, "J")],
    ["Last step, million tokens", c.usd_per_mtok ? `$${c.usd_per_mtok.toPrecision(3)}` : "-"],
    ["Last step limited by", c.bound_by ?? "-"],
  ];
  const list = $("figures");
  if (list.children.length !== rows.length) {
    list.replaceChildren(...rows.map(([name]) => {
      const box = document.createElement("div"), dt = document.createElement("dt"), dd = document.createElement("dd");
      dt.textContent = name;
      box.append(dt, dd);
      return box;
    }));
  }
  rows.forEach(([, value], i) => { list.children[i].lastChild.textContent = value; });
}

// An administrator's key sees everybody, others themselves and the sum.
function users(rows, total) {
  $("users").replaceChildren(...[...rows, { user: "together", ...total }].map((u) => {
    const tr = document.createElement("tr");
    for (const text of [u.user || "(no key)", u.answers, u.tokens, short(u.energy_j, "J")]) {
      const td = document.createElement("td");
      td.textContent = text;
      tr.append(td);
    }
    return tr;
  }));
}

function show(now) {
  const made = now.latency.made_tokens;
  const rate = last && now.now_s > last.now_s ? Math.max(0, (made - last.made) / (now.now_s - last.now_s)) : 0;
  const label = new Date().toLocaleTimeString();
  last = { made, now_s: now.now_s };
  const ms = (x) => (x === null ? null : x * 1e3), l = now.latency, c = now.chip_last_step;
  figures(now, rate);
  users(now.users, now.total);
  add("rate", [rate], label);
  add("pages", [now.batch.pages_used, now.batch.pages_cached, now.batch.waiting], label);
  add("latency", [ms(l.ttft_s.p50), ms(l.ttft_s.p99), ms(l.tpot_s.p50), ms(l.tpot_s.p99)], label);
  put("engines", now.chip_now.engines_busy);
  tell("engines", "Engines busy now: " + Object.entries(now.chip_now.engines_busy).map(([k, v]) => `${k} ${(v * 100).toFixed(1)} percent`).join(", "));
  if (c.engines) {
    parts(c.parts);
    put("phases", Object.fromEntries(Object.entries(c.phase_cycles).filter(([, v]) => v > 0)));
    put("layers", Object.fromEntries(c.layer_j.map((j, i) => [i, j * 1e3])));
    tell("phases", "Cycles by phase: " + Object.entries(c.phase_cycles).filter(([, v]) => v > 0).map(([k, v]) => `${k} ${v}`).join(", "));
  }
}

export function startLive(onRefused) {
  $("live").hidden = false;
  draw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  const tick = async () => {
    try {
      if (!document.hidden) show(await get("/live"));
    } catch (e) {
      if (e instanceof Refused && e.status === 401) return onRefused(e);
    }
    setTimeout(tick, 1000);
  };
  tick();
}
