// Work without a mouse. Single keys can be switched off (WCAG 2.1.4): speech input types letters.

const SETTING = "ticketing.keys";
const PLACES = { w: "/", d: "/desk", t: "/tickets?assignee=me&is_open=true&sort=due", a: "/agents", o: "/oncall", p: "/reports", k: "/tasks?owner=me" };
const SEQUENCE_MS = 1500;

let selected = null; // the id of the link in the selected row, so that it survives a refresh
let goUntil = 0;

const isTyping = (element) => element.closest("input:not([type=radio], [type=checkbox]), textarea, select, [contenteditable]") !== null;
const rows = () => [...document.querySelectorAll("[data-row]")].filter((row) => row.offsetParent !== null);
const linkOf = (row) => row.querySelector("a[data-open]");

function select(step) {
  const all = rows();
  if (!all.length) return;
  const current = all.findIndex((row) => linkOf(row)?.id === selected);
  const next = current < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(Math.max(current + step, 0), all.length - 1);
  const link = linkOf(all[next]);
  selected = link.id;
  link.focus({ preventScroll: true });
  all[next].scrollIntoView({ block: "nearest" });
  mark();
}

export function mark() {
  for (const row of rows()) row.classList.toggle("selected", linkOf(row)?.id === selected);
}

function write(kind) {
  const composer = document.getElementById("composer");
  if (!composer) return false;
  composer.querySelector(`input[name=kind][value=${kind}]`)?.click();
  composer.querySelector("textarea").focus();
  return true;
}

// The newest message of the other side.
function quoteNewest() {
  const button = [...document.querySelectorAll(".message:not(.agent, .note) [data-quote]")].at(-1);
  button?.click();
  return button !== undefined;
}

// Choose the row, to change many at once.
function pick() {
  const row = rows().find((each) => linkOf(each)?.id === selected);
  if (row) document.dispatchEvent(new CustomEvent("pick", { detail: { row } }));
  return Boolean(row);
}

function press(event) {
  const { key } = event;
  if (goUntil > Date.now() && key in PLACES) {
    location.assign(PLACES[key]);
    return true;
  }
  goUntil = 0;
  switch (key) {
    case "/": document.getElementById("search")?.focus(); return true;
    case "j": select(1); return true;
    case "k": select(-1); return true;
    case "x": return pick();
    case "g": goUntil = Date.now() + SEQUENCE_MS; return true;
    case "r": return write("reply");
    case "n": return write("note");
    case "q": return quoteNewest();
    case "c": location.assign("/tickets/new"); return true;
    case "?": document.getElementById("help")?.showModal(); return true;
    default: return false;
  }
}

export function startKeys() {
  const toggle = document.getElementById("keys-on");
  let isOn = localStorage.getItem(SETTING) !== "off";
  if (toggle) {
    toggle.checked = isOn;
    toggle.addEventListener("change", () => {
      isOn = toggle.checked;
      localStorage.setItem(SETTING, isOn ? "on" : "off");
    });
  }
  for (const opener of document.querySelectorAll("#help-open, [data-help]")) opener.addEventListener("click", () => document.getElementById("help").showModal());
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && isTyping(event.target)) event.target.blur();
    if ((event.ctrlKey || event.metaKey) && event.key === "Enter") event.target.closest("form")?.requestSubmit();
    if (!isOn || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || document.querySelector("dialog[open]")) return;
    if (press(event)) event.preventDefault();
  });
  document.addEventListener("focusin", (event) => {
    const row = event.target.closest?.("[data-row]");
    if (row && linkOf(row) === event.target) { selected = event.target.id; mark(); }
  });
  document.querySelector("form.find")?.addEventListener("submit", (event) => {
    const number = /^#(\d{1,18})$/.exec(event.target.elements.q.value.trim());
    if (number) { event.preventDefault(); location.assign(`/tickets/${number[1]}`); }
  });
}
