// The views beside the list: counted anew while one looks, and the list kept as a view of one's own or for others.

import { newKey } from "./asking.js";
import { swap } from "./parts.js";
import { problemOf } from "./problems.js";
import { onMoved } from "./refresh.js";

const PAUSE_MS = 10_000; // counts are kept so long by the server
const COUNTING_MS = 2_000; // what takes the server long comes when it is counted, whether anything moved or not
const NOT_FILTERS = ["cursor", "limit", "sort", "columns"];
const rail = document.getElementById("views"), dialog = document.getElementById("view-dialog"), form = document.getElementById("view-form");
const remove = document.getElementById("view-delete");

async function refresh() {
  const answer = await fetch(`/tickets/views${location.search}`, { headers: { "HX-Request": "true" } });
  if (answer.ok) swap(rail, await answer.text());
  askAgain();
  return answer.ok;
}

let asking;
function askAgain() {
  clearTimeout(asking);
  if (rail.querySelector("[data-pending]")) asking = setTimeout(refresh, COUNTING_MS);
}

// The view that is shown, if it may be changed: one's own, or a shared one by those who share.
function current() {
  const shown = rail.querySelector("[aria-current]");
  const isMine = shown?.dataset.kind === "mine", isShared = shown?.dataset.kind === "shared" && form.elements.audience;
  return shown && (isMine || isShared) ? { name: shown.dataset.view, place: isMine ? "mine" : "shared", title: shown.querySelector("span").textContent } : null;
}

function viewOf() {
  const asked = new URLSearchParams(location.search), view = { title: form.elements.title.value.trim(), filter: {} };
  for (const name of new Set(asked.keys())) if (!NOT_FILTERS.includes(name)) view.filter[name] = asked.getAll(name).join(",");
  if (asked.get("sort")) view.sort = asked.get("sort");
  if (asked.get("columns")) view.columns = asked.getAll("columns").join(",").split(",");
  if (Number(form.elements.place.value)) view.place = Number(form.elements.place.value);
  return view;
}

const slug = (title) => title.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 60) || `view-${newKey().slice(0, 8)}`;

async function send(method, address, body) {
  const error = form.querySelector(".error");
  const answer = await fetch(address, { method, headers: { "Content-Type": "application/json", "Idempotency-Key": newKey() }, body: body && JSON.stringify(body) });
  error.hidden = answer.ok;
  if (!answer.ok) { error.textContent = await problemOf(answer); return; }
  dialog.close(); // the rail follows with the event, like everything that is shown
}

document.getElementById("view-open").addEventListener("click", () => {
  const view = current();
  form.querySelector(".error").hidden = true;
  form.elements.title.value = view?.title ?? "";
  remove.hidden = !view;
  remove.querySelector("span").textContent = view?.title ?? "";
  if (form.elements.audience) form.elements.audience.value = view?.place === "shared" ? "everybody" : "mine";
  dialog.showModal();
});
document.getElementById("view-close").addEventListener("click", () => dialog.close());
remove.addEventListener("click", () => { const view = current(); if (view) send("DELETE", `/v1/views/${view.place}/${view.name}`); });
form.addEventListener("submit", (event) => {
  event.preventDefault();
  const view = viewOf(), audience = form.elements.audience?.value ?? "mine", before = current();
  if (audience !== "mine" && audience !== "everybody") view.groups = [audience];
  const place = audience === "mine" ? "mine" : "shared";
  const name = before && before.place === place && before.title === view.title ? before.name : slug(view.title);
  send("PUT", `/v1/views/${place}/${name}`, view);
});
onMoved(refresh, PAUSE_MS, { isContent: false }); // the counts say when they were counted
document.addEventListener("list-shown", refresh); // another list may be another view
askAgain();
