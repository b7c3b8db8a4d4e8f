// people's words go into textContent alone; nothing here knows a cell's values but what is told
const make = (tag, given = {}, ...inside) => {
  const made = Object.assign(document.createElement(tag), given);
  made.append(...inside);
  return made;
};

// a text that is cut after its last whole line has a button for the rest
const watcher = new ResizeObserver((seen) => {
  for (const { target } of seen) {
    if (!target.classList.contains("whole")) target.nextSibling.hidden = target.scrollHeight <= target.clientHeight + 1;
  }
});

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".cells"), now = JSON.stringify(data.cells);
  if (root.drawn === now) return; // a sound that plays goes on
  root.drawn = now;
  root.replaceChildren(...data.cells.map((cell) => {
    const inside = [];
    if (cell.kind === "seen" && cell.url) inside.push(make("img", { src: cell.url, alt: cell.letter, className: cell.small ? "small" : "",
      draggable: false }));
    else if (cell.kind === "heard" && cell.url) {
      if (cell.cover) inside.push(make("img", { src: cell.cover, alt: "", className: "cover" }));
      const player = make("audio", { src: cell.url, controls: true, preload: "metadata" });
      player.setAttribute("controlslist", "nodownload");
      player.setAttribute("aria-label", cell.letter);
      player.onplay = () => root.querySelectorAll("audio").forEach((one) => one !== player && one.pause());
      inside.push(player);
    } else if (cell.text) {
      const text = make("p", { className: "text", textContent: cell.text, dir: "auto" });
      const more = make("button", { type: "button", hidden: true });
      const name = (whole) => {
        more.textContent = whole ? "Less" : "Whole text";
        more.setAttribute("aria-label", `${more.textContent} (${cell.letter})`);
        more.setAttribute("aria-expanded", String(whole));
      };
      name(false);
      more.onclick = () => name(text.classList.toggle("whole"));
      watcher.observe(text);
      inside.push(text, more);
    }
    if (cell.note) inside.push(make("p", { className: "note", textContent: cell.note }));
    const caption = make("figcaption", {}, make("b", { textContent: cell.letter }));
    if (cell.told) caption.append(make("span", { textContent: cell.told }));
    return make("figure", {}, caption, ...inside);
  }));
}
