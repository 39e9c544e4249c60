// How fresh the page is, said plainly and all the time; the stream that keeps it so; the banner when it is not.

import { clock, learnNow, serverNow } from "./clock.js";
import { applyParts } from "./parts.js";

const SILENCE_MS = 12_000; // the server speaks at least every 5 s
const UNKNOWN_MS = 6000; // a product that has just begun needs a moment to measure itself
const HOLD_MS = 3000; // one event on its way to a quiet partition is no trouble yet
const RETRY_MS = [1000, 2000, 5000];

const strip = document.getElementById("fresh");
const banner = document.getElementById("banner");
const kind = document.body.dataset.live;
const staleSeconds = Number(strip?.dataset.staleSeconds);

let fresh = null; // the newest word of the server
let heardAt = Date.now();
let source = null;
let attempts = 0;
let trouble = "";
let isSignedOut = false;
let retry = 0;
let oldSince = 0; // when the age first went over the limit
let unknownSince = 0;

function hear(said) {
  const hasMoved = fresh !== null && said.position !== fresh.position;
  fresh = said;
  heardAt = Date.now();
  learnNow(said.now);
  show();
  if (hasMoved) document.dispatchEvent(new CustomEvent("moved"));
}

// For answers that came another way (a refreshed part).
export const hearFresh = hear;

function ageSeconds() {
  return fresh.seconds === null ? null : fresh.seconds + (Date.now() - heardAt) / 1000;
}

function show() {
  if (!strip || !fresh) return;
  const age = ageSeconds();
  const words = kind === "off" && fresh.as_of ? `as of ${clock(Date.parse(fresh.as_of))}` : age === null ? "measuring how fresh this is…" : `as of ${clock(Date.parse(fresh.as_of))}, ${age < 10 ? age.toFixed(1) : Math.round(age)} s behind`;
  const target = strip.lastElementChild;
  if (target.textContent !== words) target.textContent = words;
  const problem = problemNow(age);
  strip.classList.toggle("unknown", age === null);
  strip.classList.toggle("old", problem !== "");
  document.body.classList.toggle("stale", problem !== "");
  if (banner.textContent.trim() !== problem) banner.textContent = problem;
  banner.hidden = problem === "";
}

function problemNow(age) {
  const since = clock(heardAt + serverNow() - Date.now());
  if (isSignedOut) return "Your session has ended; nothing here is live. Sign in again.";
  if (trouble) return `${trouble} Last figures: ${since}.`;
  if (kind !== "off" && Date.now() - heardAt > SILENCE_MS) return `Not live: no word from the server since ${since}. These figures are old; trying again.`;
  if (kind === "off") return ""; // a page without a stream only says when it was made
  if (age !== null) unknownSince = 0;
  else {
    unknownSince ||= Date.now();
    return fresh.problem && Date.now() - unknownSince >= UNKNOWN_MS ? `Nobody knows how old these figures are: ${fresh.problem}.` : "";
  }
  if (age <= staleSeconds) oldSince = 0;
  else oldSince ||= Date.now();
  if (oldSince && Date.now() - oldSince >= HOLD_MS) return `These figures are ${Math.round(age)} s old${fresh.behind ? `: ${fresh.behind} ${fresh.behind === 1 ? "event is" : "events are"} not applied yet` : ""}${fresh.problem ? ` (${fresh.problem})` : ""}.`;
  return "";
}

function open() {
  clearTimeout(retry);
  source?.close();
  const ticket = document.getElementById("composer") && document.getElementById("ticket")?.dataset.id;
  source = new EventSource(kind === "board" ? "/board/stream" : `/board/stream?bare=true${ticket ? `&ticket=${ticket}` : ""}`);
  source.addEventListener("attention", (event) => document.dispatchEvent(new CustomEvent("attention", { detail: JSON.parse(event.data) })));
  source.addEventListener("board", (event) => {
    attempts = 0;
    trouble = "";
    const said = JSON.parse(event.data);
    hear(said.fresh);
    if (kind === "board") applyParts(said.parts);
  });
  source.addEventListener("trouble", (event) => {
    trouble = JSON.parse(event.data).detail;
    heardAt = Math.min(heardAt, Date.now());
    show();
  });
  source.addEventListener("error", () => {
    if (source.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
    checkSession();
    retry = setTimeout(open, RETRY_MS[Math.min(attempts++, RETRY_MS.length - 1)]);
  });
}

async function checkSession() {
  try {
    const answer = await fetch("/session");
    isSignedOut = answer.status === 401;
  } catch {
    isSignedOut = false; // nobody answers: the banner says that by itself
  }
  show();
}

function close() {
  clearTimeout(retry);
  source?.close();
  source = null;
}

export function startLive() {
  if (!strip) return;
  const { now, asOf, seconds, position, behind, problem } = strip.dataset;
  hear({ now, as_of: asOf || null, seconds: seconds === "" ? null : Number(seconds), position: Number(position), behind: Number(behind), problem });
  setInterval(show, 200);
  if (kind === "off") return;
  open();
  // A browser has six connections to a host: tabs that nobody looks at give theirs back.
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => event.persisted && open());
}
