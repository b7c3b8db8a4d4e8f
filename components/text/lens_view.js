/* global quoted, ink */ // joined in front: token_parts.js
const word = (text) => text.replaceAll("\n", "↵") || "∅";
const percent = (p) => p >= .995 ? "100%" : p >= .01 ? Math.round(100 * p) + "%" : p >= .001
  ? (100 * p).toFixed(1) + "%" : "under 0.1%";

function build(root) {
  const table = root.querySelector("table"), said = root.querySelector(".said");
  let data = null, at = [0, 0], drawn = "";
  const cell = (row, column) => table.tBodies[0].rows[row].cells[column + 1];
  function choose(row, column, focus) {
    const old = table.querySelector("td[aria-selected=true]"), now = cell(row, column);
    if (old) { old.setAttribute("aria-selected", "false"); old.tabIndex = -1; }
    at = [row, column];
    now.setAttribute("aria-selected", "true"); now.tabIndex = 0;
    if (focus) now.focus();
    const one = data.rows[row][column], lead = document.createElement("b"), more = document.createElement("span");
    lead.textContent = data.names[row];
    more.textContent = " at the position of " + quoted(data.pieces[column]) + ":  "
      + one.top.map(([text, p]) => quoted(text) + " " + percent(p)).join("  ·  ")
      + "  —  actual token: " + percent(one.came) + ", rank " + one.rank.toLocaleString();
    said.replaceChildren(lead, more);
  }
  table.addEventListener("click", (event) => {
    const one = event.target.closest("td");
    if (one) choose(Number(one.dataset.row), Number(one.dataset.column), true);
  });
  table.addEventListener("keydown", (event) => {
    const [row, column] = at, last = [data.rows.length - 1, data.pieces.length - 1];
    const ways = { ArrowLeft: [row, column - 1], ArrowRight: [row, column + 1], ArrowUp: [row - 1, column],
      ArrowDown: [row + 1, column], Home: [row, 0], End: [row, last[1]] };
    const way = ways[event.key];
    if (!way || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    choose(...way.map((value, axis) => Math.max(0, Math.min(last[axis], value))), true);
  });
  return (fresh) => {
    const colour = ink(root, "--st-primary-color"), now = JSON.stringify([fresh, colour]);
    if (now === drawn) return;
    const moved = !data || JSON.stringify(data.pieces) !== JSON.stringify(fresh.pieces);
    drawn = now; data = fresh;
    const make = (name, text, role) => {
      const one = document.createElement(name);
      one.textContent = text; one.setAttribute("role", role);
      return one;
    };
    const head = document.createElement("thead"), body = document.createElement("tbody");
    const titles = document.createElement("tr");
    titles.setAttribute("role", "row");
    titles.append(make("th", "Actual token", "columnheader"), ...data.pieces.map((piece, place) => {
      const one = make("th", word(piece), "columnheader");
      if (place < data.prompt) one.className = "given";
      return one;
    }));
    head.append(titles);
    body.append(...data.rows.map((cells, row) => {
      const line = document.createElement("tr");
      line.setAttribute("role", "row");
      line.append(make("th", data.names[row], "rowheader"), ...cells.map((one, column) => {
        const box = make("td", word(one.top[0][0]), "gridcell");
        box.dataset.row = row; box.dataset.column = column; box.tabIndex = -1;
        box.title = percent(one.top[0][1]);
        box.setAttribute("aria-selected", "false");
        if (one.rank === 1) box.className = "hit";
        box.style.background = `rgba(${colour.join(",")}, ${(.55 * one.strength).toFixed(3)})`;
        return box;
      }));
      return line;
    }));
    table.replaceChildren(head, body);
    choose(...(moved ? [data.rows.length - 1, 0] : at), false);
  };
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".lens");
  root.view = root.view || build(root);
  root.view(data);
}
