// One artifact: facts, reasons, checkpoints, lineage. It has an address of its own, #artifact-12.

const FEW_STEPS = 36;

class Detail {
  constructor(store) {
    this.store = store;
    this.dialog = document.getElementById("detail");
    this.body = document.getElementById("detail-body");
    this.title = document.getElementById("detail-title");
    this.lineage = null;
    this.opener = null;
    this.trail = [];
    document.getElementById("detail-close").addEventListener("click", () => this.dialog.close());
    document.getElementById("detail-back").addEventListener("click", () => {
      this.trail.pop();
      location.hash = `#artifact-${this.trail.pop()}`;
    });
    this.dialog.addEventListener("click", (event) => { if (event.target === this.dialog) this.dialog.close(); });
    this.dialog.addEventListener("close", () => {
      this.trail = [];
      const { id } = this.opener.dataset;
      // The table may have drawn its rows anew.
      const opener = id ? document.querySelector(`#decisions-table [data-id="${id}"]`) : this.opener;
      opener?.focus({ preventScroll: true });
      if (location.hash.startsWith("#artifact-")) history.replaceState(null, "", location.href.replace(/#.*/, ""));
    });
    addEventListener("hashchange", () => this.follow());
    this.follow();
  }

  follow() {
    const named = /^#artifact-(\d+)$/.exec(location.hash);
    if (!named) return;
    const row = this.store.artifactRow(Number(named[1]));
    if (row >= 0) this.show(row);
  }

  open(row) {
    const address = `#artifact-${this.store.artifactIds[row]}`;
    if (location.hash === address) this.show(row); else location.hash = address;
  }

  show(row) {
    const { store } = this;
    const id = store.artifactIds[row];
    if (this.trail.at(-1) !== id) this.trail.push(id);
    document.getElementById("detail-back").disabled = this.trail.length < 2;
    this.title.replaceChildren(`${store.type(row)} ${id} `, chip(store.verdict(row)));
    this.body.replaceChildren(...this.facts(row), ...this.reasons(row), ...this.checkpoints(row), ...this.graph(id, FEW_STEPS));
    if (!this.dialog.open) {
      this.opener = document.activeElement;
      this.dialog.showModal();
    }
    this.dialog.scrollTop = 0;
    this.title.focus();
    this.centre();
  }

  facts(row) {
    const { store } = this;
    const at = (column) => store.owner(row, column);
    const shown = [
      ["URI", element("span", { class: "path" }, store.uri(row))],
      ["State", store.state(row)],
      ["Made by", [at("pipeline"), at("node"), store.output(row)].filter(Boolean).join(" / ") || "nobody known"],
      ["Run", at("run")],
      ["Created", `${minute(store.created[row])} UTC`],
      ["Size", size(store.bytes(row)) || "not measured"],
    ];
    const list = element("dl");
    for (const [name, value] of shown) if (value) list.append(element("dt", {}, name), element("dd", {}, value));
    return [list];
  }

  reasons(row) {
    const { store } = this;
    const reasons = store.reasons(row);
    const heading = { keep: "Why it stays", delete: "Why it may go", unknown: "Why nobody knows" }[store.verdict(row)] ?? "Why";
    if (!reasons.length) return [element("h3", {}, heading), element("p", {}, store.why(row) || "It is DELETED already.")];
    const list = element("ul", { class: "reasons" });
    for (const { code, told, path } of reasons) {
      const item = element("li", {}, told, " ", element("code", {}, code));
      // The first step is the artifact itself.
      if (path.length > 1) {
        item.append(element("div", { class: "path" }, ...path.flatMap((step, at) => [at ? " \u2192 " : "", this.link(step)])));
      }
      list.append(item);
    }
    const parts = [element("h3", {}, heading), list];
    if (store.policyFile) parts.push(command(`tfx-janitor explain ${store.artifactIds[row]} --policy ${quoted(store.policyFile)}`));
    return parts;
  }

  link([kind, id]) {
    const name = this.store.name([kind, id]);
    return kind === 0 && this.store.artifactRow(id) >= 0 ? element("a", { href: `#artifact-${id}` }, name) : name;
  }

  checkpoints(row) {
    const found = this.store.checkpoints(row);
    if (!found.length) return [];
    const head = ["Checkpoint", "Size", "Verdict", "Why"].map((name) => element("th", { scope: "col", class: name === "Size" ? "number" : "" }, name));
    const rows = found.map(({ name, bytes, verdict, why }) => element("tr", {},
      element("td", { class: "path" }, name), element("td", { class: "number" }, size(bytes)),
      element("td", {}, chip(verdict)), element("td", {}, why)));
    return [
      element("h3", {}, "Checkpoints inside"),
      element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...rows)),
    ];
  }

  graph(id, most) {
    this.lineage ??= new Lineage(this.store);
    const graph = this.lineage.around(id, most);
    const heading = element("h3", {}, "Lineage");
    if (graph.steps.size === 1) return [heading, element("p", {}, "The store connects it to nothing.")];
    const { drawn, rootX } = drawLineage(this.store, graph);
    const place = element("div", { class: "graph", tabindex: "0", role: "region", "aria-label": "Lineage as a graph; the lists below say the same" }, drawn);
    this.centre = () => {
      // A little too wide is made to fit; the rest is scrolled to.
      if (drawn.viewBox.baseVal.width < place.clientWidth * 1.35) drawn.classList.add("fits");
      place.scrollLeft = rootX - place.clientWidth / 2;
    };
    const parts = [heading, place];
    if (graph.beyond) {
      const more = element("button", { type: "button", onclick: () => {
        for (const part of parts) part.remove();
        parts.splice(0, parts.length, ...this.graph(id, most * 3));
        this.body.append(...parts);
        this.centre();
      } }, "Show more");
      parts.push(element("p", { class: "muted" }, `The nearest ${counted(graph.steps.size)} steps; ${counted(graph.beyond)} lead on from there. `, more));
    }
    const side = (name, wanted) => {
      const items = [...graph.steps].filter(([, distance]) => wanted(distance)).sort(([, a], [, b]) => Math.abs(a) - Math.abs(b))
        .map(([step]) => element("li", {}, this.link(step.split(" ").map(Number))));
      return element("div", {}, element("h4", {}, name), items.length ? element("ul", {}, ...items) : element("p", { class: "muted" }, "nothing"));
    };
    parts.push(element("div", { class: "lists" }, side("Made from", (distance) => distance < 0), side("What came of it", (distance) => distance > 0)));
    return parts;
  }

  centre() {}
}

function quoted(word) { return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\"'\"'")}'`; }

function command(line) {
  const made = element("div", { class: "command" }, element("code", {}, line), element("button", { type: "button", class: "copy" }, "Copy"));
  canCopy(made);
  return made;
}

function canCopy(place) {
  const button = place.querySelector("button");
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(place.querySelector("code").textContent);
    button.textContent = "Copied";
  });
}
