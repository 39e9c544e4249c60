// Parts of a page replace themselves; what the reader is doing there is left alone.

import { paint } from "./clock.js";

const shown = new Map(); // part → the HTML it shows, so that the same again touches nothing

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
    if (!target || shown.get(name) === html || isBusy(target)) continue;
    const turned = [...target.querySelectorAll("input[type=checkbox][id]")].filter((box) => box.checked !== box.defaultChecked).map((box) => box.id);
    const open = [...target.querySelectorAll("details[id][open]")].map((details) => details.id);
    swap(target, html);
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    for (const id of turned) document.getElementById(id)?.click();
    shown.set(name, html);
  }
  document.dispatchEvent(new CustomEvent("parts-shown"));
}
