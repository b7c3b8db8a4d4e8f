/* global quoted, ink, reader */ // joined in front: token_parts.js
const NAMED = 4;

function build(root) {
  const find = (name) => root.querySelector(name), said = find(".said");
  let data = null;
  function show(side, at) {
    if (!data) return;
    const written = side === "target", mine = written ? data.target : data.source;
    const other = written ? data.source : data.target, colour = ink(root, "--st-primary-color");
    const of = (place) => (written ? data.weights[at][place] : data.weights[place][at]) / 100;
    (written ? source : target).shade((place) => Math.sqrt(of(place)), () => colour);
    (written ? target : source).shade((place) => place === at ? .35 : 0, () => colour);
    const found = other.map((word, place) => [of(place), word]).filter(([value]) => value >= .01)
      .sort((a, b) => b[0] - a[0]).slice(0, NAMED);
    const own = document.createElement("b"), more = document.createElement("span");
    own.textContent = quoted(mine[at]);
    more.textContent = (written ? " attends to " : " is attended to by ")
      + (found.map(([value, word]) => quoted(word) + " " + Math.round(100 * value) + "%").join("  ·  ") || "no word");
    said.replaceChildren(own, more);
  }
  const source = reader(find(".source"), (at) => show("source", at));
  const target = reader(find(".target"), (at) => show("target", at));
  return {
    update(fresh) {
      data = null;
      source.fill(fresh.source, 0, 0);
      target.fill(fresh.target, 0, 0);
      data = fresh;
      show("target", Math.min(target.at, fresh.target.length - 1));
    },
  };
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".links");
  root.view = root.view || build(root);
  root.view.update(data);
}
