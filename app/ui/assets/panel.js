const root = element.querySelector(".bl-panel");

// One after another: of two answers on their way at once, the older could arrive last and stay.
const waiting = [];

function say(target, extra) {
  if (target.dataset.url) history.replaceState(null, "", target.dataset.url);
  waiting.push({ ...target.dataset, ...extra });
  if (waiting.length === 1) send();
}

function send() {
  element.setAttribute("aria-busy", "true");
  trigger("act", waiting[0]);
}

root.addEventListener("answered", () => {
  element.removeAttribute("aria-busy");
  waiting.shift();
  if (waiting.length) send();
});

root.addEventListener("click", (event) => {
  const target = event.target.closest("[data-act]");
  if (target && target.tagName !== "FORM" && target.tagName !== "SELECT" && target.tagName !== "INPUT") {
    event.preventDefault();
    say(target, {});
  }
});

root.addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-act]");
  if (!form) return;
  event.preventDefault();
  const fields = Object.fromEntries(new FormData(form, event.submitter));
  say(form, { ...(event.submitter ? event.submitter.dataset : {}), ...fields });
});

root.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-live]");
  if (form) form.requestSubmit();
});

root.addEventListener("keydown", (event) => {
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  const item = event.target.closest("[data-item]");
  if (!item) return;
  const all = [...root.querySelectorAll("[data-item]")];
  const next = all[all.indexOf(item) + (event.key === "ArrowDown" ? 1 : -1)];
  if (next) {
    event.preventDefault();
    next.focus();
  }
});

let arrival;

function show() {
  const active = root.contains(document.activeElement) ? document.activeElement : null;
  const focused = active?.id, typed = active?.value;
  const places = [...root.querySelectorAll("[data-keep][id]")].map((kept) => [kept.id, kept.scrollTop, kept.open]);
  root.innerHTML = props.value || "";
  for (const [id, top, open] of places) {
    const kept = document.getElementById(id);
    if (!kept) continue;
    kept.scrollTop = top;
    if (open !== undefined) kept.open = open;
  }
  const again = focused && document.getElementById(focused);
  if (again) {
    if (typed !== undefined && again.closest("form[data-live]")) again.value = typed;
    again.focus({ preventScroll: true });
  }
  const shown = root.querySelector("[data-show]");
  if (shown) {
    const around = shown.closest("[data-keep]");
    if (around) around.scrollTop = shown.offsetTop - around.offsetTop - around.clientHeight / 3;
  }
  const arrived = root.querySelector("[data-arrive]")?.dataset.arrive;
  if (arrived && arrived !== arrival && innerWidth <= 700) element.scrollIntoView();
  arrival = arrived;
  const asked = root.querySelector("[data-focus]");
  if (asked) asked.focus();
}

watch("value", show);
show();
