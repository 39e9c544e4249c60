// <script src="https://desk.example/chat/static/widget.js" async></script>: a button for the chat in the corner.
// data-identity: a token that says who the visitor is (docs/channels.md). data-title: of the button.
(() => {
  const script = document.currentScript;
  const origin = new URL(script.src).origin;
  const frame = document.createElement("iframe");
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = script.dataset.title || "Chat";
  button.setAttribute("aria-expanded", "false");
  button.style.cssText = "position:fixed;right:1rem;bottom:1rem;z-index:2147483646;padding:.7rem 1.2rem;border:0;border-radius:2rem;background:#0b57d0;color:#fff;font:600 1rem system-ui,sans-serif;cursor:pointer";
  frame.title = button.textContent;
  frame.style.cssText = "position:fixed;right:1rem;bottom:4.5rem;z-index:2147483646;width:min(24rem,calc(100vw - 2rem));height:min(34rem,calc(100vh - 6rem));border:1px solid #999;border-radius:.75rem;background:#fff;display:none";
  // Asked for by the frame, so that it is never told too early, and told to our own frame only.
  window.addEventListener("message", (event) => {
    if (event.source === frame.contentWindow && event.origin === origin && event.data === "ticketing-who") {
      frame.contentWindow.postMessage({ ticketingIdentity: script.dataset.identity || null, page: location.href }, origin);
    }
  });
  button.addEventListener("click", () => {
    if (!frame.src) frame.src = `${origin}/chat/frame`;
    const open = frame.style.display === "none";
    frame.style.display = open ? "block" : "none";
    button.setAttribute("aria-expanded", String(open));
  });
  document.body.append(frame, button);
})();
