// The graph around one artifact: walked here, laid out by dagre, drawn as SVG whose boxes are links.

const DEEPEST = 12;

class Lineage {
  constructor(store) {
    this.store = store;
    const { artifact, execution, made, key } = store.data.events;
    this.ofArtifact = grouped(artifact, store.length);
    this.ofExecution = grouped(execution, store.executionIds.length);
    this.events = { artifact, execution, made, key };
    this.references = new Map();
    for (const [kind, from, toKind, to, name] of store.data.references) {
      const edge = { from: `${kind} ${from}`, to: `${toKind} ${to}`, name: store.text(name), reference: true };
      for (const end of [edge.from, edge.to]) {
        if (!this.references.has(end)) this.references.set(end, []);
        this.references.get(end).push(edge);
      }
    }
  }

  // Edges that lead up from a step (to what it was made from) or down (to what came of it).
  edges(step, down) {
    const [kind, id] = step.split(" ").map(Number);
    const row = kind === 0 ? this.store.artifactRow(id) : this.store.executionRow(id);
    const found = [];
    if (row >= 0) {
      const { order, starts } = kind === 0 ? this.ofArtifact : this.ofExecution;
      for (let at = starts[row]; at < starts[row + 1]; at += 1) {
        const event = order[at];
        // An artifact comes of the execution that made it; an execution comes of what it took.
        if (Boolean(this.events.made[event]) !== ((kind === 0) !== down)) continue;
        const artifact = `0 ${this.store.artifactIds[this.events.artifact[event]]}`;
        const execution = `1 ${this.store.executionIds[this.events.execution[event]]}`;
        const [from, to] = this.events.made[event] ? [execution, artifact] : [artifact, execution];
        found.push({ from, to, name: this.store.text(this.events.key[event]), reference: false });
      }
    }
    for (const edge of this.references.get(step) ?? []) {
      if ((down ? edge.from : edge.to) === step) found.push(edge);
    }
    return found;
  }

  // The nearest steps in both directions, at most so many, and how many edges lead on from there.
  around(id, most) {
    const root = `0 ${id}`;
    const steps = new Map([[root, 0]]);
    const edges = new Map();
    let beyond = 0;
    for (const down of [false, true]) {
      let reached = [root], room = Math.ceil(most / 2);
      const seen = new Set(reached);
      for (let depth = 1; reached.length; depth += 1) {
        const next = [];
        for (const step of reached) {
          for (const edge of this.edges(step, down)) {
            const far = down ? edge.to : edge.from;
            if (!seen.has(far) && (room === 0 || depth > DEEPEST)) { beyond += 1; continue; }
            edges.set(`${edge.from}|${edge.to}|${edge.name}`, edge);
            if (seen.has(far)) continue;
            seen.add(far);
            room -= 1;
            if (!steps.has(far)) steps.set(far, down ? depth : -depth);
            next.push(far);
          }
        }
        reached = next;
      }
    }
    return { root, steps, edges: [...edges.values()], beyond };
  }
}

function grouped(column, length) {
  const starts = new Int32Array(length + 1);
  for (const row of column) starts[row + 1] += 1;
  for (let row = 0; row < length; row += 1) starts[row + 1] += starts[row];
  const order = new Int32Array(column.length), next = starts.slice();
  column.forEach((row, at) => (order[next[row]++] = at));
  return { order, starts };
}

function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function shortened(text, most) { return text.length > most ? `${text.slice(0, most - 1)}\u2026` : text; }

const BOX_HEIGHT = 38;
const MARGIN = 12;

// dagre's own extent leaves out edges that bow further than the boxes.
function extent(layout) {
  const boxes = layout.nodes().map((step) => layout.node(step));
  const bends = layout.edges().flatMap((key) => layout.edge(key).points.map((point) => ({ ...point, width: 0, height: 0 })));
  const all = [...boxes, ...bends];
  const left = Math.min(...all.map(({ x, width }) => x - width / 2)) - MARGIN;
  const top = Math.min(...all.map(({ y, height }) => y - height / 2)) - MARGIN;
  const right = Math.max(...all.map(({ x, width }) => x + width / 2)) + MARGIN;
  const bottom = Math.max(...all.map(({ y, height }) => y + height / 2)) + MARGIN;
  return { left, top, width: right - left, height: bottom - top };
}

function drawLineage(store, graph) {
  const layout = new dagre.graphlib.Graph({ multigraph: true });
  layout.setGraph({ rankdir: "LR", nodesep: 12, ranksep: 36 });
  layout.setDefaultEdgeLabel(() => ({}));
  for (const step of graph.steps.keys()) {
    const [kind, id] = step.split(" ").map(Number);
    const row = kind === 0 ? store.artifactRow(id) : store.executionRow(id);
    const name = shortened(store.name([kind, id]), 28);
    let below;
    if (kind === 0) below = row < 0 ? "" : store.verdict(row);
    else below = row < 0 ? "" : `${store.text(store.data.executions.state[row])} ${minute(store.executionCreated[row]).slice(0, 10)}`;
    const width = Math.max(name.length * 7.2, below.length * 6) + 22;
    layout.setNode(step, { width, height: BOX_HEIGHT, kind, id, row, name, below });
  }
  for (const edge of graph.edges) layout.setEdge(edge.from, edge.to, edge, edge.name);
  dagre.layout(layout);

  const { left, top, width, height } = extent(layout);
  const drawn = svg("svg", { width, height, viewBox: `${left} ${top} ${width} ${height}`, role: "group", "aria-label": "Lineage, from what it was made from on the left to what came of it on the right" });
  const arrow = svg("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 8, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" }, svg("path", { d: "M0 0 L8 4 L0 8 z" }));
  drawn.append(svg("defs", {}, arrow));
  for (const key of layout.edges()) {
    const edge = layout.edge(key);
    const line = edge.points.map(({ x, y }, at) => `${at ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join(" ");
    const path = svg("path", { d: line, class: edge.reference ? "reference" : "", "marker-end": "url(#arrow)" });
    path.append(svg("title", {}, edge.name));
    drawn.append(path);
  }
  for (const step of layout.nodes()) {
    const node = layout.node(step);
    const { kind, id, row, name, below, width: wide, x, y } = node;
    const box = [
      svg("title", {}, `${store.name([kind, id])} ${kind === 0 && row >= 0 ? store.uri(row) : below}`),
      svg("rect", { x: x - wide / 2, y: y - BOX_HEIGHT / 2, width: wide, height: BOX_HEIGHT, rx: kind === 0 ? 4 : 16 }),
      svg("text", { x, y: y - 3, "text-anchor": "middle" }, name),
      svg("text", { x, y: y + 12, "text-anchor": "middle", class: "sub" }, below),
    ];
    const classes = `${kind === 0 ? `artifact ${row < 0 ? "" : store.verdict(row)}` : "execution"} ${step === graph.root ? "root" : ""}`;
    const opens = kind === 0 && row >= 0 && step !== graph.root;
    drawn.append(opens ? svg("a", { href: `#artifact-${id}`, class: classes }, ...box) : svg("g", { class: classes }, ...box));
  }
  return { drawn, rootX: layout.node(graph.root).x - left };
}
