// <script src="https://desk.example/forms/static/embed.js" data-form="contact" async></script>
// puts the form where the script stands. data-identity: a token that says who the visitor is (docs/channels.md).
(() => {
  const script = document.currentScript;
  const origin = new URL(script.src).origin;
  const frame = document.createElement("iframe");
  frame.src = `${origin}/forms/${encodeURIComponent(script.dataset.form)}`;
  frame.title = script.dataset.title || "Contact";
  frame.style.cssText = "width:100%;border:0;min-height:30rem";
  window.addEventListener("message", (event) => {
    if (event.source !== frame.contentWindow || event.origin !== origin) return;
    const height = Number(event.data?.ticketingFormHeight);
    if (height > 0) frame.style.height = `${height}px`;
  });
  frame.addEventListener("load", () => {
    if (script.dataset.identity) frame.contentWindow.postMessage({ ticketingIdentity: script.dataset.identity }, origin);
  });
  script.after(frame);
})();
