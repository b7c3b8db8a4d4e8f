// textContent only: what a model wrote is text, whatever it holds
const seen = (text) => text.replaceAll("\n", "⏎").replaceAll("\t", "⇥") || "∅";
const percent = (p) => p >= .0995 ? (100 * p).toFixed(0) + "%" : p >= .00095 ? (100 * p).toFixed(1) + "%"
  : p > 0 ? "< 0.1%" : "0%";

function build(root) {
  const find = (name) => root.querySelector(name), text = find(".text");
  let data = null, send = () => {}, clock = null, chosen = -1;
  const tokens = () => [...text.querySelectorAll("span[role=option]")];

  function choose(at, wait) {
    const all = tokens();
    if (at < 0 || at >= all.length) return;
    all[chosen]?.setAttribute("aria-selected", "false");
    chosen = at;
    all[at].setAttribute("aria-selected", "true");
    text.setAttribute("aria-activedescendant", all[at].id);
    if (wait) all[at].scrollIntoView({ block: "nearest" });
    clearTimeout(clock);
    clock = setTimeout(() => send("pick", at), wait);
  }
  text.addEventListener("click", (event) => {
    const at = tokens().indexOf(event.target);
    if (at >= 0) choose(at, 0);
  });
  text.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 10, ArrowUp: -10 }[event.key];
    const last = tokens().length - 1;
    const to = event.key === "Home" ? 0 : event.key === "End" ? last : step === undefined ? null
      : Math.max(0, Math.min(last, Math.max(chosen, 0) + step));
    if (to === null) return;
    event.preventDefault();
    choose(to, 180);
  });

  function words(fresh) {
    text.replaceChildren();
    if (fresh.given) {
      const span = document.createElement("span");
      span.className = "given"; span.textContent = fresh.given;
      text.append(span);
    }
    fresh.pieces.forEach((piece, at) => {
      const span = document.createElement("span");
      span.id = "t" + at; span.setAttribute("role", "option"); span.textContent = piece;
      span.setAttribute("aria-selected", "false");
      text.append(span);
    });
    chosen = -1;
  }
  function colour(fresh) {
    tokens().forEach((span, at) => {
      const stage = fresh.stage[at];
      span.style.setProperty("--h", fresh.heat[at]);
      span.className = (stage >= 0 ? "gone" : "") + (at < fresh.forced ? " forced" : "");
      const cut = stage >= 0 ? " · removed by " + fresh.stages[stage] : "";
      span.title = seen(fresh.pieces[at]) + " · " + fresh.told[at] + cut + (at < fresh.forced ? " · given" : "");
      span.setAttribute("aria-label", span.title);
    });
  }
  function cell(p, most, name) {
    const td = document.createElement("td");
    td.className = "cell " + name;
    if (p === 0) { td.classList.add("no"); td.textContent = "✕ removed"; return td; }
    const bar = document.createElement("span");
    bar.className = "bar"; bar.style.width = Math.max(1, 55 * p / most) + "px";
    td.append(bar, percent(p));
    return td;
  }
  function odds(at, fresh) {
    const box = find(".odds");
    box.hidden = !at;
    if (!at) return;
    find(".odds h2").textContent = "Token " + (at.at + 1) + ": " + seen(fresh.pieces[at.at]);
    find(".facts").textContent = at.facts;
    find(".hint").textContent = fresh.branch ? fresh.branch : "";
    const names = ["model's probabilities", ...at.stages], head = find("thead tr"), body = find("tbody");
    const place = (index) => index > 0 && index < names.length - 1 ? "middle" : "";
    head.replaceChildren(...["token", ...names].map((name, index) => {
      const th = document.createElement("th");
      th.textContent = name; th.scope = "col"; th.className = index ? place(index - 1) : "";
      return th;
    }));
    const most = Math.max(...at.tokens.flatMap((token) => token.p));
    body.replaceChildren(...at.tokens.map((token) => {
      const row = document.createElement("tr"), name = document.createElement("td");
      const button = document.createElement("button");
      button.type = "button"; button.textContent = seen(token.text);
      const drawn = token.id === at.drawn;
      button.disabled = drawn || token.ends || !fresh.branch;
      button.title = drawn ? "This token was drawn." : token.ends ? "This token ends the text." : "Branch here with this token";
      button.onclick = () => send("branch", { at: at.at, id: token.id });
      name.append(button); row.className = drawn ? "drawn" : "";
      row.append(name, ...token.p.map((p, index) => cell(p, most, place(index))));
      return row;
    }));
  }
  return {
    update(fresh, setTriggerValue) {
      send = setTriggerValue;
      if (!data || data.run !== fresh.run || data.pieces.length !== fresh.pieces.length) words(fresh);
      colour(fresh);
      data = fresh;
      find(".cut").hidden = !fresh.stages.length;
      find(".low").textContent = fresh.ends[0]; find(".high").textContent = fresh.ends[1];
      const [at] = fresh.at;
      if (at && chosen !== at.at) {
        tokens()[chosen]?.setAttribute("aria-selected", "false");
        chosen = at.at;
        tokens()[chosen]?.setAttribute("aria-selected", "true");
      }
      odds(at, fresh);
    },
  };
}
export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".map");
  root.map ??= build(root);
  root.map.update(data, setTriggerValue);
}
