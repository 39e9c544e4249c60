// Ask again for what is shown when something has moved, not more often than every few seconds.

export function onMoved(refresh, pauseMs) {
  let timer = 0, lastAt = 0, isRunning = false;
  const later = () => {
    if (timer || document.hidden) return;
    timer = setTimeout(run, Math.max(0, lastAt + pauseMs - Date.now()));
  };
  async function run() {
    timer = 0;
    if (isRunning) return later();
    isRunning = true;
    try {
      await refresh();
    } finally {
      isRunning = false;
      lastAt = Date.now();
    }
  }
  document.addEventListener("moved", later);
  document.addEventListener("visibilitychange", () => document.hidden || later());
  return later;
}
