// Articles that may answer a ticket: beside the subject of a new one, and beside the reply, which names its sources.

import { call, whileTyped } from "./articles.js";
import { element } from "./asking.js";

const SHOWN_MAX = 5;
const composer = document.getElementById("composer"), panel = document.getElementById("suggested");
const box = composer?.querySelector("textarea");

// What went into the reply: a prepared text, or an article whose link is still in it when it is sent.
export function cite(kind, name, link = "") {
  const value = `${kind}:${name}`;
  if (composer.querySelector(`input[data-kind=source][value="${CSS.escape(value)}"]`)) return;
  const source = element("input", "", { type: "hidden", name: "sources", "data-kind": "source", "data-link": link });
  source.value = value;
  source.setAttribute("value", value);
  composer.append(source);
}

const sources = () => [...composer.querySelectorAll("input[data-kind=source]")];

function insert(article) {
  const link = `${location.origin}/help/${article.name}`;
  const before = box.value.slice(0, box.selectionStart);
  box.setRangeText(`${before && !/\s$/.test(before) ? "\n" : ""}${article.title}: ${link}\n`, box.selectionStart, box.selectionEnd, "end");
  box.dispatchEvent(new Event("input", { bubbles: true }));
  cite("article", article.name, link);
  box.focus();
}

function show(articles) {
  const list = panel.querySelector("ul");
  list.replaceChildren(...articles.map((one) => {
    const item = element("li", "");
    item.append(element("a", one.title, { href: `/articles/${one.name}`, lang: one.language, title: one.excerpt, target: "_blank" }), " ");
    if (one.audience === "public") {
      const button = element("button", "Insert link", { type: "button", "aria-label": `Insert link: ${one.title}` }); // begins with what is seen: speech input says that
      button.addEventListener("click", () => insert(one));
      item.append(button);
    } else item.append(element("span", "internal", { class: "tag", title: "For people who work here; its page is not public" }));
    return item;
  }));
  if (!articles.length) list.replaceChildren(element("li", "Nothing by these words.", { class: "quiet" }));
}

async function suggest(words) {
  if (!words) return [];
  try {
    return (await call("GET", `/v1/articles?${new URLSearchParams({ suggest: words, limit: SHOWN_MAX })}`)).articles;
  } catch {
    return []; // tickets are opened and worked on without suggestions too
  }
}

if (composer && panel) {
  const ask = (words) => suggest(words || panel.dataset.words);
  whileTyped(panel.querySelector("input"), ask, show);
  ask("").then(show);
  composer.addEventListener("submit", () => {
    const isNote = composer.classList.contains("note");
    for (const one of sources()) one.disabled = isNote || (one.dataset.link !== "" && !box.value.includes(one.dataset.link));
  }, true);
  composer.addEventListener("done", () => { for (const one of sources()) if (!one.disabled) one.remove(); });
}

// Before a ticket is opened: what may answer it already, beside the subject.
const subject = document.getElementById("n-subject"), offered = document.getElementById("n-articles");
if (subject && offered) {
  whileTyped(subject, suggest, (articles) => {
    offered.hidden = articles.length === 0;
    offered.querySelector("ul").replaceChildren(...articles.map((one) => {
      const item = element("li", "");
      item.append(element("a", one.title, { href: offered.dataset.page + one.name, lang: one.language, target: "_blank" }));
      return item;
    }));
  });
}
