// The ticket page: after a command the parts are asked for again, once the projection has what was written.

import { applyParts } from "./parts.js";
import { hearFresh } from "./live.js";
import { onMoved } from "./refresh.js";
import { startAttention } from "./attention.js";

const PAUSE_MS = 1500;
const FOLLOW_MS = [150, 300, 600, 1200, 2500]; // routing and promises follow a command within about a second
const ticket = document.getElementById("ticket");
if (location.search.includes("min_version")) history.replaceState(null, "", `/tickets/${ticket.dataset.number}`); // it has come
const address = `/tickets/${ticket.dataset.number}/parts`;

async function refresh(query) {
  const answer = await fetch(`${address}?${query}`, { headers: { "HX-Request": "true" } });
  if (answer.status !== 200) return answer.status;
  const said = await answer.json();
  ticket.dataset.stamp = said.stamp;
  ticket.dataset.version = said.stamp.split(".")[0];
  hearFresh(said.fresh);
  applyParts(said.parts);
  seeIfNothingIsWritten();
  return 200;
}

const refreshIfMoved = () => refresh(new URLSearchParams({ stamp: ticket.dataset.stamp }));
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

onMoved(async () => [200, 204].includes(await refreshIfMoved()), PAUSE_MS); // 204: nothing of this ticket has moved
document.addEventListener("outdated", async () => {
  await refresh(new URLSearchParams()); // what somebody answered meanwhile is on the page before it counts as read
  if (seen) seen.value = ticket.dataset.version;
});

document.addEventListener("done", async (event) => {
  const { form, result } = event.detail;
  // Routing counts versions of its own, and what undoes a merge or makes a split answers for the other ticket.
  const isOurs = result && "category" in result && String(result.number) === ticket.dataset.number;
  if (isOurs) {
    const status = await refresh(new URLSearchParams({ min_version: result.version }));
    const told = form.querySelector(".told");
    if (status === 504 && told) told.textContent = "Stored. The page will show it as soon as it has been applied.";
  }
  for (const ms of FOLLOW_MS) {
    await pause(ms);
    if ((await refreshIfMoved()) === 200 && !isOurs) break;
  }
});

const composer = document.getElementById("composer");
const replies = composer.dataset.action;
const kept = `ticketing.draft.${ticket.dataset.number}`;
const body = composer.querySelector("textarea");
const seen = composer.querySelector("input[name=seen_version]");
const keptSeen = `${kept}.seen`;

// What was on the page when the writing began is what the writer has read.
function seeIfNothingIsWritten() {
  if (seen && body.value === "") seen.value = ticket.dataset.version;
}

function chooseKind() {
  const isNote = composer.querySelector("input[name=kind]:checked")?.value === "note";
  composer.classList.toggle("note", isNote);
  composer.dataset.action = isNote ? composer.dataset.noteAction : replies;
  if (seen) seen.disabled = isNote;
  const then = composer.querySelector(".then");
  if (then) then.hidden = isNote;
  composer.querySelector("[data-send]").textContent = isNote ? "Add note" : "Send reply";
}

// A field that is not shown must not be required: the browser would refuse to send and could not say why.
function askForSolution() {
  const summary = composer.querySelector(".solves input");
  if (summary) summary.required = summary.offsetParent !== null;
}

composer.addEventListener("change", askForSolution);
composer.addEventListener("done", askForSolution);

if (composer.querySelector("input[name=kind]")) {
  composer.addEventListener("change", chooseKind);
  chooseKind();
}

// A half-written answer survives a reload of this tab; it never leaves the tab.
body.value = sessionStorage.getItem(kept) ?? "";
if (seen && body.value) seen.value = sessionStorage.getItem(keptSeen) ?? seen.value;
body.addEventListener("input", () => {
  sessionStorage.setItem(kept, body.value);
  if (seen) sessionStorage.setItem(keptSeen, seen.value);
});
composer.addEventListener("done", () => {
  sessionStorage.removeItem(kept);
  sessionStorage.removeItem(keptSeen);
});

if (seen) startAttention({ id: ticket.dataset.id, me: document.body.dataset.user, composer, body });

// A hundred tasks do not each carry a thousand agents: a list is filled from the first one when somebody looks at it.
document.addEventListener("toggle", (event) => {
  for (const list of event.target.querySelectorAll("select[data-options-of]")) {
    const has = new Set([...list.options].map((option) => option.value));
    for (const { text, value } of document.getElementById(list.dataset.optionsOf).options) if (!has.has(value)) list.append(new Option(text, value));
  }
}, true);

document.addEventListener("change", (event) => {
  const { owner } = event.target.dataset;
  if (owner) event.target.closest("[data-part]").classList.toggle(`without-${owner}`, !event.target.checked);
});
