/* global quoted, ink, reader */ // joined in front: token_parts.js
const COLOURS = 4;

function build(root) {
  const box = root.querySelector(".text"), said = root.querySelector(".said");
  let data = null, drawn = "";
  const visible = (one) => one.text === null ? one.bytes.toUpperCase() : one.text;
  function show(at) {
    const one = data.pieces[at];
    if (!one) return;
    const own = document.createElement("b"), more = document.createElement("span");
    own.textContent = one.text === null ? "part of a character" : quoted(one.text);
    const size = one.bytes ? one.bytes.split(" ").length : 0;
    more.textContent = "  ·  token " + (at + 1) + " of " + data.tokens + "  ·  id " + one.id + "  ·  " + (one.special
      ? "special: it stands for no text" : size + (size === 1 ? " byte: " : " bytes: ") + one.bytes.toUpperCase());
    said.replaceChildren(own, more);
  }
  const text = reader(box, (at) => { if (data) show(at); });
  return (fresh) => {
    const now = JSON.stringify(fresh) + ink(root, "--st-primary-color");
    if (now === drawn) return;
    drawn = now; data = fresh;
    const kept = text.fill(fresh.pieces.map(visible), fresh.prompt, 0) ? 0 : text.at;
    const inks = [...Array(COLOURS).keys()].map((place) => ink(root, "--st-chart-categorical-colors", place));
    box.classList.toggle("ids", fresh.ids);
    [...box.children].forEach((node, place) => {
      const one = fresh.pieces[place];
      node.classList.toggle("part", one.text === null);
      node.classList.toggle("special", one.special);
      node.textContent = visible(one).replaceAll("\n", fresh.ids ? "↵" : "↵\n") || "∅";
      if (fresh.ids) {
        const id = document.createElement("small");
        id.textContent = one.id;
        node.append(id);
      }
    });
    text.shade((place) => fresh.pieces[place].special ? 0 : .5, (place) => inks[place % COLOURS]);
    text.choose(kept, false);
  };
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".tokens");
  root.view = root.view || build(root);
  root.view(data);
}
