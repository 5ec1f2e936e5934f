// Every artifact in one table: Tabulator draws the rows that are in sight, whatever their number.

const ROW_HEIGHT = 30;
const MOST_PRINTED = 500;

function lineOf(store, row) {
  return {
    row,
    id: store.artifactIds[row],
    verdict: store.verdict(row),
    type: store.type(row),
    pipeline: store.owner(row, "pipeline"),
    node: store.owner(row, "node"),
    run: store.owner(row, "run"),
    created: store.created[row],
    bytes: store.bytes(row),
    why: store.why(row),
    uri: store.uri(row),
  };
}

function wordsOf(line) {
  return [line.id, line.type, line.pipeline, line.node, line.run, line.verdict, line.why, line.uri].join(" ").toLowerCase();
}

// Between a grid and its rows only groups of rows may stand: the one that scrolls, which takes the focus, is it.
function tellRoles() {
  const holder = document.querySelector("#decisions-table .tabulator-tableholder");
  holder.setAttribute("role", "rowgroup");
  holder.querySelector(".tabulator-table").setAttribute("role", "none");
  document.getElementById("decisions-table").setAttribute("aria-label", "Decisions");
}

class DecisionTable {
  constructor(store, open) {
    this.store = store;
    this.open = open;
    this.lines = Array.from({ length: store.length }, (_, row) => lineOf(store, row));
    this.words = [];
    this.current = null;
    this.filters = Object.fromEntries(["search", "verdict", "pipeline", "node", "type"].map((name) => [name, document.getElementById(`filter-${name}`)]));
    this.known = Object.fromEntries(["pipeline", "node", "type"].map((name) => [name, this.suggest(name)]));
    this.table = new Tabulator("#decisions-table", {
      data: this.lines, index: "id", height: "34rem", rowHeight: ROW_HEIGHT, layout: "fitColumns", nestedFieldSeparator: false,
      // By itself it would draw its rows anew whenever it comes into sight: the row that is clicked or has the focus is gone.
      autoResize: false,
      placeholder: "No artifact matches.", initialFilter: [{ field: this.matching() }], columns: this.columns(),
      columnDefaults: { resizable: true, headerSortStartingDir: "asc" },
    });
    this.ready = new Promise((resolve) => this.table.on("tableBuilt", resolve)).then(tellRoles).then(() => addEventListener("resize", () => this.fit()));
    this.table.on("rowClick", (event, row) => this.opens(row));
    this.table.on("renderComplete", () => this.tell(this.table.getDataCount("active")));
    this.table.on("dataSorted", () => (this.current = null));
    this.listen();
  }

  columns() {
    const compare = (a, b) => (a === b ? 0 : a === null || a < b ? -1 : 1);
    const text = (cell) => cell.getValue() ?? "";
    const column = (title, field, more = {}) => ({
      title, field, sorter: compare, formatter: (cell) => element("span", { title: text(cell) }, String(text(cell))),
      // A button, so that the keyboard can sort; Tabulator hears its click.
      titleFormatter: () => element("button", { type: "button" }, title), ...more,
    });
    return [
      column("Id", "id", { width: 85, formatter: (cell) => this.opener(cell) }),
      column("Verdict", "verdict", { width: 110, formatter: (cell) => chip(cell.getValue()) }),
      column("Type", "type", { minWidth: 125, widthGrow: 1 }),
      column("Pipeline", "pipeline", { minWidth: 110, widthGrow: 1 }),
      column("Node", "node", { minWidth: 100, widthGrow: 1 }),
      column("Created (UTC)", "created", { width: 158, formatter: (cell) => minute(cell.getValue()) }),
      column("Size", "bytes", { width: 95, hozAlign: "right", headerHozAlign: "right", headerSortStartingDir: "desc", formatter: (cell) => size(cell.getValue()) }),
      column("Why", "why", { minWidth: 220, widthGrow: 6 }),
      column("URI", "uri", { minWidth: 160, widthGrow: 3 }),
    ];
  }

  // Once a row was chosen it alone takes part in the order of the Tab key; arrows go from row to row.
  opener(cell) {
    const id = cell.getValue();
    return element("button", { type: "button", "data-id": id, tabindex: this.current === null || this.current === id ? "0" : "-1", "aria-haspopup": "dialog" }, String(id));
  }

  opens(row) {
    this.mark(row);
    this.open(row.getData().row);
  }

  mark(row) {
    this.current = row.getIndex();
    for (const button of document.querySelectorAll("#decisions-table [data-id]")) button.tabIndex = Number(button.dataset.id) === this.current ? 0 : -1;
  }

  async step(event) {
    const button = event.target.closest("[data-id]");
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: 15, PageUp: -15, Home: -Infinity, End: Infinity };
    if (!button || !(event.key in moves)) return;
    event.preventDefault();
    const rows = this.table.getRows("active");
    const at = rows.findIndex((row) => row.getIndex() === Number(button.dataset.id));
    const next = rows[Math.min(Math.max(at + moves[event.key], 0), rows.length - 1)];
    await this.table.scrollToRow(next, "nearest", false).catch(() => {});
    this.mark(next);
    next.getElement().querySelector("[data-id]")?.focus({ preventScroll: true });
  }

  fit() {
    clearTimeout(this.fitting);
    this.fitting = setTimeout(() => {
      const focused = document.activeElement.closest("#decisions-table [data-id]")?.dataset.id;
      this.table.redraw();
      if (focused) document.querySelector(`#decisions-table [data-id="${focused}"]`)?.focus({ preventScroll: true });
    }, 100);
  }

  // Names to choose from; a filter that is one of them wants just that one.
  suggest(name) {
    const known = new Set();
    for (const line of this.lines) known.add(line[name]);
    known.delete("");
    const options = [...known].sort().slice(0, 1000).map((value) => element("option", { value }));
    document.getElementById(`${name}s`).replaceChildren(...options);
    return known;
  }

  matching() {
    const words = this.filters.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const verdict = this.filters.verdict.value;
    const wanted = ["pipeline", "node", "type"].map((name) => [name, this.filters[name].value]).filter(([, value]) => value)
      .map(([name, value]) => (this.known[name].has(value) ? (line) => line[name] === value : (line) => line[name].toLowerCase().includes(value.toLowerCase())));
    const judged = {
      all: () => true,
      decided: (line) => this.store.decisionOf[line.row] >= 0,
      prunes: (line) => this.store.prunes(line.row),
    }[verdict] ?? ((line) => line.verdict === verdict);
    return (line) => judged(line) && wanted.every((fits) => fits(line)) && words.every((word) => this.wordsOf(line).includes(word));
  }

  wordsOf(line) { return (this.words[line.row] ??= wordsOf(line)); }

  listen() {
    const form = document.getElementById("filters");
    let waiting;
    const soon = () => { clearTimeout(waiting); waiting = setTimeout(() => this.apply(), 150); };
    form.addEventListener("input", soon);
    form.addEventListener("reset", () => setTimeout(() => this.apply()));
    form.addEventListener("submit", (event) => event.preventDefault());
    document.getElementById("decisions-table").addEventListener("keydown", (event) => this.step(event));
    addEventListener("beforeprint", () => this.print());
  }

  apply() {
    this.current = null;
    this.table.setFilter(this.matching());
  }

  only(pipeline, node, type) {
    document.getElementById("filters").reset();
    const wanted = { pipeline, node, type };
    for (const [name, value] of Object.entries(wanted)) this.filters[name].value = this.known[name].has(value) ? value : "";
    this.apply();
    document.getElementById("decisions").scrollIntoView();
    this.filters.search.focus({ preventScroll: true });
  }

  tell(number) {
    const place = document.getElementById("decisions-count");
    const told = `${counted(number)} of ${counted(this.lines.length)} artifacts`;
    // A screen reader reads it out whenever it is set.
    if (place.textContent !== told) place.textContent = told;
  }

  // Paper has no scroll bar: the first rows of what is shown, in its order.
  print() {
    const rows = this.table.getRows("active");
    const names = ["Id", "Verdict", "Type", "Pipeline", "Node", "Created (UTC)", "Size", "Why"];
    const body = rows.slice(0, MOST_PRINTED).map((row) => row.getData()).map((line) => element("tr", {},
      ...[line.id, line.verdict, line.type, line.pipeline, line.node, minute(line.created), size(line.bytes), line.why].map((value) => element("td", {}, String(value)))));
    const left = rows.length - body.length;
    document.getElementById("decisions-print").replaceChildren(
      element("thead", {}, element("tr", {}, ...names.map((name) => element("th", {}, name)))),
      element("tbody", {}, ...body, ...(left > 0 ? [element("tr", {}, element("td", { colspan: names.length }, `and ${counted(left)} more`))] : [])));
  }
}
