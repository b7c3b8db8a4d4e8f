function build(root) {
  const box = root.querySelector(".text");
  let words = [], own = [], now = -1, alive = true;

  // the player that belongs to these words is the nearest one before them on the page
  function player() {
    const host = root.getRootNode().host || root;
    const before = [...document.querySelectorAll("audio")].filter(
      (one) => host.compareDocumentPosition(one) & Node.DOCUMENT_POSITION_PRECEDING);
    return before[before.length - 1] || null;
  }
  function play(at) {
    const found = player();
    if (!found) return;
    found.currentTime = words[at][1];
    found.play();
  }
  function reach(at) {
    own.forEach((one, place) => { one.tabIndex = place === at ? 0 : -1; });
    own[at].focus();
  }
  function follow() {
    if (!alive) return;
    const found = player(), heard = found && (!found.paused || found.currentTime) ? found.currentTime : -1;
    const at = heard < 0 ? -1 : words.findIndex(([, start, end]) => start <= heard && heard < Math.max(end, start + .05));
    if (at !== now) {
      if (own[now]) own[now].classList.remove("now");
      if (own[at]) own[at].classList.add("now");
      now = at;
    }
    requestAnimationFrame(follow);
  }
  box.addEventListener("click", (event) => {
    const at = own.indexOf(event.target);
    if (at >= 0) play(at);
  });
  box.addEventListener("keydown", (event) => {
    const at = own.indexOf(event.target);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: own.length - 1 }[event.key];
    if (at < 0 || to === undefined || !own[to] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    reach(to);
  });
  requestAnimationFrame(follow);

  return {
    close() { alive = false; },
    update(fresh) {
      if (JSON.stringify(fresh.words) === JSON.stringify(words)) return;
      words = fresh.words;
      now = -1;
      own = words.map(([label, start], at) => {
        const one = document.createElement("button");
        one.type = "button";
        one.textContent = label;
        one.title = start.toFixed(2) + " s";
        one.tabIndex = at ? -1 : 0;
        return one;
      });
      box.replaceChildren(...own.flatMap((one) => [one, " "]));
    },
  };
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".words");
  if (!root.look) root.look = build(root);
  root.look.update(data);
  return () => { root.look.close(); root.look = null; };
}
