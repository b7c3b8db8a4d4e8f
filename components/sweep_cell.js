// a cell of a sweep: what it shows, says and plays; people's words go into textContent and attributes alone
export const EMPTY = { ".": "Waiting …", "-": "Not made.", "x": "Stopped.", "f": "Failed.", "r": "Being made …" };
export const UNOPENED = {
  ".": "This cell waits to be made. Press it again once it is there.",
  "r": "This cell is being made. Press it again once it is there.",
  "-": "This cell was not made. “Go on” makes what is left.",
};
export const WAITS = new Set(Object.keys(UNOPENED));
export const MADE = new Set(["c", "k", "s"]);

export const element = (tag, given = {}, ...inside) => {
  const made = Object.assign(document.createElement(tag), given);
  made.append(...inside);
  return made;
};
export const value = (text, given = {}) => element("span", { textContent: text, dir: "auto", className: "value", ...given });
// a word from right to left turns none of its neighbours round
export const isolated = (texts) => texts.map((text) => `\u2068${text}\u2069`).join(", ");

function shownOf(found, at) {
  const text = (...inside) => element("span", { className: "text" }, ...inside);
  if (!found) return [element("span", { className: "note", textContent: EMPTY[at] ?? "…" })];
  if (found.kind === "seen") return [element("img", {
    src: found.url, alt: "", loading: "lazy", className: found.small ? "small" : "", draggable: false,
  })];
  if (found.kind === "heard") return [
    found.url && found.cover ? element("img", { src: found.cover, alt: "" }) : element("span", { className: "sound", textContent: "♪" }),
    ...(found.text ? [text(found.text)] : []),
  ];
  if (found.parts?.length) return [text(...found.parts.map(([how, part]) =>
    element(how === "+" ? "ins" : how === "-" ? "del" : "span", { textContent: part })))];
  return found.text || !found.note ? [text(found.text)] : [];
}

// "found" is what came of it (none: "at" says why), "parts" are its values in words, "named" the measure with its "mark"
export function dress(box, { found, at, look, parts, mark, named, chosen, pinned, same, heat }) {
  box.classList.toggle("chosen", chosen);
  box.classList.toggle("pinned", pinned);
  box.classList.toggle("same", same);
  box.classList.toggle("heated", heat !== null);
  box.style.setProperty("--heat", heat ?? 0);
  const which = `${found ? `${look}/${found.v}` : `none ${at}`} ${named}`;
  if (box.dataset.which === which) return;
  box.dataset.which = which;
  const inside = shownOf(found, at);
  if (found?.note) inside.push(element("span", { className: "note", textContent: found.note }));
  if (mark) inside.push(element("span", { className: "mark", textContent: mark }));
  for (const one of inside) one.dir = "auto";
  box.replaceChildren(...inside);
  box.style.setProperty("--less", (inside.length - 1) + Boolean(found?.note && found?.text)); // lines of a text that these take
  const told = found?.text || found?.note || EMPTY[at] || (found ? found.kind : "…");
  box.setAttribute("aria-label", `${parts.join(", ")}: ${told}${named && ` · ${named}`}`);
  box.title = isolated(parts) + (same ? " · the same as another cell" : "") + (named && ` · ${named}`);
}

// one sound at a time; "say" tells why there is none
export function player(say) {
  const sound = new Audio();
  const play = (cell, found) => {
    if (found?.kind !== "heard" || !found.url) return;
    if (sound.dataset.cell === String(cell) && !sound.paused) return;
    sound.dataset.cell = cell;
    sound.src = found.url;
    sound.play().catch((error) => { // another one may have come in between
      if (error.name === "NotAllowedError") say("Press a cell once: the browser plays no sound before.");
    });
  };
  return {
    play,
    hush: () => { sound.pause(); sound.dataset.cell = ""; },
    toggle: (cell, found) => { if (sound.paused) play(cell, found); else sound.pause(); },
  };
}
