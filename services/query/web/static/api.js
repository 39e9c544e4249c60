// The OpenAPI documents of the services as text: nothing is loaded from another host, nothing is written as markup.

const DEPTH_MAX = 3; // deeper objects are named, not unfolded: the document itself has them
const METHODS = ["get", "post", "put", "patch", "delete"];

function make(tag, { text, ...attributes } = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  element.append(...children);
  return element;
}

function resolved(schema, whole) {
  const name = schema?.$ref?.split("/").pop();
  return name ? { name, ...whole.components?.schemas?.[name] } : schema ?? {};
}

function typeOf(raw, whole) {
  const schema = resolved(raw, whole);
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return choices.map((each) => typeOf(each, whole)).join(" or ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map(String).join(" | ");
  if (schema.type === "array") return `list of ${typeOf(schema.items ?? {}, whole)}`;
  if (schema.properties) return schema.title ?? schema.name ?? "object";
  const limits = [
    schema.format,
    schema.minLength !== undefined && `at least ${schema.minLength} characters`,
    schema.maxLength !== undefined && `at most ${schema.maxLength} characters`,
    schema.minimum !== undefined && `from ${schema.minimum}`,
    schema.maximum !== undefined && `to ${schema.maximum}`,
  ].filter(Boolean);
  return [schema.type ?? "anything", ...limits].join(", ");
}

function rowsOf(raw, whole, prefix = "", depth = 0) {
  const schema = resolved(raw, whole);
  return Object.entries(schema.properties ?? {}).flatMap(([name, each]) => {
    const inner = resolved(each.anyOf?.find((choice) => choice.type !== "null") ?? each, whole);
    const own = { name: prefix + name, type: typeOf(each, whole), isNeeded: (schema.required ?? []).includes(name), says: each.description ?? inner.description ?? "" };
    if (inner.properties && depth < DEPTH_MAX) return [own, ...rowsOf(inner, whole, `${prefix}${name}.`, depth + 1)];
    if (inner.type === "array" && depth < DEPTH_MAX) return [own, ...rowsOf(inner.items ?? {}, whole, `${prefix}${name}[].`, depth + 1)];
    return [own];
  });
}

function table(caption, rows) {
  if (!rows.length) return "";
  const lines = rows.map((row) => make("tr", {}, make("td", {}, make("code", { text: row.name }), row.isNeeded ? make("small", { text: " needed" }) : ""), make("td", { text: row.type }), make("td", { text: row.says })));
  return make("div", { class: "api-table", tabindex: "0" }, make("table", { class: "dense" }, make("caption", { text: caption }), make("tbody", {}, ...lines)));
}

function contentOf(part) {
  return Object.entries(part?.content ?? {}).map(([kind, { schema }]) => ({ kind, schema }));
}

function inside(operation, whole) {
  const parts = [];
  if (operation.description) parts.push(make("p", { class: "body", text: operation.description }));
  const asked = (operation.parameters ?? []).map((each) => ({ name: each.name, type: `${each.in}: ${typeOf(each.schema, whole)}`, isNeeded: each.required, says: each.description ?? "" }));
  parts.push(table("Parameters", asked));
  for (const { kind, schema } of contentOf(operation.requestBody)) parts.push(table(`Body, ${kind}`, rowsOf(schema, whole)));
  for (const [status, answer] of Object.entries(operation.responses ?? {})) {
    if (!status.startsWith("2")) continue;
    for (const { kind, schema } of contentOf(answer)) parts.push(table(`Answer ${status}, ${kind}`, rowsOf(schema, whole)));
  }
  const refusals = Object.entries(operation.responses ?? {}).filter(([status]) => Number(status) >= 400);
  parts.push(table("Refusals", refusals.map(([status, answer]) => ({ name: status, type: answer.description ?? "", says: "" }))));
  return parts.filter(Boolean);
}

function entry(method, path, operation, whole) {
  const summary = make("summary", {}, make("code", { class: `verb ${method}`, text: method.toUpperCase() }), make("code", { text: path }), make("span", { class: "quiet", text: operation.summary ?? "" }));
  const details = make("details", { class: "api-entry", "data-words": `${method} ${path} ${operation.summary ?? ""} ${operation.description ?? ""}`.toLowerCase() }, summary);
  // Laid out when it is opened: the four documents together have some hundred and fifty operations.
  details.addEventListener("toggle", () => details.open && details.children.length === 1 && details.append(...inside(operation, whole)));
  return details;
}

async function read(section) {
  const place = section.querySelector("[data-operations]");
  try {
    const answer = await fetch(`/services/${section.dataset.service}/openapi.json`);
    if (!answer.ok) throw new Error(`it answered ${answer.status}`);
    const whole = await answer.json();
    const entries = Object.entries(whole.paths).flatMap(([path, ways]) => METHODS.filter((method) => ways[method]).map((method) => entry(method, path, ways[method], whole)));
    place.replaceChildren(...entries);
  } catch (error) {
    place.replaceChildren(make("p", { class: "error", role: "alert", text: `The document could not be read: ${error.message}. The link above leads to it.` }));
  }
}

function find() {
  const words = document.getElementById("api-q").value.trim().toLowerCase().split(/\s+/);
  let count = 0;
  for (const each of document.querySelectorAll(".api-entry")) {
    each.hidden = !words.every((word) => each.dataset.words.includes(word));
    if (!each.hidden) count += 1;
  }
  document.getElementById("api-count").textContent = `${count} operations`;
}

document.getElementById("api-q").addEventListener("input", find);
document.getElementById("api-find").addEventListener("submit", (event) => event.preventDefault());
await Promise.all([...document.querySelectorAll("[data-service]")].map(read));
find();
