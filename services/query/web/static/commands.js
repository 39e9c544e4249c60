// Forms that are commands: sent to the API as JSON, each submit with its own Idempotency-Key, refusals told in words.

import { newKey } from "./asking.js";
import { problemOf } from "./problems.js";

const WAIT_MS = 20_000;

const isChanged = (field) => (field.options ? [...field.options].some((option) => option.selected !== option.defaultSelected) : field.value !== field.defaultValue);

// A form with data-changed sends what was changed and nothing else; what was emptied is taken away.
function isSaid(field, changedOnly) {
  if (!field.name || field.disabled || "skip" in field.dataset) return false;
  if ((field.type === "checkbox" || field.type === "radio") && !field.checked) return false;
  if (field.type === "hidden") return field.value !== "";
  if (field.offsetParent === null) return false; // a field that is not shown says nothing
  return changedOnly ? isChanged(field) : field.value !== "";
}

function put(body, path, value) {
  let place = body;
  for (const step of path.slice(0, -1)) place = place[step] ??= {};
  place[path.at(-1)] = value;
}

async function bodyOf(form) {
  const body = {};
  for (const field of form.elements) {
    if (!isSaid(field, "changed" in form.dataset)) continue;
    // The names of custom fields may hold dots; those of the API's own are paths.
    const path = field.dataset.in ? [field.dataset.in, field.name] : field.name.split(".");
    if (["each", "source"].includes(field.dataset.kind)) (body[field.name] ??= []).push(await valueOf(field));
    else put(body, path, await valueOf(field));
    if (field.dataset.labelAs) put(body, field.dataset.labelAs.split("."), field.value === "" ? null : field.selectedOptions[0].textContent);
  }
  return body;
}

// What people type for a person: an address of theirs, or an id.
function person(text) {
  const said = text.trim();
  if (/^[^@\s:]+@[^@\s]+$/.test(said)) return { email: said };
  return /^\+[\d ()./-]{6,}$/.test(said) ? { phone: said } : { id: said };
}

// The API names tickets by id; people know numbers.
async function ticketId(text) {
  const answer = await fetch(`/v1/tickets/${encodeURIComponent(text.trim().replace(/^#/, ""))}`);
  if (!answer.ok) throw new Refused(answer.status === 404 ? `There is no ticket ${text}.` : await problemOf(answer));
  return (await answer.json()).ticket.ticket_id;
}

class Refused extends Error {}

async function valueOf(field) {
  if (field.dataset.kind === "source") return { kind: field.value.split(":")[0], name: field.value.split(":")[1] };
  if (field.dataset.kind === "several") return [...field.selectedOptions].map((option) => option.value);
  if (field.value === "") return null;
  if (field.dataset.kind === "person") return person(field.value);
  if (field.dataset.kind === "lines") return field.value.split("\n").map((each) => each.trim()).filter(Boolean);
  if (field.dataset.kind === "ticket") return ticketId(field.value);
  if (field.dataset.kind === "words") return field.value.split(/[\s,]+/).filter(Boolean);
  if (field.dataset.kind === "moment") return new Date(field.value).toISOString();
  if (field.dataset.kind === "number") return Number(field.value);
  if (field.dataset.kind === "list") return field.value.split(/[\n,]/).map((each) => each.trim()).filter(Boolean);
  return field.dataset.kind === "boolean" ? field.value === "true" : field.value;
}

function tell(form, text, isError = false) {
  const error = form.querySelector(".error"), told = form.querySelector(".told");
  if (error) { error.hidden = !isError; error.textContent = isError ? text : ""; }
  if (told) { told.textContent = !isError || !error ? text : ""; }
}

// Who has answered meanwhile, and when, is said by the server; any other change is told in general words.
async function crossedOr(answer, words) {
  try {
    const problem = await answer.json();
    return problem.code === "answer_crossed" ? problem.detail : words;
  } catch {
    return words;
  }
}

async function send(form) {
  const text = JSON.stringify(await bodyOf(form));
  const { method, action, ifMatch } = form.dataset;
  // The same text again is the same command: after a lost answer it happens once. Another text is another command.
  const sent = `${action}\n${text}`;
  if (form.dataset.sent !== sent) { form.dataset.sent = sent; form.dataset.key = newKey(); }
  const headers = { "Content-Type": "application/json", "Idempotency-Key": form.dataset.key };
  if (ifMatch !== undefined) headers["If-Match"] = `"${document.querySelector("[data-version]").dataset.version}"`;
  const answer = await fetch(action, { method, headers, body: text, signal: AbortSignal.timeout(WAIT_MS) });
  if (answer.status < 500) delete form.dataset.sent;
  return answer;
}

async function submit(form) {
  if (form.getAttribute("aria-busy") === "true") return;
  if (form.querySelector("[data-sending]")) return tell(form, "The files are still on their way; send it in a moment.", true);
  form.setAttribute("aria-busy", "true");
  tell(form, "Sending…");
  let outcome = null;
  try {
    const answer = await send(form);
    if (answer.ok) {
      outcome = { form, status: answer.status, result: answer.status === 204 ? null : await answer.json(), answer };
      delete form.dataset.dirty;
      form.dataset.done = ""; // nothing in it is unsent: the part may show what has become of it, focus or not
      if ("clear" in form.dataset) {
        // The choice between reply and note stays: falling back to the public one would surprise.
        form.querySelector("textarea").value = "";
        for (const choice of form.querySelectorAll("select")) choice.selectedIndex = 0;
        for (const input of form.querySelectorAll("input[data-clears]")) input.value = "";
      }
      tell(form, "Done.");
    } else if (answer.status === 401) tell(form, "Your session has ended; nothing was stored. Sign in again in another tab, then send once more.", true);
    else if (answer.status === 412) tell(form, await crossedOr(answer, "Somebody changed the ticket meanwhile; nothing was stored. Look at it as it is now, then decide again."), true);
    else tell(form, await problemOf(answer), true);
    if (answer.status === 412) document.dispatchEvent(new CustomEvent("outdated"));
  } catch (error) {
    if (error instanceof Refused) tell(form, error.message, true);
    else tell(form, "No answer came, so nobody knows whether it was stored. Send it again: it will happen only once.", true);
  } finally {
    form.removeAttribute("aria-busy");
  }
  if (outcome) form.dispatchEvent(new CustomEvent("done", { bubbles: true, detail: outcome }));
}

export function startCommands() {
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form[data-command]")) return;
    event.preventDefault();
    submit(event.target);
  });
  document.addEventListener("input", (event) => {
    const form = event.target.closest("form[data-command]");
    if (form) { form.dataset.dirty = ""; delete form.dataset.done; }
  });
  document.addEventListener("done", (event) => {
    const { form, status, result, answer } = event.detail;
    if (form.dataset.then !== "open") return;
    if (status === 204) tell(form, `Nothing for you now (${(answer.headers.get("X-Routing-Reasons") || "queue_empty").replaceAll("_", " ").replaceAll("=", ": ")}).`);
    else if (result.contact_id) location.assign(`/contacts/${result.contact_id}?min_version=${result.version}`);
    else if (status === 201 && "category" in result) location.assign(`/tickets/${result.ticket_id}?min_version=${result.version}`); // just opened: the page waits for it
    else location.assign(`/tickets/${result.number ?? result.ticket_id}`);
  });
}
