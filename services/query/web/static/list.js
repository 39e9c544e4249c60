// The list follows what happens, while its first page is looked at and nobody selects text in it.

import { paint } from "./clock.js";
import { mark } from "./keys.js";
import { swap } from "./parts.js";
import { HELD, onMoved } from "./refresh.js";

const PAUSE_MS = 5000;
const list = document.getElementById("list");

let isTold = false;

// Once, however many elements came. Only the list's own: the views beside it are read anew when another list is shown.
function shown() {
  if (isTold) return;
  isTold = true;
  queueMicrotask(() => {
    isTold = false;
    mark();
    document.dispatchEvent(new CustomEvent("list-shown"));
  });
}

onMoved(async () => {
  if (new URLSearchParams(location.search).has("cursor") || !getSelection().isCollapsed) return HELD;
  const answer = await fetch(location.pathname + location.search, { headers: { "HX-Request": "true" } });
  if (!answer.ok) return false;
  swap(list, await answer.text());
  return true;
}, PAUSE_MS);

document.addEventListener("htmx:afterSwap", (event) => {
  if (!list.contains(event.target)) return;
  paint(list);
  shown();
});
document.addEventListener("htmx:responseError", async (event) => {
  let detail = "The list could not be read.";
  try { detail = JSON.parse(event.detail.xhr.responseText).detail; } catch { /* not a problem document: the sentence above stands */ }
  const told = document.createElement("p");
  told.className = "error";
  told.setAttribute("role", "alert");
  told.textContent = detail;
  list.replaceChildren(told);
});
