// textContent only: what a model or a person wrote is text, whatever it holds
export default function ({ data, parentElement }) {
  const box = parentElement.querySelector(".said");
  box.className = "said " + data.looks;
  if (box.textContent !== data.text) box.textContent = data.text;
  if (!data.run) return;
  if (!data.live && window.__playgroundRun === data.run && document.hidden) {
    const before = document.title;
    document.title = "Done · " + before;
    document.addEventListener("visibilitychange", () => { document.title = before; }, { once: true });
  }
  window.__playgroundRun = data.live ? data.run : "";
}
