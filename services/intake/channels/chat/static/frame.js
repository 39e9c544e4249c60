// The visitor's side. A message stays in `waiting` until the server says that it is stored; after a broken line
// everything in it is sent again under the same id, and what was missed follows from the last sequence seen.
const $ = (id) => document.getElementById(id);
const memory = (() => { try { localStorage.setItem("ticketing", "1"); return localStorage; } catch { return { getItem: () => null, setItem() {}, removeItem() {} }; } })();
let socket, identity = null, page = document.referrer, last = 0, chat = null, pause = 500, typedAt = 0, typingTimer;
const waiting = new Map();

function uuid() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const b = crypto.getRandomValues(new Uint8Array(16));
  b[6] = (b[6] & 15) | 64; b[8] = (b[8] & 63) | 128;
  const h = [...b].map((one) => one.toString(16).padStart(2, "0")).join("");
  return `${h.slice(0, 8)}-${h.slice(8, 12)}-${h.slice(12, 16)}-${h.slice(16, 20)}-${h.slice(20)}`;
}

// Words with their links to be pressed; everything else stays text.
function linked(text) {
  return text.split(/(https?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]])/).map((piece, place) => {
    if (place % 2 === 0) return piece;
    const link = document.createElement("a");
    link.href = link.textContent = piece;
    link.target = "_blank";
    link.rel = "noopener noreferrer";
    return link;
  });
}

function show(id, side, text, author, at) {
  let item = document.querySelector(`[data-id="${id}"]`);
  if (!item) { item = document.createElement("li"); item.dataset.id = id; }
  item.className = side;
  if (side === "visitor") item.textContent = text;
  else item.replaceChildren(...linked(text));
  if (side !== "system" && at) {
    const small = document.createElement("small");
    small.textContent = `${side === "visitor" ? "" : `${author || "Agent"} · `}${new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}`;
    item.append(small);
  }
  $("messages").append(item);
  $("messages").scrollTop = $("messages").scrollHeight;
  return item;
}

// Who an anonymous visitor says it is, as far as it is well-formed.
function about() {
  const found = {};
  if ($("name").value.trim()) found.name = $("name").value.trim();
  if (/^[^@\s]+@[^@\s]+$/.test($("email").value.trim())) found.email = $("email").value.trim();
  return found;
}
for (const id of ["name", "email"]) $(id).value = memory.getItem(`ticketing-${id}`) || "";
$("about").addEventListener("submit", (event) => event.preventDefault());
$("about").addEventListener("change", () => {
  for (const id of ["name", "email"]) memory.setItem(`ticketing-${id}`, $(id).value);
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ type: "about", ...about() }));
});

function said(state, agent) {
  $("state").textContent = { waiting: "Waiting for somebody …", open: agent ? `With ${agent}` : "", ended: "Ended" }[state] || "";
  $("end").hidden = !state || state === "ended";
}

function connect() {
  socket = new WebSocket(`${location.protocol.replace("http", "ws")}//${location.host}/chat/socket`);
  socket.onopen = () => {
    const hello = { type: "hello", after: last, page: (page || "").slice(0, 2000) };
    if (identity) hello.identity = identity;
    else if (memory.getItem("ticketing-chat")) hello.session = memory.getItem("ticketing-chat");
    if (!identity) Object.assign(hello, about());
    $("about").hidden = Boolean(identity);
    socket.send(JSON.stringify(hello));
  };
  socket.onmessage = (event) => take(JSON.parse(event.data));
  socket.onclose = (event) => {
    if (event.code === 4401 && !identity) memory.removeItem("ticketing-chat");
    if (event.code >= 4400 && (identity || event.code !== 4401)) { $("state").textContent = "The chat is not available."; return; }
    $("state").textContent = "Connecting …";
    setTimeout(connect, pause * (0.75 + Math.random() / 2));
    pause = Math.min(pause * 2, 15000);
  };
}

function take(frame) {
  switch (frame.type) {
    case "welcome":
      pause = 500;
      if (frame.session) memory.setItem("ticketing-chat", frame.session);
      if (chat && frame.chat !== chat) last = 0;
      chat = frame.chat;
      said(frame.state);
      for (const [id, text] of waiting) socket.send(JSON.stringify({ type: "message", id, text }));
      break;
    case "stored":
      if (chat !== frame.chat) { chat = frame.chat; last = 0; }
      waiting.delete(frame.id);
      document.querySelector(`[data-id="${frame.id}"]`)?.classList.remove("sending");
      break;
    case "message":
      last = frame.sequence;
      waiting.delete(frame.id);
      $("typing").textContent = "";
      show(frame.id, frame.side, frame.text, frame.author, frame.at);
      break;
    case "state": said(frame.state, frame.agent); break;
    case "typing":
      $("typing").textContent = `${frame.name || "Somebody"} is writing …`;
      clearTimeout(typingTimer);
      typingTimer = setTimeout(() => { $("typing").textContent = ""; }, 4000);
      break;
    case "error":
      if (frame.code === "too_fast" && waiting.has(frame.id)) {
        setTimeout(() => waiting.has(frame.id) && socket.readyState === 1 && socket.send(JSON.stringify({ type: "message", id: frame.id, text: waiting.get(frame.id) })), 3000);
      } else { $("typing").textContent = frame.detail; waiting.delete(frame.id); }
  }
}

function send() {
  const text = $("text").value.trim();
  if (!text) return;
  const id = uuid();
  waiting.set(id, text);
  show(id, "visitor", text).classList.add("sending");
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ type: "message", id, text }));
  $("text").value = "";
}

$("form").addEventListener("submit", (event) => { event.preventDefault(); send(); });
$("text").addEventListener("keydown", (event) => { if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); send(); } });
$("text").addEventListener("input", () => {
  if (Date.now() - typedAt > 2500 && socket?.readyState === WebSocket.OPEN) { typedAt = Date.now(); socket.send('{"type":"typing"}'); }
});
$("end").addEventListener("click", () => socket.send('{"type":"end"}'));

if (window.parent === window) connect();
else {
  let started = false;
  const begin = () => { if (!started) { started = true; connect(); } };
  window.addEventListener("message", (event) => {
    if (event.source !== window.parent || typeof event.data !== "object" || !("ticketingIdentity" in event.data)) return;
    identity = event.data.ticketingIdentity;
    page = event.data.page;
    begin();
  });
  window.parent.postMessage("ticketing-who", "*");
  setTimeout(begin, 1500);
}
