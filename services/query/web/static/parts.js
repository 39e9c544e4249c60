// Parts of a page replace themselves; what the reader is doing there is left alone.

import { paint } from "./clock.js";

const shown = new Map(); // part → the HTML it shows, so that the same again touches nothing
const waiting = new Map(); // part → newer HTML that came while somebody was at something there

const isBusy = (part) =>
  part.querySelector("form[data-dirty]") !== null ||
  part.querySelector("form[aria-busy=true]") !== null ||
  (part.contains(document.activeElement) && document.activeElement.matches("input, textarea, select") && !document.activeElement.closest("form[data-done]"));

export function swap(target, html) {
  // htmx gives the focus back to the element with the same id.
  window.htmx.swap(target, html, { swapStyle: "innerHTML", swapDelay: 0, settleDelay: 0 });
  paint(target);
}

export function applyParts(parts) {
  for (const [name, html] of Object.entries(parts)) {
    const target = document.querySelector(`[data-part="${CSS.escape(name)}"]`);
    waiting.delete(name);
    if (!target || shown.get(name) === html) continue;
    const isHeld = isBusy(target);
    target.toggleAttribute("data-held", isHeld); // the style says so: nothing is old in secret
    if (isHeld) {
      waiting.set(name, html);
      continue;
    }
    const turned = [...target.querySelectorAll("input[type=checkbox][id]")].filter((box) => box.checked !== box.defaultChecked).map((box) => box.id);
    const open = [...target.querySelectorAll("details[id][open]")].map((details) => details.id);
    swap(target, html);
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    for (const id of turned) document.getElementById(id)?.click();
    shown.set(name, html);
  }
  document.dispatchEvent(new CustomEvent("parts-shown"));
}

// What waited is shown as soon as its reader has turned to something else.
const showWaiting = () => waiting.size && setTimeout(() => applyParts(Object.fromEntries(waiting)));
document.addEventListener("focusout", showWaiting);
document.addEventListener("done", showWaiting);
