// Many tickets at once: choose rows (x, Shift for a stretch) or all that match, change them as one job, watch each, undo.

import { element, newKey } from "./asking.js";
import { problemOf } from "./problems.js";

const WAIT_MS = 20_000, LOOK_MS = [300, 500, 1000, 2000], TOGETHER = 4, TOLD_MAX = 50;
const list = document.getElementById("list"), form = document.getElementById("bulk"), panel = document.getElementById("bulk-job");
const chosen = new Map(); // ticket id → number, in the order in which they were chosen
let last = null, isAll = false;

const boxes = () => [...list.querySelectorAll("[data-pick]")];
const numberOf = (box) => box.closest("td").querySelector(".n").textContent;
const tickets = (count) => `${count.toLocaleString("en")} ticket${count === 1 ? "" : "s"}`;

function show() {
  const all = boxes();
  for (const box of all) {
    box.checked = chosen.has(box.value);
    box.closest("tr").classList.toggle("chosen", box.checked);
  }
  const page = document.getElementById("pick-page"), count = all.filter((box) => box.checked).length;
  if (page) { page.checked = count > 0 && count === all.length; page.indeterminate = count > 0 && count < all.length; }
  form.hidden = chosen.size === 0;
  document.getElementById("bulk-count").textContent = chosen.size ? `${tickets(chosen.size)} chosen${isAll ? ", all that match" : ""}` : "";
  document.getElementById("bulk-all").hidden = isAll || !document.getElementById("page-next") && !document.getElementById("page-first");
}

function choose(box, isChosen) {
  if (isChosen) chosen.set(box.value, numberOf(box));
  else chosen.delete(box.value);
  isAll = false;
}

function picked(box, isStretch) {
  const all = boxes(), from = isStretch && last ? all.findIndex((each) => each.value === last) : -1, to = all.indexOf(box);
  const stretch = from < 0 ? [box] : all.slice(Math.min(from, to), Math.max(from, to) + 1);
  for (const each of stretch) choose(each, box.checked);
  last = box.value;
  show();
}

function none() {
  chosen.clear();
  isAll = false;
  show();
}

function tell(text) {
  const error = form.querySelector(".error");
  error.hidden = !text;
  error.textContent = text;
}

async function call(method, path, body, headers = {}) {
  const init = { method, headers: { ...headers }, signal: AbortSignal.timeout(WAIT_MS) };
  if (body) { init.body = JSON.stringify(body); init.headers["Content-Type"] = "application/json"; }
  const answer = await fetch(path, init);
  if (!answer.ok) throw new Error(await problemOf(answer));
  return answer.status === 204 ? null : answer.json();
}

async function chooseAll() {
  const asked = new URLSearchParams(location.search);
  for (const name of ["cursor", "limit", "columns"]) asked.delete(name);
  const found = await call("GET", `/v1/tickets/ids?${asked}`);
  const known = new Map(boxes().map((box) => [box.value, numberOf(box)]));
  chosen.clear();
  for (const id of found.ticket_ids) chosen.set(id, known.get(id) ?? "");
  isAll = !found.is_more;
  show();
  tell(found.is_more ? `These are the first ${found.ticket_ids.length.toLocaleString("en")}; one job takes no more.` : "");
}

const field = (what) => form.querySelector(`[data-for~="${what}"] :is(input, select)`);
const words = (text) => text.split(/[\s,]+/).filter(Boolean);

// What is chosen as the job's actions; assigning is routing's, one ticket at a time.
function wanted() {
  const what = form.elements.what.value, input = field(what), value = input.value.trim();
  if (!value) throw new Error("Say what it shall be.");
  const label = input.selectedOptions?.[0]?.textContent ?? value;
  if (what === "assignee") return { agent: value, title: `Assign to ${label}` };
  if (what === "macro") return { macro: value };
  if (what === "add_tags" || what === "remove_tags") return { title: `${what === "add_tags" ? "Add" : "Remove"} ${value}`.slice(0, 60), actions: { [what]: words(value) } };
  if (what === "resolve") return { title: "Solve", actions: { resolve: { summary: value } } };
  if (what === "note") return { title: "Add a note", actions: { note: value } };
  return { title: `${what}: ${label}`.slice(0, 60), actions: { [what]: value } };
}

// The panel of one job: how far it is, what was refused and why, and its undo.
function progress(title, { undo = null } = {}) {
  const [said, bar] = [panel.querySelector("b"), panel.querySelector("progress")], [back, close] = panel.querySelectorAll("button");
  const refused = panel.querySelector("ul");
  panel.hidden = false;
  refused.replaceChildren();
  back.hidden = true;
  close.onclick = () => { panel.hidden = true; };
  return (job) => {
    const isOver = job.waiting === 0, parts = [`${job.done} done`];
    if (job.unchanged) parts.push(`${job.unchanged} had nothing to change`);
    if (job.refused) parts.push(`${job.refused} refused`);
    said.textContent = `${title}: ${isOver ? "" : `${job.total - job.waiting} of ${job.total}, `}${parts.join(", ")}.`;
    bar.hidden = isOver;
    bar.max = job.total;
    bar.value = job.total - job.waiting;
    back.hidden = !(isOver && undo && job.done);
    back.onclick = async () => { back.hidden = true; await undo(); };
    refused.replaceChildren(...job.items.slice(0, TOLD_MAX).map((item) => {
      const row = element("li", ""), name = item.number ?? chosen.get(item.ticket_id) ?? "";
      row.append(element("a", name ? `#${name}` : "a ticket", { href: `/tickets/${name || item.ticket_id}` }), ` ${item.reason}`);
      return row;
    }));
    if (job.refused > TOLD_MAX) refused.append(element("li", `and ${job.refused - TOLD_MAX} more`));
  };
}

async function watch(job, title, undo) {
  const say = progress(title, { undo });
  for (let turn = 0; ; turn += 1) {
    const told = await call("GET", `/v1/bulk/${job.job_id}?state=refused`);
    say({ ...told.job, items: told.items });
    if (told.job.waiting === 0) return;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS[Math.min(turn, LOOK_MS.length - 1)]));
  }
}

async function change(asked) {
  const job = await call("POST", "/v1/bulk", { ...asked, ticket_ids: [...chosen.keys()] }, { "Idempotency-Key": newKey() });
  const title = job.title ?? asked.title;
  await watch(job, title, async () => {
    const back = await call("POST", `/v1/bulk/${job.job_id}/undo`, null, { "Idempotency-Key": newKey() });
    await watch(back, `${title} taken back`, null);
  });
}

async function assign({ agent, title }) {
  const waiting = [...chosen], job = { total: waiting.length, waiting: waiting.length, done: 0, unchanged: 0, refused: 0, items: [] };
  const say = progress(title);
  say(job);
  async function work() {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const [ticket_id, number] = next;
      try {
        await call("POST", `/v1/tickets/${ticket_id}/assign`, { agent_id: agent }, { "Idempotency-Key": newKey() });
        job.done += 1;
      } catch (error) {
        job.refused += 1;
        job.items.push({ ticket_id, number, reason: error.message });
      }
      job.waiting -= 1;
      say(job);
    }
  }
  await Promise.all(Array.from({ length: TOGETHER }, work));
}

async function submit() {
  if (form.getAttribute("aria-busy") === "true") return;
  tell("");
  form.setAttribute("aria-busy", "true");
  try {
    const asked = wanted();
    await (asked.agent ? assign(asked) : change(asked));
    none();
    document.dispatchEvent(new CustomEvent("moved"));
  } catch (error) {
    tell(error.message);
  } finally {
    form.removeAttribute("aria-busy");
  }
}

async function offer() {
  const what = form.elements.what.value;
  for (const label of form.querySelectorAll("[data-for]")) label.hidden = !label.dataset.for.split(" ").includes(what);
  const macros = field("macro");
  if (what !== "macro" || macros.options.length) return;
  try {
    const found = await call("GET", "/v1/macros");
    macros.replaceChildren(...found.documents.map((one) => element("option", one.definition.title, { value: one.name })));
    if (!found.documents.length) tell("There is no macro.");
  } catch (error) { tell(error.message); }
}

list.addEventListener("click", (event) => {
  if (event.target.id === "pick-page") { for (const box of boxes()) choose(box, event.target.checked); show(); }
  else if (event.target.matches("[data-pick]")) picked(event.target, event.shiftKey);
});
document.addEventListener("pick", (event) => {
  const box = event.detail.row.querySelector("[data-pick]");
  if (box) { box.checked = !box.checked; picked(box, false); }
});
form.addEventListener("submit", (event) => { event.preventDefault(); submit(); });
form.elements.what.addEventListener("change", offer);
document.getElementById("bulk-none").addEventListener("click", none);
document.getElementById("bulk-all").addEventListener("click", () => chooseAll().catch((error) => tell(error.message)));
document.addEventListener("list-shown", show);
show();
