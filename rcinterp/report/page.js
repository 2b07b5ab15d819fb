// What the page does beyond standing there: it draws logos where they are looked at, opens rows, sorts, searches,
// filters, copies and downloads. Without it the page is a plain table. It asks nothing of any other place.
(() => {
"use strict";
const LETTER = 9, LEFT = 24, TOP = 4, HEIGHT = 52, BOTTOM = 11, TOTAL = TOP + HEIGHT + BOTTOM;
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const all = (selector, place = document) => [...place.querySelectorAll(selector)];
const one = (selector, place = document) => place.querySelector(selector);
const data = JSON.parse((one("#data") || {textContent: "{}"}).textContent);
const say = text => { one("#said").textContent = text; };
const r1 = x => Math.round(x * 10) / 10;
const put = (x, digits = 3) => String(+x.toPrecision(digits)).replace("-", "−");

// ---- numbers that travel as letters: columns of [A, C, G, T]
const decode = text => {
  const values = [], columns = [];
  for (let i = 0; i < text.length; i += 2)
    values.push((64 * ALPHABET.indexOf(text[i]) + ALPHABET.indexOf(text[i + 1])) / 4095);
  for (let i = 0; i < values.length; i += 4) columns.push(values.slice(i, i + 4));
  return columns;
};
const turned = columns => columns.map(c => [...c].reverse()).reverse();
const probabilities = text => decode(text).map(c => { const s = c[0] + c[1] + c[2] + c[3]; return c.map(p => p / s); });
const bits = columns => columns.map(c => {
  const information = 2 + c.reduce((sum, p) => sum + (p > 0 ? p * Math.log2(p) : 0), 0);
  return c.map(p => p * Math.max(0, information));
});
const weights = row => decode(row.dataset.w).map(c => c.map(v => (2 * v - 1) * row.dataset.s));

// ---- pictures
const outlines = {};
for (const letter of "ACGT") {
  const path = one(`#${letter} path.f`);
  outlines[letter] = path ? path.getAttribute("d").match(/[A-Z]|-?[\d.]+/g) : [];
}
const glyph = (letter, x, y, height, below) => {
  let text = "", isX = true;
  for (const token of outlines[letter]) {
    if (/[A-Z]/.test(token)) { text += token; isX = true; continue; }
    text += isX ? r1(x + LETTER * token) + " " : r1(y + height * (below ? 1 - token : +token)) + " ";
    isX = !isX;
  }
  return text;
};
const ticksOf = (low, high) => { // three or more round numbers, as few as can be
  const power = 10 ** Math.floor(Math.log10(high - low));
  let ticks = [];
  for (const step of [5, 2, 1, .5, .2, .1].map(m => m * power)) {
    ticks = [];
    for (let n = Math.ceil(low / step - 1e-9); n * step <= high + 1e-9 * step; n++) ticks.push(n * step);
    if (ticks.length > 2) break;
  }
  return ticks;
};
const axis = (low, high, left = LEFT) => {
  let lines = `M${left} ${TOP}v${HEIGHT}`, numbers = "";
  for (const tick of ticksOf(low, high)) {
    const y = r1(TOP + (high - tick) / (high - low) * HEIGHT);
    lines += `M${left - 2} ${y}h2`;
    numbers += `<text class="end" x="${left - 4}" y="${y + 2.5}">${put(tick)}</text>`;
  }
  return `<path class="axis" d="${lines}"/>${numbers}`;
};
const stacks = (columns, low, high, x0, y0) => {
  const paths = {}, scale = HEIGHT / (high - low), zero = y0 + high * scale;
  columns.forEach((column, i) => {
    let up = zero, down = zero;
    const order = [0, 1, 2, 3].sort((a, b) => Math.abs(column[a]) - Math.abs(column[b]));
    for (const c of order) {
      const size = Math.abs(column[c]) * scale, below = column[c] < 0;
      const y = below ? down : up - size;
      if (below) down += size; else up -= size;
      if (size < 1) continue;
      const key = "ACGT"[c] + (below ? " pale" : "");
      paths[key] = (paths[key] || "") + glyph("ACGT"[c], x0 + LETTER * i, y, size, below);
    }
  });
  return Object.entries(paths).map(([key, d]) => `<path class="b${key}" d="${d}"/>`).join("") +
    `<path class="axis" d="M${x0} ${r1(zero)}h${LETTER * columns.length}"/>`;
};
const svg = (width, height, label, content) =>
  `<svg role="img" aria-label="${label}" viewBox="0 0 ${width} ${height}">${content}</svg>`;
const places = (n, y) => {
  const step = [1, 2, 5, 10, 20, 50, 100].find(s => n / s <= 5) || 200;
  let text = "";
  for (let i = 0; i < n; i += step) text += `<text x="${LEFT + LETTER * (i + .5)}" y="${y}">${i}</text>`;
  return text;
};
const logo = (columns, label, span) => {
  const sums = sign => columns.map(c => c.reduce((sum, v) => sum + Math.max(0, sign * v), 0));
  let [low, high] = span || [-Math.max(0, ...sums(-1)), Math.max(0, ...sums(1))];
  if (!(high > low)) high = low + 1;
  const content = stacks(columns, low, high, LEFT, TOP) + axis(low, high) + places(columns.length, TOP + HEIGHT + 9);
  return svg(LEFT + LETTER * columns.length + 2, TOTAL, label, content);
};
const nameOf = row => one("th", row).textContent.trim();
const draw = {
  w: (row) => logo(weights(row), `Logo of ${nameOf(row)}`),
  r: (row) => logo(turned(weights(row)), `Reverse complement of ${nameOf(row)}`),
  p: (row) => logo(bits(probabilities(row.dataset.p)), `Motif of ${nameOf(row)}`, [0, 2]),
  m: (row, at) => { // the known motif above the filter's, as they were compared
    const own = bits(probabilities(row.dataset.p));
    const [name, text] = data.targets[row.closest("table").id][at.dataset.m];
    const known = bits(probabilities(text)), target = at.dataset.r === "-" ? turned(known) : known;
    const start = +at.dataset.o, left = Math.min(0, start), x = i => LEFT + LETTER * (i - left);
    const width = Math.max(own.length, start + target.length) - left, second = TOP + HEIGHT + 8;
    const from = x(Math.max(0, start)), to = x(Math.min(own.length, start + target.length));
    const content = `<rect class="under" x="${from}" y="0" width="${to - from}" height="${second + HEIGHT + 4}"/>` +
      stacks(target, 0, 2, x(start), TOP) + stacks(own, 0, 2, x(0), second) + axis(0, 2);
    return svg(LEFT + LETTER * width + 2, second + HEIGHT + 4, `${name} above the motif of ${nameOf(row)}`, content);
  },
  h: (row, at) => { // positions of sites
    const counts = at.dataset.h.split(" ").map(Number), most = Math.max(1, ...counts), step = 9;
    const bars = counts.map((n, i) => `M${LEFT + step * i} ${TOP + HEIGHT}v${r1(-n / most * HEIGHT)}h${step - 1}V${TOP + HEIGHT}z`);
    const width = step * counts.length, y = TOP + HEIGHT + 9;
    const content = `<path class="bar" d="${bars.join("")}"/><path class="axis" d="M${LEFT} ${TOP + HEIGHT}h${width}"/>` +
      `<text x="${LEFT}" y="${y}">0</text><text class="end" x="${LEFT + width}" y="${y}">${at.dataset.l} bp</text>` + axis(0, most);
    return svg(LEFT + width + 10, TOTAL, `Positions of the sites of ${nameOf(row)}`, content);
  },
  c: (row, at) => { // contributions to the sequences of either class, square roots of the counts
    const [low, high] = at.dataset.e.split(" ").map(Number), step = 8;
    const classes = ["a", "b"].map(key => at.dataset[key].split(" ").map(n => Math.sqrt(n)));
    const most = Math.max(1, ...classes[0], ...classes[1]), n = classes[0].length, foot = TOP + HEIGHT;
    const outline = counts => `M${LEFT} ${foot}` + counts.map(v => `V${r1(foot - v / most * HEIGHT)}h${step}`).join("") + `V${foot}`;
    const x = v => r1(LEFT + (v - low) / (high - low || 1) * step * n);
    const zero = low <= 0 && high >= 0 ? `<text x="${x(0)}" y="${foot + 9}">0</text><path class="axis" d="M${x(0)} ${foot}v2"/>` : "";
    const content = `<path class="bar" d="${outline(classes[0])}z"/><path class="other" d="${outline(classes[1])}"/>` +
      `<path class="axis" d="M${LEFT} ${foot}h${step * n}"/>${zero}` +
      [low, high].filter(v => Math.abs(x(v) - x(0)) > 18).map(v => `<text x="${x(v)}" y="${foot + 9}">${put(v)}</text>`).join("");
    return svg(LEFT + step * n + 14, TOTAL, `Contributions of ${nameOf(row)} by sequence`, content);
  },
  l: (row, at) => at.textContent.replace(/[ACGT]/g, letter => `<b class="${letter}">${letter}</b>`),
};
const paint = at => {
  if (at.dataset.done) return;
  at.dataset.done = 1;
  at.innerHTML = draw[at.dataset.d](at.closest("tbody"), at);
};
const watcher = new IntersectionObserver(entries => {
  for (const entry of entries) if (entry.isIntersecting) { watcher.unobserve(entry.target); paint(entry.target); }
}, {rootMargin: "600px"});
all("tr:not(.more) i.d").forEach(at => watcher.observe(at));

// ---- rows
const toggle = (button, open = button.getAttribute("aria-expanded") !== "true") => {
  const more = document.getElementById(button.getAttribute("aria-controls"));
  button.setAttribute("aria-expanded", open);
  more.hidden = !open;
  if (open) all("i.d", more).forEach(paint);
};
all("button.open").forEach(button => button.addEventListener("click", () => toggle(button)));
document.addEventListener("keydown", event => {
  if (event.key !== "Escape") return;
  const body = document.activeElement.closest("tbody.f"), button = body && one("button.open", body);
  if (button && button.getAttribute("aria-expanded") === "true") { toggle(button, false); button.focus(); }
});

// ---- tables
const save = (text, name, type) => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], {type}));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
};
const meme = rows => {
  let text = "MEME version 4\n\nALPHABET= ACGT\n\nstrands: + -\n\nBackground letter frequencies\nA 0.25 C 0.25 G 0.25 T 0.25\n";
  for (const row of rows) {
    if (row.dataset.n === "0") continue; // no site, no motif
    const columns = probabilities(row.dataset.p), n = row.dataset.n ? ` nsites= ${row.dataset.n}` : "";
    text += `\nMOTIF ${nameOf(row)}\nletter-probability matrix: alength= 4 w= ${columns.length}${n}\n`;
    text += columns.map(c => c.map(p => p.toFixed(6)).join(" ") + "\n").join("");
  }
  return text;
};
const valueOf = (row, n) => { const cell = one(`.c${n}[data-v]`, row); return cell ? cell.dataset.v : ""; };
const setUp = table => {
  const tools = document.getElementById(table.id + "-tools"), rows = all("tbody.f", table), given = all("tbody", table);
  if (!tools) return;
  tools.hidden = false;
  table.classList.add("rows");
  all("table, thead, tbody", table.parentNode).forEach(e => e.setAttribute("role", e.tagName === "TABLE" ? "table" : "rowgroup"));
  all("tr", table).forEach(e => e.setAttribute("role", "row")); // which a narrow screen's layout would take away
  all("td", table).forEach(e => e.setAttribute("role", "cell"));
  all("th[scope=col]", table).forEach(e => e.setAttribute("role", "columnheader"));
  all("th[scope=row]", table).forEach(e => e.setAttribute("role", "rowheader"));
  const fold = one("button.fold", table), search = one("input", tools), word = one("select.word", tools);
  const q = one("select.q", tools), count = one("output", tools), narrow = one("select.narrow", tools);
  const lines = data.lines[table.id], texts = new Map(rows.map(row => [row, (row.textContent + " " + lines[+row.dataset.i + 1]).toLowerCase()]));
  if (fold) {
    table.classList.add("fold");
    fold.setAttribute("aria-expanded", false);
    fold.addEventListener("click", () => fold.setAttribute("aria-expanded", !table.classList.toggle("fold")));
  }
  const matching = () => {
    const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    return rows.filter(row => wanted.every(w => texts.get(row).includes(w)) &&
      (!word || !word.value || valueOf(row, 5) === word.value) && (!q || !q.value || +valueOf(row, 4) <= +q.value && valueOf(row, 4) !== ""));
  };
  const filter = () => {
    const kept = new Set(matching()), some = kept.size < rows.length;
    for (const row of rows) row.hidden = !kept.has(row);
    for (let i = 0, group = null; i < given.length; i++) { // a heading stands while one of its filters does
      if (!given[i].classList.contains("f")) { group = given[i]; group.hidden = true; }
      else if (group && !given[i].hidden) group.hidden = false;
    }
    if (fold && some) { table.classList.remove("fold"); fold.setAttribute("aria-expanded", true); }
    count.textContent = some ? `${kept.size} of ${rows.length}` : `${rows.length} in all`;
  };
  for (const control of [search, word, q]) if (control) control.addEventListener("input", filter);
  filter();
  const headings = all("th[scope=col]", table);
  const sort = (n, down) => {
    headings.forEach(h => h.removeAttribute("aria-sort"));
    table.classList.toggle("sorted", n !== "");
    if (n === "") { table.append(...given); return; }
    one(`th.c${n}`, table).setAttribute("aria-sort", down ? "descending" : "ascending");
    const keyed = rows.map(row => [valueOf(row, n), row]), isNumber = keyed.every(([v]) => v === "" || !isNaN(v));
    keyed.sort(([a], [b]) => (a === "") - (b === "") || (down ? -1 : 1) * (isNumber ? a - b : a.localeCompare(b, "en", {numeric: true})));
    const idle = row => row.classList.contains("idle"), order = keyed.map(([, row]) => row);
    table.append(...order.filter(row => !idle(row)), ...all("tbody.idlehead", table), ...order.filter(idle));
  };
  const first = {3: true, 7: true, 8: true, 9: true}; // where the largest comes first
  all("button[data-sort]", table).forEach(button => button.addEventListener("click", () => {
    const n = button.dataset.sort, now = button.parentNode.getAttribute("aria-sort"), down = !!first[n];
    if (!now) sort(n, down);
    else if ((now === "descending") === down) sort(n, !down);
    else sort("", false);
  }));
  narrow.add(new Option("In groups", ""));
  all("button[data-sort]", table).forEach(b => narrow.add(new Option("By " + b.textContent, b.dataset.sort)));
  narrow.addEventListener("input", () => sort(narrow.value, !!first[narrow.value]));
  const box = one("details div", tools);
  headings.forEach((heading, n) => {
    const label = document.createElement("label"), input = document.createElement("input");
    input.type = "checkbox";
    input.checked = !table.classList.contains("h" + n);
    input.addEventListener("input", () => table.classList.toggle("h" + n, !input.checked));
    label.append(input, " " + heading.textContent);
    if (n) box.append(label);
  });
  const text = () => [lines[0], ...matching().map(row => lines[+row.dataset.i + 1])].join("\n") + "\n";
  one("button.tsv", tools).addEventListener("click", () => save(text(), table.id + ".tsv", "text/tab-separated-values"));
  const motifs = one("button.meme", tools);
  if (motifs) motifs.addEventListener("click", () => save(meme(matching()), table.id + ".meme", "text/plain"));
  one("button.copy", tools).addEventListener("click", async () => {
    const n = matching().length;
    try { await navigator.clipboard.writeText(text()); say(`${n} rows copied`); count.textContent = `${n} copied`; }
    catch { count.textContent = "the browser does not let a page copy"; }
  });
};
all("table.filters").forEach(setUp);

// ---- light and dark
const root = document.documentElement, theme = one("#theme");
let kept = null;
try { kept = localStorage.getItem("rcinterp-theme"); } catch { /* a page from disk may not keep anything */ }
const isDark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
const name = () => { theme.textContent = isDark() ? "Light" : "Dark"; theme.setAttribute("aria-label", `${theme.textContent} colours`); };
if (kept) root.dataset.theme = kept;
theme.hidden = false;
name();
theme.addEventListener("click", () => {
  root.dataset.theme = isDark() ? "light" : "dark";
  try { localStorage.setItem("rcinterp-theme", root.dataset.theme); } catch { /* see above */ }
  name();
});
addEventListener("beforeprint", () => all("tr:not(.more) i.d").forEach(paint));
})();
