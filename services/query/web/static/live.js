// How fresh the page is, said plainly and all the time; the stream that keeps it so; the banner when it is not.
//
// Two words of the server are kept: the newest, and the one of which what is shown is. A page that follows what happens
// asks again when they part, and is as old as what it shows; one that does not follow says its age and offers to.
// Loud is only what should not be: the newest word is old, or it was asked for and did not come. That a list asks again
// every few seconds and not at once is no trouble: its age stands above it.

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
let shown = null; // {said, at}: the word of the server of which what is shown is
let isFollowed = kind === "board"; // the stream itself carries what the wall shows
let isHeld = false; // it follows, but not while the reader is at something
let openedAt = 0;
let source = null;
let attempts = 0;
let trouble = "";
let isSignedOut = false;
let retry = 0;
let partedAt = 0; // since when something newer is known than what a page that follows shows
let oldSince = 0; // when the newest word first was older than the limit
let unknownSince = 0;

function hear(said) {
  // A page knows its position exactly; the stream's words are up to a second old, and come from several processes.
  if (fresh && said.position < fresh.position) said.position = fresh.position;
  const hasMoved = fresh !== null && said.position !== fresh.position;
  fresh = said;
  heardAt = Date.now();
  if (!shown || kind === "board" || said.position === shown.said.position) shown = newest();
  else partedAt ||= heardAt; // until what has been asked for is shown
  learnNow(said.now);
  show();
  if (hasMoved) document.dispatchEvent(new CustomEvent("moved"));
}

// For answers that came another way (a refreshed part).
export const hearFresh = hear;

export const newest = () => ({ said: fresh, at: heardAt, askedAt: Date.now() });

export function follow() {
  isFollowed = true;
}

// What became of asking again for the page's content; `word` was the newest one when it was asked for.
export function showsAsOf(word, { isDone, isHeld: waits }) {
  isHeld = waits;
  if (isDone && word.at >= shown.at) {
    shown = fresh.position === word.said.position ? newest() : word;
    partedAt = shown === word ? word.askedAt : 0;
  }
  show();
}

// Of what was shown before its age was known, and is not the newest any more, it is known how long ago it was heard.
function ageOf({ said, at }) {
  const seconds = said.seconds ?? (said.position === fresh.position ? null : 0);
  return seconds === null ? null : seconds + (Date.now() - at) / 1000;
}

function span(seconds) {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}

function said(isStill) {
  const age = ageOf(shown);
  if (age === null) return isStill && fresh.seconds !== null ? "from before its age was known" : "measuring how fresh this is…";
  const asOf = `as of ${clock(shown.said.as_of ? Date.parse(shown.said.as_of) : shown.at + serverNow() - Date.now())}`;
  if (kind === "off") return asOf;
  return isStill ? `${asOf}, ${span(age)} ago` : `${asOf}, ${span(age)} behind`;
}

function show() {
  if (!strip || !fresh) return;
  const isStill = !isFollowed || isHeld, isPast = isStill && kind !== "off" && fresh.position !== shown.said.position;
  const words = said(isStill), target = strip.querySelector("[data-said]");
  if (target.textContent !== words) target.textContent = words;
  const problem = problemNow(ageOf(newest()), isStill);
  strip.classList.toggle("unknown", ageOf(shown) === null);
  strip.classList.toggle("past", isPast);
  document.getElementById("fresh-reload").hidden = !isPast;
  strip.classList.toggle("old", problem !== "");
  document.body.classList.toggle("stale", problem !== "");
  if (banner.textContent.trim() !== problem) banner.textContent = problem;
  banner.hidden = problem === "";
  // A connection that died without a word (a machine that slept, a network that changed) ends no stream by itself.
  if (source && Date.now() - Math.max(heardAt, openedAt) > SILENCE_MS) open();
}

function problemNow(age, isStill) {
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
  const isLate = !isStill && partedAt && Date.now() - partedAt > staleSeconds * 1000;
  if (isLate) return `What is shown is ${span(ageOf(shown))} old: newer was asked for and did not come; trying again.`;
  if (!oldSince || Date.now() - oldSince < HOLD_MS) return "";
  return `These figures are ${Math.round(age)} s old${fresh.behind ? `: ${fresh.behind} ${fresh.behind === 1 ? "event is" : "events are"} not applied yet` : ""}${fresh.problem ? ` (${fresh.problem})` : ""}.`;
}

function open() {
  clearTimeout(retry);
  source?.close();
  openedAt = Date.now();
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
  document.getElementById("fresh-reload").addEventListener("click", () => location.reload());
  setInterval(show, 200);
  let asked = null; // a filter that was changed asks for the list by itself
  document.addEventListener("htmx:beforeRequest", () => { asked = newest(); });
  document.addEventListener("htmx:afterSwap", () => {
    if (asked) showsAsOf(asked, { isDone: true, isHeld: false });
    asked = null;
  });
  if (kind === "off") return;
  open();
  // A browser has six connections to a host: tabs that nobody looks at give theirs back.
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => event.persisted && open());
}
