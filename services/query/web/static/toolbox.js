// "/" at the beginning of a line of the reply offers prepared texts and macros. A macro shows what it would do before it does.

import { element } from "./asking.js";
import { problemOf } from "./problems.js";

import { cite } from "./suggested.js";

const WAIT_MS = 10_000, PAUSE_MS = 150;
const picker = document.getElementById("picker"), panel = document.getElementById("macro");
const composer = document.getElementById("composer");
const box = composer?.querySelector("textarea");
let found = [], place = 0, timer = 0, asked = 0;

const api = () => composer.dataset.noteAction.replace(/\/notes$/, "");
const typed = () => /(^|\n)\/([^\n]*)$/.exec(box.value.slice(0, box.selectionStart));

async function call(method, path, headers = {}) {
  const answer = await fetch(api() + path, { method, headers, signal: AbortSignal.timeout(WAIT_MS) });
  if (!answer.ok) throw new Error(await problemOf(answer));
  return answer.json();
}

function close() {
  picker.hidden = true;
  box.removeAttribute("aria-activedescendant");
  asked += 1;
}

function mark() {
  [...picker.children].forEach((item, at) => item.setAttribute("aria-selected", String(at === place)));
  const chosen = picker.children[place];
  if (!chosen) return;
  chosen.scrollIntoView({ block: "nearest" });
  box.setAttribute("aria-activedescendant", chosen.id);
}

function show(offered) {
  found = [...offered.answers.map((one) => ({ ...one, kind: "text" })), ...offered.macros.map((one) => ({ ...one, kind: "macro" }))];
  place = 0;
  picker.replaceChildren(...found.map((one, at) => {
    const item = element("li", one.title, { role: "option", id: `pick-${at}`, title: one.text ?? one.description ?? "" });
    item.append(element("span", one.shortcut ?? one.kind, { class: "kind" }));
    return item;
  }));
  if (!found.length) picker.replaceChildren(element("li", "Nothing prepared by these words.", { "aria-disabled": "true" }));
  picker.hidden = false;
  mark();
}

async function ask() {
  const line = typed();
  if (!line) return close();
  const mine = ++asked;
  try {
    const offered = await call("GET", `/toolbox?q=${encodeURIComponent(line[2].slice(0, 100))}`);
    if (mine === asked) show(offered);
  } catch (error) {
    if (mine === asked) { picker.replaceChildren(element("li", error.message)); picker.hidden = false; }
  }
}

function replaceTyped(text) {
  const line = typed();
  if (!line) return;
  const start = box.selectionStart - line[2].length - 1;
  box.setRangeText(text, start, box.selectionStart, "end");
  box.dispatchEvent(new Event("input", { bubbles: true }));
}

function told(change) {
  const words = (value) => (value === null || value === undefined ? "nothing" : Array.isArray(value) ? value.join(", ") : String(value));
  if (change.what === "tags") return `tags: ${[...change.added.map((tag) => `+${tag}`), ...change.removed.map((tag) => `-${tag}`)].join(" ")}`;
  return "before" in change ? `${change.what}: ${words(change.before)} → ${words(change.after)}` : `${change.what}: ${words(change.after)}`;
}

function announce(step) {
  composer.dispatchEvent(new CustomEvent("done", { bubbles: true, detail: { form: composer, status: 200, result: step } }));
}

function ready(text, ...buttons) {
  const row = element("p", "", { role: "status" });
  row.append(element("strong", text), " ", ...buttons.flatMap((button) => [button, " "]));
  panel.replaceChildren(row);
  panel.hidden = false;
  return row;
}

function button(text, act) {
  const made = element("button", text, { type: "button" });
  made.addEventListener("click", async () => {
    made.disabled = true;
    try { await act(); } catch (error) { ready(error.message, button("Close", () => { panel.hidden = true; })); }
  });
  return made;
}

async function preview(macro) {
  const path = `/macros/${encodeURIComponent(macro.name)}`;
  const step = await call("POST", `${path}?dry_run=true`);
  const key = crypto.getRandomValues(new Uint32Array(4)).join("");
  const apply = button("Do it", async () => {
    const done = await call("POST", path, { "Idempotency-Key": key });
    announce(done);
    if (!done.step_id) return ready("There was nothing to change.");
    ready(`${macro.title}: done.`, button("Undo", async () => {
      const undone = await call("POST", `/steps/${done.step_id}/undo`);
      announce(undone);
      ready(undone.kept?.length ? `Undone; stays: ${undone.kept.join(", ")}.` : "Undone.");
    }));
  });
  ready(`${macro.title} would`, apply, button("Leave it", () => { panel.hidden = true; }));
  const list = element("ul", "");
  list.append(...(step.changes ?? []).map((change) => element("li", told(change))));
  if (step.missing?.length) list.append(element("li", `nothing is known for ${step.missing.join(", ")}`));
  panel.append(list);
  apply.focus();
}

async function pick() {
  const chosen = found[place];
  if (!chosen) return;
  replaceTyped(chosen.kind === "text" ? chosen.text : "");
  close();
  if (chosen.kind === "text") {
    composer.dispatchEvent(new CustomEvent("attach", { detail: chosen.files ?? [] }));
    return cite("answer", chosen.name);
  }
  try { await preview(chosen); } catch (error) { ready(error.message, button("Close", () => { panel.hidden = true; })); }
}

if (picker && box) {
  box.setAttribute("aria-controls", "picker");
  box.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(ask, typed() ? PAUSE_MS : 0); });
  box.addEventListener("blur", () => setTimeout(close, PAUSE_MS));
  box.addEventListener("keydown", (event) => {
    if (picker.hidden) return;
    const moves = { ArrowDown: 1, ArrowUp: -1 };
    if (event.key in moves && found.length) place = (place + moves[event.key] + found.length) % found.length;
    else if (event.key === "Escape") close();
    else if ((event.key === "Enter" || event.key === "Tab") && found.length) pick();
    else return;
    event.preventDefault();
    event.stopPropagation();
    mark();
  }, true);
  picker.addEventListener("mousedown", (event) => {
    event.preventDefault(); // the box keeps the cursor
    const item = event.target.closest("[role=option]");
    if (!item) return;
    place = [...picker.children].indexOf(item);
    pick();
  });
}
