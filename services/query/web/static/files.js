// Files of an answer: sent ahead as they are chosen, pasted or dropped; the answer then names them.

import { problemOf } from "./problems.js";

const WAIT_MS = 120_000;
const composer = document.getElementById("composer");
const list = document.getElementById("attached");
const chooser = document.getElementById("files");

function tell(text) {
  const error = composer.querySelector(".error");
  error.textContent = text;
  error.hidden = text === "";
}

async function send(file) {
  const item = document.createElement("li");
  item.textContent = `${file.name} …`;
  item.dataset.sending = ""; // an answer that left now would leave without it: commands.js refuses to
  list.append(item);
  try {
    const answer = await fetch(`/v1/attachments?name=${encodeURIComponent(file.name)}`, { method: "POST", headers: { "Content-Type": "application/octet-stream" }, body: file, signal: AbortSignal.timeout(WAIT_MS) });
    if (!answer.ok) throw new Error(await problemOf(answer));
    show(item, file.name, (await answer.json()).id);
  } catch (error) {
    item.remove();
    tell(`${file.name} was not sent: ${error.message}`);
  }
}

function show(item, name, id) {
  const field = document.createElement("input");
  Object.assign(field, { type: "hidden", name: "attachments", value: id });
  field.dataset.kind = "each";
  const away = document.createElement("button");
  away.type = "button";
  away.textContent = "×";
  away.setAttribute("aria-label", `Leave ${name} away`);
  away.addEventListener("click", () => item.remove());
  item.replaceChildren(name, field, away);
  delete item.dataset.sending;
}

async function sendAll(files) {
  tell("");
  composer.dataset.dirty = "";
  await Promise.all([...files].map(send));
}

// Files of a prepared text are kept already: the answer only names them.
composer.addEventListener("attach", (event) => event.detail.forEach(({ id, name }) => {
  const item = document.createElement("li");
  show(item, name, id);
  list.append(item);
}));
chooser.addEventListener("change", async () => {
  await sendAll(chooser.files);
  chooser.value = "";
});
composer.addEventListener("paste", (event) => {
  if (event.clipboardData.files.length) { event.preventDefault(); sendAll(event.clipboardData.files); }
});
composer.addEventListener("dragover", (event) => event.dataTransfer.types.includes("Files") && event.preventDefault());
composer.addEventListener("drop", (event) => {
  if (event.dataTransfer.files.length) { event.preventDefault(); sendAll(event.dataTransfer.files); }
});
composer.addEventListener("done", () => list.replaceChildren());
