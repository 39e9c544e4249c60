// The knowledge base: articles found by words while they are typed, answers that may become one, and what was just saved.

import { element } from "./asking.js";
import { problemOf } from "./problems.js";

const WAIT_MS = 10_000, SEND_MS = 60_000, PAUSE_MS = 250, USED_MAX = 10;

export async function call(method, path, body) {
  const answer = await fetch(path, {
    method, signal: AbortSignal.timeout(WAIT_MS),
    headers: body ? { "Content-Type": "application/json" } : {}, body: body && JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(await problemOf(answer));
  return answer.json();
}

// What is typed is asked for after a pause; an answer that comes late is no longer looked at.
export function whileTyped(box, ask, show) {
  let timer = 0, asked = 0;
  box.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      const mine = ++asked, found = await ask(box.value.trim());
      if (mine === asked) show(found);
    }, PAUSE_MS);
  });
}

const open = (name, version) => location.assign(`/articles/${encodeURIComponent(name)}?min_version=${version}`);

const words = document.getElementById("article-words"), list = document.getElementById("article-list");
if (words) {
  const all = [...list.children];
  whileTyped(words, (typed) => (typed ? call("GET", `/v1/articles?limit=50&q=${encodeURIComponent(typed)}`) : null), (found) => {
    if (!found) return list.replaceChildren(...all);
    const items = found.articles.map((one) => {
      const item = element("li", "");
      item.append(element("a", one.title, { href: `/articles/${one.name}`, lang: one.language }), " ",
        element("span", one.status, { class: "tag" }), " ", element("span", one.excerpt, { class: "quiet" }));
      return item;
    });
    const shown = element("ul", "", { class: "plain-list" });
    shown.append(...(items.length ? items : [element("li", "Nothing by these words.", { class: "quiet" })]));
    list.replaceChildren(shown);
  });
}

const used = document.getElementById("used-answers");
async function showUsed() {
  const answers = (await call("GET", "/v1/answers?order=uses")).documents.slice(0, USED_MAX);
  used.replaceChildren(...answers.map((one) => {
    const item = element("li", `${one.definition.title} `);
    item.append(element("span", `used ${one.use_count} ×`, { class: "quiet" }), " ");
    for (const name of one.articles) item.append(element("a", name, { href: `/articles/${name}` }), " ");
    if (one.articles.length === 0) {
      const button = element("button", "Make an article", { type: "button" });
      button.addEventListener("click", async () => {
        button.disabled = true;
        try {
          const made = await call("POST", `/v1/answers/${encodeURIComponent(one.name)}/promote`, {});
          open(made.name, made.version);
        } catch (error) { tell(error); }
      });
      item.append(button);
    }
    return item;
  }));
  if (!answers.length) used.replaceChildren(element("li", "There are no prepared texts yet.", { class: "quiet" }));
}

function tell(error) {
  const place = document.getElementById("used-error");
  place.hidden = false;
  place.textContent = error.message;
}

if (used) showUsed().catch(tell);

const form = document.getElementById("article");
if (form) {
  form.elements["a-name"]?.addEventListener("input", (event) => {
    form.dataset.action = `/v1/articles/${encodeURIComponent(event.target.value)}`;
  });
  const chooser = form.elements["a-picture"];
  chooser.addEventListener("change", async () => {
    const [file] = chooser.files, error = form.querySelector(".error");
    chooser.value = "";
    error.hidden = true;
    try {
      const answer = await fetch("/v1/articles/-/pictures", { method: "POST", headers: { "Content-Type": "application/octet-stream" }, body: file, signal: AbortSignal.timeout(SEND_MS) });
      if (!answer.ok) throw new Error(await problemOf(answer));
      const body = form.elements.body, { sha256 } = await answer.json();
      const words = file.name.replace(/\.[^.]*$/, "").replace(/[\[\]\\]/g, " "); // read aloud in the picture's place
      body.setRangeText(`![${words}](picture:${sha256})`, body.selectionStart, body.selectionEnd, "end");
      body.dispatchEvent(new Event("input", { bubbles: true }));
      body.focus();
    } catch (failure) {
      error.textContent = `${file.name} was not sent: ${failure.message}`;
      error.hidden = false;
    }
  });
  form.addEventListener("done", (event) => open(event.detail.result.name, event.detail.result.version));
}
