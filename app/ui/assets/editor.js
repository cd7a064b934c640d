// Offsets from the server count code points; the text area counts UTF-16 units.
const QUIET = 350, PAUSE = 1600, DUE_AT_ONCE = 2;
const find = (selector) => element.querySelector(selector);
const area = find("textarea.bl-area"), ink = find(".bl-ink"), list = find(".bl-hints"), told = find(".told");
const form = find("form.bl-bar-top"), field = form.elements;
const RANK = { veto: 0, major: 1, minor: 2, hint: 3 };
const TITLES = { veto: "单项否决", major: "重要", minor: "一般", hint: "提示" };
const REASONS = ["与患者情况不符", "已在别处写明", "提示有误", "暂不处理"];
let hints = [], generated = [], more = 0, state = null, current = -1, turn = 0, asked = "", before = "";
let quiet = 0, pause = 0, composing = false, open = null;
let running = null, paused = null;

function make(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== false && value != null) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child != null && child !== ""));
  return node;
}

const units = (text, points) => Array.from(text).slice(0, points).join("").length;
const points = (text, unitsIn) => Array.from(text.slice(0, unitsIn)).length;
const placed = (hint) => (hint.start == null ? hint : { ...hint, from: units(asked, hint.start), to: units(asked, hint.end) });
const all = () => [...hints, ...generated];

function shifted(found, changed) {
  if (found.from == null || found.to <= changed.from) return found;
  if (found.from >= changed.to) return { ...found, from: found.from + changed.by, to: found.to + changed.by };
  return { ...found, from: null, to: null };
}

function edited(old, text) {
  let start = 0, end = 0;
  const shorter = Math.min(old.length, text.length);
  while (start < shorter && old[start] === text[start]) start++;
  while (end < shorter - start && old[old.length - 1 - end] === text[text.length - 1 - end]) end++;
  return { from: start, to: old.length - end, by: text.length - old.length };
}

function paint() {
  const text = area.value, marks = all().map((hint, number) => ({ ...hint, number })).filter((hint) => hint.from != null);
  const edges = [...new Set([0, text.length, ...marks.flatMap((mark) => [mark.from, mark.to])])].sort((a, b) => a - b);
  const pieces = [];
  for (let index = 0; index + 1 < edges.length; index++) {
    const piece = text.slice(edges[index], edges[index + 1]);
    const over = marks.filter((mark) => mark.from <= edges[index] && edges[index + 1] <= mark.to);
    if (!over.length) { pieces.push(piece); continue; }
    const worst = over.reduce((a, b) => (RANK[b.severity] < RANK[a.severity] ? b : a));
    const isNow = over.some((mark) => mark.number === current);
    pieces.push(make("mark", { class: worst.severity + (isNow ? " now" : ""), "data-from": edges[index] }, piece));
  }
  ink.replaceChildren(...pieces, "\n");
  ink.scrollTop = area.scrollTop;
  find(".count").textContent = text ? `${Array.from(text).length} 字` : "";
}

function go(number) {
  current = number;
  const hint = all()[number];
  if (!hint) return;
  if (hint.from != null) {
    area.focus({ preventScroll: true });
    area.setSelectionRange(hint.from, hint.to);
    paint();
    const mark = ink.querySelector("mark.now");
    if (mark) area.scrollTop = Math.max(0, mark.offsetTop - area.clientHeight / 3);
    ink.scrollTop = area.scrollTop;
    area.scrollIntoView({ block: "nearest" });
  } else area.focus();
  list.querySelectorAll(".bl-hint").forEach((card, index) => card.classList.toggle("now", index === number));
}

function card(hint, number) {
  const chips = make("div", { class: "bl-row" }, make("span", { class: `bl-chip ${hint.severity}` }, TITLES[hint.severity]),
    make("span", { class: "bl-soft bl-small bl-number" }, hint.rule),
    hint.engine === "llm" ? make("span", { class: "bl-chip made" }, `AI生成 把握${Math.round(hint.confidence * 100)}%，须人工审核`) : null,
    hint.minutes_left != null ? make("span", { class: hint.minutes_left < 0 ? "bl-chip bad" : "bl-chip" }, left(hint.minutes_left)) : null);
  const jump = make("button", { type: "button", class: "go", onclick: () => go(number) }, hint.title);
  const actions = make("div", { class: "bl-row" },
    hint.from != null ? make("button", { type: "button", class: "bl-button small", onclick: () => go(number) }, "转到原文") : null,
    make("button", { type: "button", class: "bl-button small", "aria-expanded": open === hint.id, onclick: () => { open = open === hint.id ? null : hint.id; draw(); } }, "忽略…"));
  return make("li", { class: `bl-hint ${hint.severity}${number === current ? " now" : ""}`, "data-rule": hint.rule }, chips, jump,
    hint.quote ? make("p", { class: "quote" }, `“${hint.quote.length > 60 ? hint.quote.slice(0, 60) + "…" : hint.quote}”`) : null,
    make("p", {}, hint.what), make("p", { class: "how" }, `改法：${hint.how}`), basis(hint.why),
    actions, open === hint.id ? dismissal(hint) : null);
}

function basis(why) {
  const names = why.split("；").map((part) => part.split("：")[0]).filter((name) => name.includes("［")).join("；");
  if (!names || names === why) return make("p", { class: "why" }, `依据：${why}`);
  return make("details", { class: "why" }, make("summary", {}, `依据：${names}`), why);
}

function dismissal(hint) {
  const reason = make("select", { "aria-label": "忽略的理由" }, ...REASONS.map((text) => make("option", {}, text)));
  const note = make("input", { "aria-label": "补充说明", placeholder: "补充说明（可不填）", maxlength: 200 });
  return make("form", { onsubmit: (event) => { event.preventDefault(); dismiss(hint, [reason.value, note.value.trim()].filter(Boolean).join("：")); } },
    reason, note, make("button", { class: "bl-button small main" }, "确定忽略"));
}

async function dismiss(hint, reason) {
  const answer = await server.dismiss({ rule: hint.rule, quote: hint.quote, reason, record_id: field.record.value });
  if (answer.error) { told.textContent = answer.error; return; }
  open = null;
  const kept = (other) => !(other.rule === hint.rule && other.quote === hint.quote);
  hints = hints.filter(kept);
  generated = generated.filter(kept);
  state = null;
  draw();
  ask(false);
}

function left(minutes) {
  const hours = Math.floor(Math.abs(minutes) / 60), days = Math.floor(hours / 24), rest = Math.abs(minutes) % 60;
  const said = days ? `${days}天${hours % 24 ? (hours % 24) + "小时" : ""}` : hours ? `${hours}小时${rest ? rest + "分" : ""}` : `${rest}分钟`;
  return minutes < 0 ? `已超时 ${said}` : `还剩 ${said}`;
}

function draw() {
  list.replaceChildren(...all().map(card));
  told.textContent = all().length ? `${all().length} 处${more ? `，另有 ${more} 处未列出` : ""}` : area.value.trim() ? "没有发现问题" : "";
  paint();
}

// “甲或乙或丙” goes by its first document.
const firstOf = (what) => props.types.find((type) => what.startsWith(`${type}或`)) || what;

function drawDue(due) {
  find(".due").hidden = !due.length;
  const names = due.map((item) => firstOf(item.what));
  const lines = due.map((item, number) => [item, names[number]]).filter(([, name], number) => names.indexOf(name) === number).map(([item, name]) => make("li", {},
    make("span", { title: item.what }, name === item.what ? name : `${name}等`),
    make("span", { class: item.minutes_left < 0 ? "late" : "bl-soft" }, left(item.minutes_left))));
  const first = lines.splice(0, DUE_AT_ONCE);
  const rest = lines.length ? make("details", {}, make("summary", {}, `其余 ${lines.length} 项`), make("ul", {}, ...lines)) : null;
  find(".bl-due").replaceChildren(make("ul", {}, ...first), ...(rest ? [rest] : []));
}

function question(isFinished) {
  return { text: area.value, type: field.type.value, cursor: points(area.value, area.selectionStart), record_id: field.record.value,
    document_id: field.document.value, is_finished: isFinished, known: state };
}

async function ask(isFinished) {
  const mine = ++turn, request = question(isFinished);
  const answer = await server.hints(request);
  if (mine !== turn) return;
  if (answer.error) { told.textContent = answer.error; return; }
  state = answer.state;
  if (answer.is_unchanged) return;
  asked = request.text;
  hints = answer.hints.map(placed);
  more = answer.more;
  current = -1;
  drawDue(answer.due);
  draw();
}

function askLater() {
  if (!area.value.trim()) return;
  paused = turn;
  if (running !== null) return;
  running = turn;
  find(".generating").hidden = false;
  trigger("pause", { ...question(false), known: null, turn });
}

function written() {
  const changed = edited(before, area.value);
  hints = hints.map((hint) => shifted(hint, changed));
  generated = generated.map((hint) => shifted(hint, changed)).filter((hint) => hint.from != null);
  before = area.value;
  current = -1;
  turn++;
  paint();
  clearTimeout(quiet);
  clearTimeout(pause);
  if (composing) return;
  quiet = setTimeout(() => ask(false), QUIET);
  pause = setTimeout(askLater, PAUSE);
}

function options(select, entries, chosen) {
  select.replaceChildren(...entries.map(([value, label]) => make("option", { value, selected: value === chosen }, label)));
}

async function choose() {
  const answer = await server.documents({ record_id: field.record.value });
  if (answer.error) { told.textContent = answer.error; return; }
  options(field.document, [["", "新写一篇"], ...answer.documents.map((document) => [document.id, document.label])]);
  begin("");
}

async function load() {
  if (!field.document.value) { begin(""); return; }
  const answer = await server.document({ record_id: field.record.value, document_id: field.document.value });
  if (answer.error) { told.textContent = answer.error; return; }
  field.type.value = answer.type;
  begin(answer.text);
}

function begin(text) {
  area.value = text;
  before = text;
  hints = [];
  generated = [];
  state = null;
  area.scrollTop = 0;
  area.setSelectionRange(text.length, text.length);
  draw();
  ask(false);
}

area.addEventListener("input", written);
area.addEventListener("scroll", () => { ink.scrollTop = area.scrollTop; });
area.addEventListener("compositionstart", () => { composing = true; });
area.addEventListener("compositionend", () => { composing = false; written(); });
form.addEventListener("submit", (event) => event.preventDefault());
field.record.addEventListener("change", choose);
field.document.addEventListener("change", load);
field.type.addEventListener("change", () => { state = null; ask(false); });
field.finished.addEventListener("click", () => { state = null; ask(true); });
field.copy.addEventListener("click", async () => { await navigator.clipboard.writeText(area.value); told.textContent = "全文已复制"; });
element.addEventListener("keydown", (event) => {
  if (event.key === "F8" && all().length) {
    event.preventDefault();
    go((current + (event.shiftKey ? -1 : 1) + all().length) % all().length);
  } else if (event.key === "Escape") area.focus();
});

watch("streamed", () => {
  const answer = props.streamed;
  if (answer.turn !== turn) return;
  const known = new Set(hints.map((hint) => hint.id));
  asked = area.value;
  generated = answer.hints.filter((hint) => !known.has(hint.id)).map(placed);
  draw();
});

find(".bl-editor").addEventListener("answered", () => {
  const isOutdated = running !== turn && paused === turn;
  running = null;
  find(".generating").hidden = true;
  if (isOutdated) askLater();
});

options(field.type, props.types.map((name) => [name, name]), "入院记录");
options(field.document, [["", "新写一篇"]]);
server.records({}).then((answer) => {
  options(field.record, [["", "不选患者"], ...(answer.records || []).map((record) => [record.id, record.label])]);
  const wanted = new URLSearchParams(location.search).get("record");
  if (wanted && (answer.records || []).some((record) => record.id === wanted)) { field.record.value = wanted; choose(); }
  element.querySelector(".bl-editor").dataset.ready = "true";
});
draw();
