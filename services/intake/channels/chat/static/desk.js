// The agents' side: the queue, one chat at a time, and tickets of stretches.
const $ = (id) => document.getElementById(id);
let socket, chat = null, last = 0, pause = 500, typedAt = 0, typingTimer, line = 0;
const waiting = new Map();

async function call(method, path, body) {
  const answer = await fetch(`/v1/channels/chat${path}`, { method, headers: body ? { "content-type": "application/json" } : {}, body: body && JSON.stringify(body) });
  const found = await answer.json();
  if (answer.status === 401) { location.href = "/login"; }
  if (!answer.ok) throw new Error(found.detail);
  return found;
}

function name(one) { return one.name || one.email || (one.is_identified ? one.visitor_id : "Visitor"); }

function list(id, chats) {
  $(id).replaceChildren(...chats.map((one) => {
    const item = document.createElement("li"), button = document.createElement("button");
    button.textContent = `${name(one)} · ${one.last_sequence} · ${Math.max(0, Math.round((Date.now() - new Date(one.opened_at)) / 60000))} min${one.agent_name ? ` · ${one.agent_name}` : ""}`;
    button.setAttribute("aria-current", String(one.id === chat));
    button.addEventListener("click", () => open(one.id));
    item.append(button);
    return item;
  }));
  if (!chats.length) { const item = document.createElement("li"); item.className = "hint"; item.textContent = "nobody"; $(id).append(item); }
}

async function look() {
  try {
    const { chats } = await call("GET", "");
    list("waiting", chats.filter((one) => one.state === "waiting"));
    list("open", chats.filter((one) => one.state === "open"));
    $("problem").textContent = "";
  } catch (error) { $("problem").textContent = error.message; }
}

async function open(id) {
  chat = id; last = 0; waiting.clear();
  $("messages").replaceChildren();
  $("none").hidden = true; $("chat").hidden = false;
  const found = await call("GET", `/${id}`);
  $("who").textContent = `${name(found.chat)}${found.chat.page ? ` · ${found.chat.page}` : ""}`;
  connect(++line);
  look();
  $("text").focus();
}

function connect(mine) {
  socket?.close();
  const here = socket = new WebSocket(`${location.protocol.replace("http", "ws")}//${location.host}/v1/channels/chat/${chat}/socket?after=${last}`);
  here.onopen = () => { pause = 500; for (const [id, text] of waiting) here.send(JSON.stringify({ type: "message", id, text })); };
  here.onmessage = (event) => mine === line && take(JSON.parse(event.data));
  here.onclose = (event) => {
    if (mine !== line || event.code >= 4000) return;
    setTimeout(() => mine === line && connect(mine), pause);
    pause = Math.min(pause * 2, 15000);
  };
}

function show(frame) {
  let item = document.querySelector(`[data-id="${frame.id}"]`);
  if (!item) { item = document.createElement("li"); item.dataset.id = frame.id; }
  item.className = frame.side;
  item.textContent = frame.text;
  if (frame.sequence) {
    const small = document.createElement("small"), box = document.createElement("input");
    box.type = "checkbox"; box.value = frame.sequence; box.setAttribute("aria-label", `Message ${frame.sequence} is an end of a ticket`);
    small.append(box, ` ${frame.side === "system" ? "" : `${frame.author || (frame.side === "agent" ? "Agent" : "Visitor")} · `}${new Date(frame.at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}`);
    item.append(small);
  }
  $("messages").append(item);
  $("messages").scrollTop = $("messages").scrollHeight;
  return item;
}

function take(frame) {
  switch (frame.type) {
    case "stored": waiting.delete(frame.id); break;
    case "message": last = frame.sequence; waiting.delete(frame.id); $("typing").textContent = ""; show(frame); break;
    case "state":
      $("state").textContent = { waiting: "waits", open: frame.agent ? `with ${frame.agent}` : "", ended: "ended" }[frame.state];
      $("end").hidden = $("join").hidden = $("form").hidden = frame.state === "ended";
      look();
      break;
    case "typing":
      $("typing").textContent = `${frame.name || "The visitor"} is writing …`;
      clearTimeout(typingTimer);
      typingTimer = setTimeout(() => { $("typing").textContent = ""; }, 4000);
      break;
    case "error": $("typing").textContent = frame.detail; waiting.delete(frame.id);
  }
}

function send() {
  const text = $("text").value.trim();
  if (!text || !chat) return;
  const id = crypto.randomUUID ? crypto.randomUUID() : "10000000-1000-4000-8000-100000000000".replace(/[018]/g, (c) => (c ^ (crypto.getRandomValues(new Uint8Array(1))[0] & (15 >> (c / 4)))).toString(16));
  waiting.set(id, text);
  show({ id, side: "agent", text }).classList.add("sending");
  if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ type: "message", id, text }));
  $("text").value = "";
}

$("form").addEventListener("submit", (event) => { event.preventDefault(); send(); });
$("text").addEventListener("keydown", (event) => { if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); send(); } });
$("text").addEventListener("input", () => { if (Date.now() - typedAt > 2500 && socket?.readyState === 1) { typedAt = Date.now(); socket.send('{"type":"typing"}'); } });
$("join").addEventListener("click", () => call("POST", `/${chat}/join`).then(look));
$("end").addEventListener("click", () => call("POST", `/${chat}/end`).then(look));
$("ticket").addEventListener("click", () => { $("subject").value = ""; $("making").showModal(); });
$("making").addEventListener("close", async () => {
  if ($("making").returnValue !== "make") return;
  const ticked = [...document.querySelectorAll("#messages input:checked")].map((one) => Number(one.value));
  const body = { first: ticked.length ? Math.min(...ticked) : 1, last: ticked.length ? Math.max(...ticked) : last };
  if ($("subject").value.trim()) body.subject = $("subject").value.trim();
  try {
    const made = await call("POST", `/${chat}/tickets`, body);
    for (const box of document.querySelectorAll("#messages input:checked")) box.checked = false;
    const link = document.createElement("a");
    link.href = `/tickets/${made.ticket_id}`; link.textContent = `Ticket #${made.number}`;
    $("chosen").replaceChildren("Made: ", link);
  } catch (error) { $("chosen").textContent = error.message; }
});

look();
setInterval(look, 3000);
