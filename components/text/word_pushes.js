/* global quoted, ink, reader */ // joined in front: token_parts.js
const DOWN = [200, 90, 20];

function build(root) {
  const box = root.querySelector(".text"), said = root.querySelector(".said");
  let data = null;
  function show(at) {
    if (!data || data.pushes[at] === undefined) return;
    const push = data.pushes[at], own = document.createElement("b"), more = document.createElement("span");
    own.textContent = quoted(data.words[at]);
    more.textContent = (Math.abs(push) < .005 ? " hardly moves " : push > 0 ? " pushes up " : " pushes down ")
      + quoted(data.label) + ": " + (push > 0 ? "+" : "−") + Math.abs(push).toFixed(2) + " logits";
    said.replaceChildren(own, more);
  }
  const text = reader(box, show);
  return {
    update(fresh) {
      data = fresh;
      const most = Math.max(...fresh.pushes.map(Math.abs), 1e-6), up = ink(root, "--st-primary-color");
      text.fill(fresh.words, 0, fresh.pushes.reduce((best, push, at, all) => push > all[best] ? at : best, 0));
      text.shade((at) => Math.abs(fresh.pushes[at]) / most, (at) => fresh.pushes[at] > 0 ? up : DOWN);
      [...box.children].forEach((one, at) => {
        one.classList.toggle("up", fresh.pushes[at] > .1 * most);
        one.classList.toggle("down", fresh.pushes[at] < -.1 * most);
      });
      show(text.at);
    },
  };
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".pushes");
  root.view = root.view || build(root);
  root.view.update(data);
}
