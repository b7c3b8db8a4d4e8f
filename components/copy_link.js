const SAID_MS = 4000;

export default function ({ data, parentElement }) {
  const button = parentElement.querySelector("button"), told = parentElement.querySelector("p");
  const box = parentElement.querySelector("input");
  if (button.link !== data.link) { told.textContent = ""; box.hidden = true; }
  button.link = data.link;
  button.title = data.hint;
  const name = (text) => {
    const icon = document.createElement("span");
    icon.className = "icon"; icon.textContent = text === data.label ? "link" : "check"; icon.ariaHidden = "true";
    button.replaceChildren(icon, text);
  };
  name(data.label);
  const say = (text, done) => {
    told.textContent = text;
    if (!done) return;
    name("Copied");
    clearTimeout(button.timer);
    button.timer = setTimeout(() => { name(data.label); told.textContent = ""; }, SAID_MS);
  };
  const byHand = () => {
    box.hidden = false; box.value = data.link; box.focus(); box.select();
    let copied = false;
    try { copied = document.execCommand("copy"); } catch { /* told below */ }
    if (copied) { box.hidden = true; button.focus(); say(data.said, true); }
    else say("The browser does not let this page copy. Press Ctrl+C, or ⌘C: the link is selected.", false);
  };
  button.onclick = () => {
    if (!data.link) { say(data.too_long, false); return; }
    if (!navigator.clipboard) { byHand(); return; }
    navigator.clipboard.writeText(data.link).then(() => say(data.said, true), byHand);
  };
}
