/* global bytes, quoted, ink, reader */ // joined in front: token_parts.js
const NAMED = 5;

function build(root) {
  const find = (name) => root.querySelector(name), canvas = find("canvas"), sink = find(".sink input");
  let data = null, rows = null, before = null, shown = 0;
  const share = (value) => (value / 255) ** 2;
  const inward = () => find("input[value=in]").checked;
  const drop = () => sink.checked && data.first === 0;

  // how much of its attention token `from` gives to token `to`, 0 … 1
  function weight(from, to) {
    if (to > from) return 0;
    const start = from * (from + 1) / 2, whole = share(rows[start + to]);
    if (!drop() || from === 0) return whole;
    return to === 0 ? 0 : Math.min(1, whole / Math.max(1e-6, 1 - share(rows[start])));
  }
  function show(at) {
    shown = at;
    const count = data.pieces.length, colour = ink(root, "--st-primary-color");
    const of = (place) => inward() ? weight(place, at) : weight(at, place);
    text.shade((place) => Math.sqrt(of(place)), () => colour);
    const found = data.pieces.map((piece, place) => [of(place), place]).filter(([value]) => value >= .005)
      .sort((a, b) => b[0] - a[0]).slice(0, NAMED);
    const said = find(".said"), own = document.createElement("b"), more = document.createElement("span");
    own.textContent = quoted(data.pieces[at]);
    const list = found.map(([value, place]) => quoted(data.pieces[place]) + " " + Math.round(100 * value) + "%"
      + (place === at ? " (itself)" : "")).join("  ·  ");
    const early = !inward() && data.first ? share(before[at]) : 0;
    more.textContent = (inward() ? " is attended to by " : " attends to ") + (list || "nothing much")
      + (early >= .005 ? "  ·  what came before the tokens shown " + Math.round(100 * early) + "%" : "");
    said.replaceChildren(own, more);
    const mark = find(".mark"), part = 100 / count;
    Object.assign(mark.style, inward()
      ? { left: at * part + "%", top: 0, width: part + "%", height: "100%" }
      : { left: 0, top: at * part + "%", width: "100%", height: part + "%" });
  }
  function draw() {
    const count = data.pieces.length, pen = canvas.getContext("2d"), colour = ink(root, "--st-primary-color");
    canvas.width = canvas.height = count;
    const picture = pen.createImageData(count, count);
    for (let from = 0; from < count; from++) for (let to = 0; to <= from; to++)
      picture.data.set([...colour, Math.round(255 * Math.sqrt(weight(from, to)))], 4 * (from * count + to));
    pen.putImageData(picture, 0, 0);
    canvas.setAttribute("aria-label", "Attention of " + data.title + ": " + count + " tokens by " + count);
  }
  const text = reader(find(".text"), (at) => { if (rows) show(at); });
  const place = (event) => {
    const box = canvas.getBoundingClientRect(), count = data.pieces.length;
    const along = inward() ? (event.clientX - box.left) / box.width : (event.clientY - box.top) / box.height;
    return Math.max(0, Math.min(count - 1, Math.floor(along * count)));
  };
  canvas.addEventListener("click", (event) => text.choose(place(event), false));
  canvas.addEventListener("pointermove", (event) => { if (event.pointerType !== "touch") show(place(event)); });
  canvas.addEventListener("pointerleave", () => show(text.at));
  root.addEventListener("change", () => { draw(); show(text.at); });

  return {
    update(fresh) {
      data = fresh; rows = bytes(fresh.rows); before = bytes(fresh.before);
      find(".sink").hidden = fresh.first !== 0;
      const kept = text.at;
      const anew = text.fill(fresh.pieces, fresh.prompt, fresh.pieces.length - 1);
      draw();
      show(anew ? text.at : kept);
    },
  };
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".attention");
  root.view = root.view || build(root);
  root.view.update(data);
}
