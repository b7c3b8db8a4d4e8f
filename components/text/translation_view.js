/* global quoted, ink */ // joined in front: token_parts.js
// textContent only: texts of people and of models are text, whatever they hold
function build(root) {
  const find = (name) => root.querySelector(name);
  const source = find(".source"), target = find(".target"), said = find(".said"), others = find(".others");
  let data = null, drawn = "", chosen = 0;

  const percent = (p) => (100 * p).toFixed(p < .1 ? 1 : 0) + "%";
  const sentences = (box) => [...box.querySelectorAll(".sentence")];
  function mark(at, pointed) {
    for (const box of [source, target]) sentences(box).forEach((one, place) => {
      one.classList.toggle("chosen", place === chosen);
      one.classList.toggle("partner", place === at && at !== chosen);
      one.tabIndex = place === chosen ? 0 : -1;
      one.setAttribute("aria-current", String(place === chosen));
    });
    const pair = data.pairs[at];
    if (pointed && pointed.dataset.p !== undefined) {
      said.textContent = quoted(pointed.textContent.trim()) + (pointed.dataset.p === ""
        ? " was put in from the glossary" : ": confidence " + percent(Number(pointed.dataset.p)));
      return;
    }
    const sure = pair.words.map((word) => word[1]).filter((p) => p !== null);
    const mean = sure.length ? Math.exp(sure.reduce((sum, p) => sum + Math.log(Math.max(p, 1e-9)), 0) / sure.length) : 0;
    said.textContent = "Sentence " + (at + 1) + " of " + data.pairs.length
      + (sure.length ? ": confidence " + percent(mean) + " per word (geometric mean)" : "");
  }
  function list() {
    const found = data.pairs[chosen].alternatives;
    others.hidden = !found.length;
    others.replaceChildren(...found.map(([text, score]) => {
      const one = document.createElement("li"), more = document.createElement("small");
      one.textContent = text + "  ";
      more.textContent = "score " + score.toFixed(2);
      one.append(more);
      return one;
    }));
  }
  function choose(at, box, focus) {
    chosen = Math.max(0, Math.min(data.pairs.length - 1, at));
    mark(chosen); list();
    for (const side of [source, target]) {
      const one = sentences(side)[chosen];
      if (side === box) { if (focus) one.focus(); continue; }
      side.scrollTop = Math.max(0, one.offsetTop - side.offsetTop - side.clientHeight / 3);
    }
  }
  const place = (event) => event.target.closest(".sentence");
  for (const box of [source, target]) {
    box.addEventListener("pointerover", (event) => {
      const one = place(event);
      if (one && event.pointerType !== "touch") mark(Number(one.dataset.at), event.target.closest(".word"));
    });
    box.addEventListener("pointerleave", () => mark(chosen));
    box.addEventListener("click", (event) => {
      const one = place(event), word = event.target.closest(".word");
      if (!one) return;
      choose(Number(one.dataset.at), box, true);
      if (word) mark(chosen, word);
    });
    box.addEventListener("keydown", (event) => {
      const ways = { ArrowLeft: chosen - 1, ArrowUp: chosen - 1, ArrowRight: chosen + 1, ArrowDown: chosen + 1, Home: 0,
        End: data.pairs.length };
      if (!(event.key in ways) || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      choose(ways[event.key], box, true);
    });
  }
  function sentence(at, fill) {
    const one = document.createElement("span");
    one.className = "sentence"; one.dataset.at = at; one.tabIndex = -1;
    fill(one);
    return one;
  }
  function word([text, p], colour) {
    const one = document.createElement("span");
    one.className = "word" + (p === null ? " put" : "");
    one.dataset.p = p === null ? "" : p;
    one.textContent = text;
    if (p !== null && p < .995) one.style.background = `rgba(${colour.join(",")}, ${(.5 * (1 - p)).toFixed(3)})`;
    return one;
  }
  return {
    update(fresh) {
      const now = JSON.stringify(fresh);
      if (now === drawn) return;
      drawn = now; data = fresh; chosen = 0;
      root.querySelectorAll("h2").forEach((one, at) => { one.textContent = fresh.titles[at]; });
      const colour = ink(root, "--st-primary-color");
      const fill = (box, put) => box.replaceChildren(
        ...data.pairs.flatMap((pair, at) => [pair.before, sentence(at, (one) => put(one, pair))]), data.after);
      fill(source, (one, pair) => { one.textContent = pair.source; });
      fill(target, (one, pair) => one.append(...pair.words.map((part) => word(part, colour))));
      mark(0); list();
    },
  };
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".translation");
  root.view = root.view || build(root);
  root.view.update(data);
}
