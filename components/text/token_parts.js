// a token's text is what a model wrote: textContent alone
export const bytes = (text) => Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
export const quoted = (text) => "“" + text.replaceAll("\n", "↵") + "”";
export function ink(root, name, place) {
  const said = getComputedStyle(root).getPropertyValue(name).split(",")[place || 0].trim();
  const pen = document.createElement("canvas").getContext("2d");
  pen.fillStyle = said || "#888888";
  return [1, 3, 5].map((at) => parseInt(pen.fillStyle.slice(at, at + 2), 16));
}
// a text as a list of tokens: one is chosen by press or arrow keys; hovering shows one until the pointer leaves
export function reader(box, pick) {
  let at = 0, count = 0, drawn = "";
  const name = (one) => one ? Number(one.dataset.at) : null;
  function choose(place, focus) {
    const old = box.children[at], now = box.children[place];
    if (!now) return;
    if (old) { old.tabIndex = -1; old.classList.remove("chosen"); old.setAttribute("aria-selected", "false"); }
    at = place;
    now.tabIndex = 0; now.classList.add("chosen"); now.setAttribute("aria-selected", "true");
    if (focus) now.focus();
    pick(at);
  }
  box.addEventListener("click", (event) => {
    const place = name(event.target.closest(".token"));
    if (place !== null) choose(place, true);
  });
  box.addEventListener("pointerover", (event) => {
    const place = event.pointerType === "touch" ? null : name(event.target.closest(".token"));
    if (place !== null) pick(place);
  });
  box.addEventListener("pointerleave", () => pick(at));
  box.addEventListener("keydown", (event) => {
    const ways = { ArrowLeft: at - 1, ArrowRight: at + 1, ArrowUp: at - 10, ArrowDown: at + 10, Home: 0, End: count };
    if (!(event.key in ways) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    choose(Math.max(0, Math.min(count - 1, ways[event.key])), true);
  });
  return {
    get at() { return at; },
    choose,
    fill(pieces, given, start) {
      const now = JSON.stringify([pieces, given]);
      if (now === drawn) return false;
      drawn = now; count = pieces.length; at = 0;
      box.replaceChildren(...pieces.map((piece, place) => {
        const one = document.createElement("span");
        one.className = "token" + (place < given ? " given" : "");
        one.dataset.at = place;
        one.tabIndex = -1;
        one.setAttribute("role", "option");
        one.setAttribute("aria-selected", "false");
        one.textContent = piece.replaceAll("\n", "↵\n") || "∅";
        return one;
      }));
      choose(Math.max(0, Math.min(count - 1, start)), false);
      return true;
    },
    shade(strength, colour) {
      [...box.children].forEach((one, place) => {
        const part = Math.max(0, Math.min(1, strength(place)));
        one.style.background = part < .01 ? "transparent"
          : `rgba(${colour(place).join(",")}, ${(.55 * part).toFixed(3)})`;
      });
    },
  };
}
