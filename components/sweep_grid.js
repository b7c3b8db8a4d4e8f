// people's words go into textContent and attributes alone
const ROLES = ["rows", "columns", "tabs", "strip"], NARROW = 560, ASK_MS = 120, LATE_MS = 1500, LATE_MOST = 4, PLAY_MS = 700;
const WAITS = new Set([".", "-", "r"]), EMPTY = { ".": "Waiting …", "-": "Not made.", "x": "Stopped.", "f": "Failed.", "r": "Being made …" };
const kept = new Map(); // what the reader set, by sweep: the component may be mounted anew

const element = (tag, given = {}, ...inside) => {
  const made = Object.assign(document.createElement(tag), given);
  made.append(...inside);
  return made;
};

function build(root) {
  const part = (name) => root.querySelector("." + name);
  const bar = part("bar"), table = part("table"), one = part("one"), told = part("told");
  const sound = new Audio(), mount = Math.random().toString(36).slice(2), tiles = new Map(), seen = new Set();
  let heard = false, data = null, ui = null, say = null, drawn = "", asked = "", ask = 0, clock = 0, late = 0, lates = 0, film = 0;

  // what stands where
  const starting = (many) => ({
    roles: many === 1 ? { columns: 0 } : Object.fromEntries(ROLES.slice(0, many).map((role, at) => [role, at])),
    at: Array(many).fill(0), hidden: data.axes.map(() => []), walk: 0, pin: -1, diff: false, loud: true, focus: 0,
  });
  const places = (axis) => axis === undefined ? [0]
    : data.axes[axis].values.map((_, at) => at).filter((at) => !ui.hidden[axis].includes(at));
  const number = (place) => place.reduce((sum, at, axis) => sum * data.axes[axis].values.length + at, 0);
  const placeOf = (cell) => data.axes.map((axis, at) => {
    const after = data.axes.slice(at + 1).reduce((times, one) => times * one.values.length, 1);
    return Math.floor(cell / after) % axis.values.length;
  });
  const cellAt = (row, column) => {
    const place = [...ui.at];
    if (ui.roles.rows !== undefined) place[ui.roles.rows] = row;
    if (ui.roles.columns !== undefined) place[ui.roles.columns] = column;
    return number(place);
  };
  const words = (cell) => placeOf(cell).map((at, axis) => data.axes[axis].values[at]).join(", ");
  const state = (cell) => data.states[cell] === "." && !data.live ? "-" : data.states[cell];
  const look = () => `${ui.diff ? ui.pin : -1}`;
  const tile = (cell) => tiles.get(`${look()}/${data.same[cell]}`);

  // what is in view and not here yet is asked for, and nothing else; it is sent until it is here
  function want() {
    clearTimeout(clock);
    clock = setTimeout(() => {
      const lacking = [...new Set([...seen].map((cell) => data.same[cell]))]
        .filter((cell) => !tiles.has(`${look()}/${cell}`)).sort((a, b) => a - b);
      const now = JSON.stringify([look(), lacking]);
      if (now === asked) return;
      asked = now;
      say("want", { mount, ask: ++ask, cells: lacking, pin: ui.diff ? ui.pin : -1 });
      clearTimeout(late);
      late = setTimeout(() => { // a long answer comes in parts
        if (!lacking.some((cell) => !WAITS.has(state(cell)) && !tiles.has(`${look()}/${cell}`))) return;
        if (++lates === LATE_MOST) dispatchEvent(new Event("playground:late")); // the page may know no grid any more
        asked = "";
        want();
      }, LATE_MS);
    }, ASK_MS);
  }
  const watcher = new IntersectionObserver((found) => {
    for (const { target, isIntersecting } of found) {
      const cell = Number(target.dataset.cell);
      if (isIntersecting) seen.add(cell); else seen.delete(cell);
    }
    want();
  }, { root: table, rootMargin: "200px" });
  const watch = (made) => { watcher.observe(made); return made; };
  const alone = (cell) => { // always in view
    seen.add(cell);
    return makeCell(cell, (made) => made);
  };

  // one cell
  function fill(box, cell) {
    const found = tile(cell), at = state(cell), which = found ? `${look()}/${found.v}` : `none ${at}`;
    box.classList.toggle("chosen", cell === data.chosen);
    box.classList.toggle("pinned", cell === ui.pin);
    box.classList.toggle("same", data.same[cell] !== cell);
    box.style.setProperty("--heat", data.heat ? data.heat[cell] ?? 0 : 0);
    box.classList.toggle("heated", Boolean(data.heat) && data.heat[cell] !== null);
    if (box.dataset.which === which) return;
    box.dataset.which = which;
    const inside = [];
    if (found?.kind === "seen") inside.push(element("img", {
      src: found.url, alt: "", loading: "lazy", className: found.small ? "small" : "", draggable: false,
    }));
    else if (found?.kind === "heard") inside.push(element("span", { className: "sound", textContent: "♪" }),
      element("span", { className: "text", textContent: found.text }));
    else if (found?.parts?.length) inside.push(element("span", { className: "text" }, ...found.parts.map(([how, text]) =>
      element(how === "+" ? "ins" : how === "-" ? "del" : "span", { textContent: text }))));
    else if (found) inside.push(element("span", { className: "text", textContent: found.text }));
    else inside.push(element("span", { className: "note", textContent: EMPTY[at] ?? "…" }));
    if (found?.url && found.kind === "heard" && found.cover) inside[0] = element("img", { src: found.cover, alt: "" });
    if (found?.note) inside.push(element("span", { className: "note", textContent: found.note }));
    box.replaceChildren(...inside);
    box.setAttribute("aria-label", `${words(cell)}: ${found?.text || found?.note || EMPTY[at] || (found ? found.kind : "…")}`);
    box.title = words(cell) + (data.same[cell] !== cell ? " · the same as another cell" : "");
  }
  const pin = (cell) => { ui.pin = ui.pin === cell ? -1 : cell; if (ui.pin < 0) ui.diff = false; redraw(); };
  const open = (cell) => { ui.focus = cell; say("pick", cell); };

  // sound on hover and focus
  function play(cell) {
    const found = tile(cell);
    if (!ui.loud || found?.kind !== "heard" || !found.url) return;
    if (sound.dataset.cell === String(cell) && !sound.paused) return;
    sound.dataset.cell = cell; sound.src = found.url;
    sound.play().catch(() => { told.textContent = "Press a cell once: the browser plays no sound before."; });
  }
  const hush = () => { sound.pause(); sound.dataset.cell = ""; };

  function makeCell(cell, watched = watch) {
    const box = element("button", { type: "button", className: "cell", tabIndex: -1 });
    box.setAttribute("role", "gridcell");
    box.dataset.cell = cell;
    box.onclick = () => open(cell);
    box.onmouseenter = () => play(cell);
    box.onmouseleave = hush;
    box.onfocus = () => { ui.focus = cell; play(cell); };
    fill(box, cell);
    return watched(box);
  }
  const header = (axis, at, role) => {
    const head = element("div", { className: "head " + role }, element("span", { textContent: data.axes[axis].values[at] }));
    head.setAttribute("role", role === "column" ? "columnheader" : "rowheader");
    if (places(axis).length > 1) {
      const hide = element("button", { type: "button", textContent: "×", title: `Hide ${data.axes[axis].values[at]}` });
      hide.setAttribute("aria-label", hide.title);
      hide.onclick = () => { ui.hidden[axis].push(at); redraw(); };
      head.append(hide);
    }
    return head;
  };

  function drawTable() {
    const rows = places(ui.roles.rows), columns = places(ui.roles.columns);
    table.style.setProperty("--columns", columns.length);
    table.setAttribute("role", "grid");
    watcher.disconnect(); seen.clear();
    const lines = [];
    const top = element("div", { className: "line" }, element("div", { className: "head corner" }));
    top.setAttribute("role", "row");
    if (ui.roles.columns !== undefined) top.append(...columns.map((at) => header(ui.roles.columns, at, "column")));
    if (ui.roles.columns !== undefined) lines.push(top);
    for (const row of rows) {
      const line = element("div", { className: "line" });
      line.setAttribute("role", "row");
      line.append(ui.roles.rows === undefined ? element("div", { className: "head corner" }) : header(ui.roles.rows, row, "row"));
      line.append(...columns.map((column) => makeCell(cellAt(row, column))));
      lines.push(line);
    }
    table.replaceChildren(...lines);
    const cells = boxes(), first = cells.find((box) => Number(box.dataset.cell) === ui.focus) ?? cells[0];
    if (first) first.tabIndex = 0;
  }
  const boxes = () => [...root.querySelectorAll(".cell")];

  // on a phone: one axis at a time, by a slider that swaps the result in place
  function drawOne() {
    watcher.disconnect(); seen.clear();
    const chooser = element("select", { className: "walk" }, ...data.axes.map((axis, at) =>
      element("option", { value: at, textContent: axis.label, selected: at === ui.walk })));
    chooser.setAttribute("aria-label", "Change along");
    chooser.onchange = () => { ui.walk = Number(chooser.value); redraw(); };
    const lines = [element("label", {}, "Change along ", chooser)];
    data.axes.forEach((axis, at) => {
      if (at === ui.walk) return;
      const select = element("select", {}, ...axis.values.map((value, place) =>
        element("option", { value: place, textContent: value, selected: place === ui.at[at] })));
      select.setAttribute("aria-label", axis.label);
      select.onchange = () => { ui.at[at] = Number(select.value); redraw(); };
      lines.push(element("label", {}, `${axis.label} `, select));
    });
    const axis = data.axes[ui.walk], range = element("input", {
      type: "range", min: 0, max: axis.values.length - 1, value: ui.at[ui.walk] });
    range.setAttribute("aria-label", axis.label);
    const says = element("output", { textContent: axis.values[ui.at[ui.walk]] });
    range.setAttribute("aria-valuetext", says.textContent);
    const hold = element("div", { className: "hold" }, alone(number(ui.at)));
    hold.firstChild.tabIndex = 0;
    range.oninput = () => {
      ui.at[ui.walk] = Number(range.value);
      says.textContent = axis.values[ui.at[ui.walk]];
      range.setAttribute("aria-valuetext", says.textContent);
      seen.clear();
      hold.replaceChildren(alone(number(ui.at)));
      hold.firstChild.tabIndex = 0;
      want();
      play(number(ui.at));
    };
    one.replaceChildren(...lines, element("div", { className: "slide" }, range, says), hold);
  }

  function drawBar() {
    const found = [];
    const button = (text, pressed, act, title = "") => {
      const made = element("button", { type: "button", textContent: text, title });
      if (pressed !== null) made.setAttribute("aria-pressed", String(pressed));
      made.onclick = act;
      found.push(made);
      return made;
    };
    if (!narrow()) {
      data.axes.forEach((axis, at) => {
        const now = ROLES.find((role) => ui.roles[role] === at);
        const select = element("select", {}, ...ROLES.map((role) => element("option", { value: role, textContent: role,
          selected: role === now })));
        select.setAttribute("aria-label", `${axis.label} as`);
        select.onchange = () => {
          const taken = ui.roles[select.value];
          ui.roles[now] = taken; ui.roles[select.value] = at;
          if (taken === undefined) delete ui.roles[now];
          redraw();
        };
        found.push(element("label", {}, `${axis.label} as `, select));
      });
      if (data.axes.length > 1) button("Transpose", null, () => {
        [ui.roles.rows, ui.roles.columns] = [ui.roles.columns, ui.roles.rows];
        for (const role of ["rows", "columns"]) if (ui.roles[role] === undefined) delete ui.roles[role];
        redraw();
      }, "Rows become columns; nothing is computed");
    }
    button("Reference", ui.pin >= 0, () => pin(ui.focus),
      "Keeps the cell in focus in sight as the one that others are compared with (key: p)");
    if (ui.pin >= 0) button("Difference", ui.diff, () => { ui.diff = !ui.diff; redraw(); },
      "Shows what differs from the reference");
    if (heard) button("Play on hover", ui.loud, () => { ui.loud = !ui.loud; hush(); redraw(); },
      "Plays a cell's sound while the pointer or the focus is on it; space pauses");
    if (ui.hidden.some((one) => one.length)) button("Show all", null, () => {
      ui.hidden = ui.hidden.map(() => []); redraw(); }, "Shows the values that were hidden");
    for (const role of ["tabs", "strip"]) {
      const axis = ui.roles[role];
      if (axis === undefined || narrow()) continue;
      const line = element("div", { className: role });
      if (role === "tabs") line.append(element("span", { textContent: data.axes[axis].label }),
        ...places(axis).map((at) => {
          const tab = element("button", { type: "button", textContent: data.axes[axis].values[at] });
          tab.setAttribute("aria-pressed", String(ui.at[axis] === at));
          tab.onclick = () => { ui.at[axis] = at; redraw(); };
          return tab;
        }));
      else {
        const range = element("input", { type: "range", min: 0, max: data.axes[axis].values.length - 1, value: ui.at[axis] });
        range.setAttribute("aria-label", data.axes[axis].label);
        const says = element("output", { textContent: data.axes[axis].values[ui.at[axis]] });
        const go = (at) => {
          ui.at[axis] = at; range.value = at; says.textContent = data.axes[axis].values[at];
          range.setAttribute("aria-valuetext", says.textContent);
          drawTable(); want();
        };
        range.oninput = () => go(Number(range.value));
        const start = element("button", { type: "button", textContent: film ? "Pause" : "Play" });
        start.onclick = () => {
          if (film) { clearInterval(film); film = 0; }
          else film = setInterval(() => root.isConnected ? go((ui.at[axis] + 1) % data.axes[axis].values.length)
            : clearInterval(film), PLAY_MS);
          start.textContent = film ? "Pause" : "Play";
        };
        line.append(element("span", { textContent: data.axes[axis].label }), start, range, says);
      }
      found.push(line);
    }
    const reference = part("reference");
    reference.hidden = ui.pin < 0 || narrow();
    if (ui.pin >= 0 && !reference.hidden) {
      const box = alone(ui.pin);
      box.setAttribute("role", "button");
      reference.replaceChildren(element("span", { textContent: `Reference: ${words(ui.pin)}` }), box);
    }
    bar.replaceChildren(...found);
  }
  const narrow = () => root.clientWidth > 0 && root.clientWidth < NARROW;
  function redraw() {
    const small = narrow(), had = root.contains(root.getRootNode().activeElement);
    table.hidden = small; one.hidden = !small;
    if (small) drawOne(); else drawTable();
    drawBar();
    if (!ui.begun && data.live && !small) // the middle is made first
      table.scrollTo((table.scrollWidth - table.clientWidth) / 2, (table.scrollHeight - table.clientHeight) / 2);
    ui.begun = true;
    if (had) root.querySelector(".cell[tabindex='0']")?.focus({ preventScroll: true });
    drawn = JSON.stringify([data.id, small]);
    want();
  }

  table.addEventListener("keydown", (event) => {
    const all = boxes().filter((box) => table.contains(box)), at = all.indexOf(event.target), wide = places(ui.roles.columns).length;
    if (at < 0) return;
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: wide, ArrowUp: -wide }[event.key];
    const to = step !== undefined ? at + step : event.key === "Home" ? 0 : event.key === "End" ? all.length - 1 : null;
    if (event.key === " ") { event.preventDefault(); if (sound.paused) play(ui.focus); else sound.pause(); return; }
    if (event.key === "p") { pin(Number(event.target.dataset.cell)); return; }
    if (to === null || to < 0 || to >= all.length) return;
    if (Math.abs(step) === 1 && Math.floor(to / wide) !== Math.floor(at / wide)) return; // a row ends
    event.preventDefault();
    all[at].tabIndex = -1; all[to].tabIndex = 0;
    all[to].focus();
    all[to].scrollIntoView({ block: "nearest", inline: "nearest" });
  });
  new ResizeObserver(() => { if (data && drawn !== JSON.stringify([data.id, narrow()])) redraw(); }).observe(root);

  return (fresh, tell, trigger) => {
    say = (name, value) => name === "pick" ? trigger(name, value) : tell(name, value);
    data = fresh;
    if (!ui || ui.id !== data.id) {
      ui = kept.get(data.id) ?? { id: data.id, ...starting(data.axes.length) };
      kept.set(data.id, ui);
      tiles.clear(); asked = "";
    }
    let more = false;
    for (const found of data.tiles) if (found.mount === mount) {
      tiles.set(`${found.look}/${found.cell}`, found);
      lates = 0;
      more ||= !heard && found.kind === "heard";
    }
    heard ||= more;
    if (more) drawBar();
    if (drawn !== JSON.stringify([data.id, narrow()])) redraw();
    else { for (const box of boxes()) fill(box, Number(box.dataset.cell)); want(); }
  };
}

export default function ({ data, parentElement, setStateValue, setTriggerValue }) {
  const root = parentElement?.querySelector(".sweep");
  if (!root) return; // it is just being taken away
  root.take ??= build(root);
  root.take(data, setStateValue, setTriggerValue);
}
