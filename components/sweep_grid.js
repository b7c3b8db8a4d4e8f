/* global WAITS, MADE, UNOPENED, element, value, isolated, dress, player */ // joined in front: sweep_cell.js
// how cells are laid out, walked and asked for; what one shows is its own affair
const ROLES = ["rows", "columns", "tabs", "strip"], NARROW = 560, ASK_MS = 120, LATE_MS = 1500, LATE_MOST = 4, PLAY_MS = 700, ANEW_MS = 5000;
const kept = new Map(); // what the reader set, by sweep: the component may be mounted anew
const grids = new Map(); // how the grid of a sweep is gone back to, and where it stands noted
addEventListener("playground:back", ({ detail }) => grids.get(detail)?.back());
addEventListener("scroll", () => grids.forEach((one) => one.noteScroll()), { capture: true, passive: true });

const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

function build(root) {
  const part = (name) => root.querySelector("." + name);
  const bar = part("bar"), table = part("table"), one = part("one"), told = part("told");
  const mount = Math.random().toString(36).slice(2), tiles = new Map(), seen = new Set();
  const inform = (words) => { told.textContent = words; }, sound = player(inform);
  let heard = false, data = null, ui = null, say = null, drawn = "", asked = "", ask = 0, placed = false, placing = false, refused = null, clock = 0, late = 0, lates = 0, film = 0;

  // what stands where
  const starting = (many) => ({
    roles: many === 1 ? { columns: 0 } : Object.fromEntries(ROLES.slice(0, many).map((role, at) => [role, at])),
    at: Array(many).fill(0), hidden: data.axes.map(() => []), walk: 0, pin: -1, diff: false, loud: false, focus: 0, begun: false, scroll: [0, 0],
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
  const parts = (cell) => placeOf(cell).map((at, axis) => data.axes[axis].values[at]);
  const words = (cell) => parts(cell).join(", ");
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
    const mark = data.marks?.[cell] ?? "";
    dress(box, {
      found: tile(cell), at: state(cell), look: look(), parts: parts(cell), mark, named: mark && `${data.measure}: ${mark}`,
      chosen: cell === data.chosen, pinned: cell === ui.pin, same: data.same[cell] !== cell, heat: data.heat?.[cell] ?? null,
    });
  }
  const pin = (cell) => { ui.pin = ui.pin === cell ? -1 : cell; if (ui.pin < 0) ui.diff = false; redraw(); };
  const open = (cell) => {
    const why = UNOPENED[state(cell)] ?? "";
    ui.focus = cell;
    refused = why ? cell : null;
    inform(why);
    if (!why) say("pick", cell);
  };

  const play = (cell) => sound.play(cell, tile(cell)); // by focus and space, and on hover where that is switched on
  const hush = sound.hush;

  function makeCell(cell, watched = watch) {
    const box = element("button", { type: "button", className: "cell", tabIndex: -1 });
    box.setAttribute("role", "gridcell");
    box.dataset.cell = cell;
    box.onclick = () => open(cell);
    box.onmouseenter = () => { if (ui.loud) play(cell); };
    box.onmouseleave = () => { if (ui.loud) hush(); };
    box.onfocus = () => { ui.focus = cell; if (box.matches(":focus-visible") && !placing) play(cell); };
    box.onblur = hush;
    fill(box, cell);
    return watched(box);
  }
  const header = (axis, at, role) => {
    const text = data.axes[axis].values[at], several = places(axis).length > 1;
    const head = element("div", { className: "head " + role, tabIndex: -1 }, value(text));
    head.setAttribute("role", role === "column" ? "columnheader" : "rowheader");
    head.setAttribute("aria-label", text);
    head.title = isolated([text]) + (several ? " · Delete hides it" : "");
    if (!several) return head;
    head.hide = () => { ui.hidden[axis].push(at); redraw(); };
    head.setAttribute("aria-keyshortcuts", "Delete");
    const hide = element("button", { type: "button", textContent: "×", title: "Hide", tabIndex: -1, onclick: head.hide });
    hide.setAttribute("aria-label", `Hide ${text}`);
    head.append(hide);
    return head;
  };

  function drawTable() {
    const rows = places(ui.roles.rows), columns = places(ui.roles.columns), named = ui.roles.rows !== undefined;
    table.style.setProperty("--columns", columns.length);
    table.classList.toggle("bare", !named); // no headings of rows: no column for them
    table.classList.toggle("single", rows.length === 1 && columns.length === 1);
    table.setAttribute("role", "grid");
    watcher.disconnect(); seen.clear();
    const line = (name, ...inside) => {
      const made = element("div", { className: name }, ...inside);
      made.setAttribute("role", "row");
      return made;
    };
    const lines = rows.map((row) => line("line", ...(named ? [header(ui.roles.rows, row, "row")] : []),
      ...columns.map((column) => makeCell(cellAt(row, column)))));
    if (ui.roles.columns !== undefined) lines.unshift(line("line top", ...(named ? [element("div", { className: "head corner" })] : []),
      ...columns.map((at) => header(ui.roles.columns, at, "column"))));
    table.replaceChildren(...lines);
    const cells = boxes(), first = cells.find((box) => Number(box.dataset.cell) === ui.focus) ?? cells[0];
    if (first) first.tabIndex = 0;
  }
  const boxes = () => [...root.querySelectorAll(".cell")];

  // where a wide grid stands: where the reader left it, else at the first cell that is made, once there is one
  function place() {
    if (!table.clientHeight) return;
    table.style.scrollPadding = `${covered().join("px 0 0 ")}px`;
    if (!placed) table.scrollTo(...ui.scroll);
    placed = true;
    const cells = ui.begun ? [] : boxes().filter((box) => table.contains(box)), at = (box) => state(Number(box.dataset.cell));
    const found = cells.find((box) => at(box) === "r") ?? cells.find((box) => MADE.has(at(box)));
    if (!found) return;
    ui.begun = true;
    bring(found);
  }
  const covered = () => [table.querySelector(".line.top")?.offsetHeight ?? 0, table.querySelector(".head.row")?.offsetWidth ?? 0];
  function bring(cell) { // within the table, the page stays
    if (!table.contains(cell)) return;
    const box = cell.getBoundingClientRect(), room = table.getBoundingClientRect(), [top, left] = covered();
    if (box.left < room.left + left || box.right > room.right) table.scrollLeft += (box.left + box.right - room.left - left - room.right) / 2;
    if (box.top < room.top + top || box.bottom > room.bottom) table.scrollTop += (box.top + box.bottom - room.top - top - room.bottom) / 2;
  }
  table.onscroll = () => { if (placed && table.clientHeight) ui.scroll = [table.scrollLeft, table.scrollTop]; };
  for (const moved of ["wheel", "touchmove", "pointerdown", "keydown"]) {
    table.addEventListener(moved, () => { ui.begun = true; }, { passive: true });
  }

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
    const says = element("output", { textContent: axis.values[ui.at[ui.walk]], dir: "auto", className: "value" });
    range.setAttribute("aria-valuetext", says.textContent);
    const hold = element("div", { className: "hold" }, alone(number(ui.at)));
    hold.firstChild.tabIndex = 0;
    range.oninput = () => {
      ui.at[ui.walk] = Number(range.value);
      says.textContent = axis.values[ui.at[ui.walk]];
      range.setAttribute("aria-valuetext", says.textContent); seen.clear();
      hold.replaceChildren(alone(number(ui.at)));
      hold.firstChild.tabIndex = 0;
      want();
      if (ui.loud) play(number(ui.at));
    };
    one.replaceChildren(...lines, element("div", { className: "slide" }, range, says), hold);
  }

  function drawBar() {
    const found = [], axes = element("div", { className: "axes" }), lines = [];
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
        axes.append(element("label", {}, `${axis.label} as `, select));
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
    if (heard) button(narrow() ? "Play on change" : "Play on hover", ui.loud, () => { ui.loud = !ui.loud; hush(); redraw(); },
      narrow() ? "Plays each sound that comes into view" : "Plays a cell's sound while the pointer is on it. Space plays the cell in focus, and pauses");
    if (ui.hidden.some((one) => one.length)) button("Show all", null, () => {
      ui.hidden = ui.hidden.map(() => []); redraw(); }, "Shows the values that were hidden");
    for (const role of ["tabs", "strip"]) {
      const axis = ui.roles[role];
      if (axis === undefined || narrow()) continue;
      const line = element("div", { className: role });
      if (role === "tabs") line.append(element("span", { textContent: data.axes[axis].label }),
        ...places(axis).map((at) => {
          const tab = element("button", { type: "button", title: data.axes[axis].values[at] }, value(data.axes[axis].values[at]));
          tab.setAttribute("aria-pressed", String(ui.at[axis] === at));
          tab.onclick = () => { ui.at[axis] = at; redraw(); };
          return tab;
        }));
      else {
        const range = element("input", { type: "range", min: 0, max: data.axes[axis].values.length - 1, value: ui.at[axis] });
        range.setAttribute("aria-label", data.axes[axis].label);
        const says = element("output", { textContent: data.axes[axis].values[ui.at[axis]], dir: "auto", className: "value" });
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
      lines.push(line);
    }
    const reference = part("reference");
    reference.hidden = ui.pin < 0 || narrow();
    if (ui.pin >= 0 && !reference.hidden) {
      const box = alone(ui.pin);
      box.setAttribute("role", "button");
      reference.replaceChildren(value(`Reference: ${words(ui.pin)}`, { title: isolated(parts(ui.pin)) }), box);
    }
    bar.replaceChildren(axes, element("div", { className: "acts" }, ...found), ...lines);
  }
  const narrow = () => root.clientWidth > 0 && root.clientWidth < NARROW;
  function redraw() {
    const small = narrow(), had = root.getRootNode().activeElement, within = root.contains(had);
    const inBar = within && bar.contains(had), head = within && had.closest(".head"), at = (one) => [...one.parentNode.children].indexOf(one);
    const spot = head && [at(head.parentNode), at(head)];
    table.hidden = small; one.hidden = !small;
    if (small) drawOne(); else drawTable();
    drawBar();
    const name = (one) => one.getAttribute("aria-label") ?? one.textContent;
    const again = () => inBar ? [...bar.querySelectorAll("button, select, input")].find((one) => name(one) === name(had))
      : spot && spot.reduce((inside, nth) => inside?.children[Math.min(nth, inside.children.length - 1)], table);
    placed = false;
    placing = true; // what only goes back to its place plays nothing
    place();
    if (within) (again() ?? root.querySelector(".cell[tabindex='0']"))?.focus({ preventScroll: true });
    placing = false;
    drawn = JSON.stringify([data.id, small]);
    want();
  }

  table.addEventListener("keydown", (event) => {
    const lines = [...table.children].map((line) => [...line.children]), y = lines.findIndex((line) => line.includes(event.target));
    if (y < 0) return;
    const here = event.target, x = lines[y].indexOf(here), cell = here.dataset.cell;
    if (event.key === " " && cell) { event.preventDefault(); sound.toggle(ui.focus, tile(ui.focus)); return; }
    if (event.key === "p" && cell) { pin(Number(cell)); return; }
    if (event.key === "Delete" && here.hide) { here.hide(); return; }
    const cells = lines.flat().filter((one) => one.dataset.cell);
    const step = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key];
    const to = step ? lines[y + step[0]]?.[x + step[1]] : { Home: cells[0], End: cells.at(-1) }[event.key];
    if (!to || to.matches(".corner")) return;
    event.preventDefault();
    for (const one of table.querySelectorAll("[tabindex='0']")) one.tabIndex = -1;
    to.tabIndex = 0;
    to.focus();
    to.scrollIntoView({ block: "nearest", inline: "nearest" });
  });
  const height = () => document.querySelector('[data-testid="stMain"]')?.scrollHeight;
  const note = () => {
    if (root.isConnected) Object.assign(ui, { top: root.getBoundingClientRect().top, of: height(), seenAt: performance.now() });
  };
  const noteScroll = () => { if (ui.of === height()) note(); }; // a page that just became shorter was moved by nobody
  new ResizeObserver(() => {
    if (data && drawn !== JSON.stringify([data.id, narrow()])) redraw();
    else if (data && !placed) place(); // it had no room yet
  }).observe(root);
  function back() { // to the cell that was opened
    if (!root.isConnected) return;
    const box = boxes().find((one) => Number(one.dataset.cell) === data.chosen) ?? boxes()[0];
    if (box) bring(box);
    root.scrollIntoView({ block: "start", behavior: still() ? "auto" : "smooth" });
    placing = true;
    box?.focus({ preventScroll: true });
    placing = false;
  }

  return (fresh, tell, trigger) => {
    say = (name, value) => name === "pick" ? trigger(name, value) : tell(name, value);
    data = fresh;
    const other = !ui || ui.id !== data.id, again = other && kept.has(data.id);
    if (other) {
      ui = kept.get(data.id) ?? { id: data.id, ...starting(data.axes.length) };
      kept.set(data.id, ui);
      tiles.clear(); asked = ""; placed = false;
      grids.set(data.id, { back, noteScroll });
    }
    if (refused !== null && !UNOPENED[state(refused)]) { refused = null; inform(""); }
    let more = false;
    for (const found of data.tiles) if (found.mount === mount) {
      tiles.set(`${found.look}/${found.cell}`, found);
      lates = 0;
      more ||= !heard && found.kind === "heard";
    }
    heard ||= more;
    if (more) drawBar();
    if (drawn !== JSON.stringify([data.id, narrow()])) redraw();
    else { for (const box of boxes()) fill(box, Number(box.dataset.cell)); place(); want(); }
    if (again && performance.now() - ui.seenAt < ANEW_MS) // its page became shorter meanwhile
      dispatchEvent(new CustomEvent("playground:hold", { detail: { part: root, top: ui.top } }));
    note();
  };
}

export default function ({ data, parentElement, setStateValue, setTriggerValue }) {
  const root = parentElement?.querySelector(".sweep");
  if (!root) return; // it is just being taken away
  root.take ??= build(root);
  root.take(data, setStateValue, setTriggerValue);
}
