"""A text as tokens, each coloured by one number; the odds at the chosen one, before and after each setting."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

_HTML = """
<div class="map">
  <p class="text" role="listbox" tabindex="0" aria-label="Tokens of the text"></p>
  <div class="legend" aria-hidden="true"><span class="low"></span><i></i><span class="high"></span>
    <span class="cut"><b>word</b> forbidden by these settings</span></div>
  <section class="odds" hidden aria-live="polite">
    <h4></h4><p class="facts"></p>
    <div class="scroll"><table><thead><tr></tr></thead><tbody></tbody></table></div>
    <p class="hint"></p>
  </section>
</div>
"""

_CSS = """
.map { font: 400 .95rem var(--st-font); color: var(--st-text-color); }
.text {
  margin: 0; padding: 1rem 1.2rem; border: 1px solid var(--st-border-color); border-radius: .75rem;
  white-space: pre-wrap; overflow-wrap: anywhere; max-height: 26rem; overflow-y: auto; scrollbar-width: thin;
  font: 400 1.08rem/1.95 Charter, "Bitstream Charter", "Iowan Old Style", Georgia, "DejaVu Serif", serif;
}
.text:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 2px; }
.text span {
  --c: color-mix(in srgb, var(--st-primary-color) calc(var(--h) * 62%), transparent);
  background: var(--c); border-radius: .2rem; padding: .18em 0; cursor: pointer; box-decoration-break: clone;
}
.text span:hover { outline: 1px solid var(--st-text-color); }
.text span.forced { border-bottom: 2px dotted var(--st-text-color); }
.text span.gone { text-decoration: line-through 2px; text-decoration-color: var(--st-text-color); }
.text span[aria-selected="true"] { outline: 2px solid var(--st-text-color); outline-offset: 1px; }
.text span.given { background: none; cursor: default; opacity: .75; outline: none; }
.legend { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; margin: .5rem 0 0; font-size: .8rem; }
.legend i { width: 7rem; height: .7rem; border-radius: .2rem; border: 1px solid var(--st-border-color);
  background: linear-gradient(90deg, transparent,
    color-mix(in srgb, var(--st-primary-color) 62%, transparent)); }
.legend .cut:not([hidden]) { margin-left: .8rem; }
[hidden] { display: none; } .legend b { text-decoration: line-through 2px; font-weight: 400; }
.odds { margin-top: .9rem; }
.odds h4 { margin: 0; font: 600 1rem var(--st-font); }
.facts { margin: .15rem 0 .5rem; font-size: .85rem; opacity: .85; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { text-align: left; font: 600 .78rem var(--st-font); padding: .2rem .5rem; white-space: nowrap; }
td { padding: .12rem .5rem; border-top: 1px solid var(--st-border-color); white-space: nowrap; font-size: .85rem; }
td.cell { min-width: 6.5rem; }
td .bar { display: inline-block; height: .75rem; min-width: 1px; border-radius: .15rem; vertical-align: middle;
  background: var(--st-primary-color); margin-right: .35rem; }
td.no { opacity: .8; } tr.drawn td { background: var(--st-secondary-background-color); font-weight: 600; }
button {
  font: 500 .9rem var(--st-code-font); color: var(--st-text-color); background: transparent; cursor: pointer;
  border: 1px solid var(--st-border-color); border-radius: .4rem; padding: .1rem .5rem; white-space: pre;
  max-width: 12rem; overflow: hidden; text-overflow: ellipsis;
}
button:hover:not(:disabled), button:focus-visible { border-color: var(--st-primary-color); outline: none;
  box-shadow: 0 0 0 1px var(--st-primary-color); }
button:disabled { cursor: default; opacity: .8; border-style: dashed; }
.hint { margin: .4rem 0 0; font-size: .8rem; opacity: .85; }
@media (max-width: 640px) { .middle { display: none; } td.cell { min-width: 4.5rem; } .text { padding: .8rem; } }
"""

# textContent only: what a model wrote is text, whatever it holds
_JS = """
const seen = (text) => text.replaceAll("\\n", "⏎").replaceAll("\\t", "⇥") || "∅";
const percent = (p) => p >= .0995 ? (100 * p).toFixed(0) + " %" : p >= .00095 ? (100 * p).toFixed(1) + " %"
  : p > 0 ? "< 0.1 %" : "0 %";

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
      const cut = stage >= 0 ? " · forbidden by " + fresh.stages[stage] : "";
      span.title = seen(fresh.pieces[at]) + " · " + fresh.told[at] + cut + (at < fresh.forced ? " · given" : "");
      span.setAttribute("aria-label", span.title);
    });
  }
  function cell(p, most, name) {
    const td = document.createElement("td");
    td.className = "cell " + name;
    if (p === 0) { td.classList.add("no"); td.textContent = "✕ forbidden"; return td; }
    const bar = document.createElement("span");
    bar.className = "bar"; bar.style.width = Math.max(1, 55 * p / most) + "px";
    td.append(bar, percent(p));
    return td;
  }
  function odds(at, fresh) {
    const box = find(".odds");
    box.hidden = !at;
    if (!at) return;
    find(".odds h4").textContent = "Token " + (at.at + 1) + ": " + seen(fresh.pieces[at.at]);
    find(".facts").textContent = at.facts;
    find(".hint").textContent = fresh.branch ? fresh.branch : "";
    const names = ["the model's odds", ...at.stages], head = find("thead tr"), body = find("tbody");
    const place = (index) => index > 0 && index < names.length - 1 ? "middle" : "";
    head.replaceChildren(...["", ...names].map((name, index) => {
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
      button.title = drawn ? "This one came." : token.ends ? "This one ends the text." : "Branch from here with it";
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
      if (fresh.at && chosen !== fresh.at.at) {
        tokens()[chosen]?.setAttribute("aria-selected", "false");
        chosen = fresh.at.at;
        tokens()[chosen]?.setAttribute("aria-selected", "true");
      }
      odds(fresh.at, fresh);
    },
  };
}
export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".map");
  root.map ??= build(root);
  root.map.update(data, setTriggerValue);
}
"""

_component = st.components.v2.component("playground_token_map", html=_HTML, css=_CSS, js=_JS)
# what lies at the pale and at the strong end of the colours, by measure
ENDS = {"probability": ("expected", "surprising"), "entropy": ("sure", "unsure"), "rank": ("first choice", "far down"),
        "kl": ("alike", "far apart")}  # fmt: skip


def draw(
    pieces: Sequence[str], heat: Sequence[float], told: Sequence[str], key: str, *, run: str, measure: str,
    given: str = "", stage: Sequence[int] = (), stages: Sequence[str] = (), forced: int = 0,
    at: Mapping[str, Any] | None = None, branch: str = "",
    on_pick: Callable[[], None] = lambda: None, on_branch: Callable[[], None] = lambda: None,
) -> None:  # fmt: skip
    """Draw a text's tokens coloured by `heat` (0 pale … 1 strong), with `told` as each one's words.

    `stage` is −1 or which of `stages` forbids the token; `forced` counts the first tokens that were given. `at` is the
    chosen position's odds: `at`, `facts`, `drawn`, `stages`, `tokens` (`id`, `text`, `p` before and after each stage,
    `ends`). `branch` explains branching, "" for a text that has none. The callbacks find what was chosen with `chosen`.
    """
    data = {
        "run": run, "pieces": list(pieces), "heat": list(heat), "told": list(told), "given": given,
        "stage": list(stage) or [-1] * len(pieces), "stages": list(stages), "forced": forced,
        "at": dict(at) if at else None, "ends": ENDS[measure], "branch": branch,
    }  # fmt: skip
    _component(key=key, data=data, on_pick_change=on_pick, on_branch_change=on_branch)


def chosen(key: str, what: str) -> Any:
    """Return what was just chosen in the map under `key`, in a callback: `what` is "pick" or "branch"."""
    return getattr(st.session_state.get(key), what, None)
