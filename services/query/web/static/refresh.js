// Ask again for what is shown when something has moved, not more often than every few seconds.

import { follow, newest, showsAsOf } from "./live.js";

export const HELD = "held";

// `refresh` says whether the page shows what there is now, or HELD: the reader is at something that must not move.
// What is shown besides the page's own content, and says its own age, is no part of the page's age.
export function onMoved(refresh, pauseMs, { isContent = true } = {}) {
  let timer = 0, lastAt = 0, isRunning = false;
  const later = () => {
    if (timer || document.hidden) return;
    timer = setTimeout(run, Math.max(0, lastAt + pauseMs - Date.now()));
  };
  async function run() {
    timer = 0;
    if (isRunning) return later();
    isRunning = true;
    const asOf = newest(); // what is answered is at least as new as what was known before it was asked for
    let outcome = false;
    try {
      outcome = await refresh();
    } catch {
      outcome = false; // nobody answered: the page says how old it is
    }
    isRunning = false;
    lastAt = Date.now();
    if (isContent) showsAsOf(asOf, { isDone: outcome === true, isHeld: outcome === HELD });
    if (outcome !== true) later();
  }
  if (isContent) follow();
  document.addEventListener("moved", later);
  document.addEventListener("visibilitychange", () => document.hidden || later());
  return later;
}
