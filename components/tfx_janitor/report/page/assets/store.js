// The page's data, opened: columns as `columns.py` wrote them, and what follows from them.

const VERDICTS = ["keep", "delete", "unknown"];

async function openData() {
  const packed = atob(document.getElementById("data").textContent);
  const bytes = Uint8Array.from(packed, (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Store(JSON.parse(await new Response(stream).text()));
}

function summed(differences) {
  let at = 0;
  return Float64Array.from(differences, (difference) => (at += difference));
}

class Store {
  constructor(data) {
    this.data = data;
    this.texts = data.texts;
    this.policyFile = data.policy;
    const { artifacts, executions, decisions } = data;
    this.artifactIds = summed(artifacts.id);
    this.created = summed(artifacts.created);
    this.executionIds = summed(executions.id);
    this.executionCreated = summed(executions.created);
    this.decisionOf = new Int32Array(artifacts.id.length).fill(-1);
    decisions.row.forEach((row, at) => (this.decisionOf[row] = at));
  }

  get length() { return this.artifactIds.length; }
  text(number) { return number < 0 ? "" : this.texts[number]; }

  artifactRow(id) { return position(this.artifactIds, id); }
  executionRow(id) { return position(this.executionIds, id); }

  type(row) { return this.text(this.data.artifacts.type[row]); }
  state(row) { return this.text(this.data.artifacts.state[row]); }
  output(row) { return this.text(this.data.artifacts.output[row]); }
  uri(row) {
    const { directory, name } = this.data.artifacts;
    const parent = this.text(directory[row]);
    return parent ? `${parent}/${name[row]}` : name[row];
  }
  owner(row, column) {
    const producer = this.data.artifacts.producer[row];
    return producer < 0 ? "" : this.text(this.data.executions[column][producer]);
  }

  verdict(row) {
    const at = this.decisionOf[row];
    if (at >= 0) return VERDICTS[this.data.decisions.verdict[at]];
    return this.state(row) === "DELETED" ? "deleted" : "ungoverned";
  }
  bytes(row) {
    const at = this.decisionOf[row];
    return at < 0 ? null : this.data.decisions.bytes[at];
  }
  // What would be freed: all of it, or the checkpoints inside.
  reclaimable(row) {
    const at = this.decisionOf[row];
    if (at < 0) return 0;
    const { verdict, bytes, prunable } = this.data.decisions;
    return VERDICTS[verdict[at]] === "delete" ? bytes[at] ?? 0 : prunable[at] ?? 0;
  }
  prunes(row) { return (this.data.decisions.prunable[this.decisionOf[row]] ?? null) !== null; }
  why(row) {
    const at = this.decisionOf[row];
    if (at >= 0) return this.text(this.data.decisions.why[at]);
    return this.verdict(row) === "deleted" ? "" : "no rule matches it";
  }
  reasons(row) {
    const at = this.decisionOf[row];
    if (at < 0) return [];
    const { reasons, reason, paths } = this.data.decisions;
    return reasons[at].map((number, place) => ({
      code: this.text(reason[number][0]),
      told: this.text(reason[number][1]),
      path: paths[at]?.[place] ?? [],
    }));
  }
  checkpoints(row) {
    const found = this.data.decisions.checkpoints[this.decisionOf[row]] ?? [];
    return found.map(([name, verdict, why, bytes]) => ({
      name: this.text(name), verdict: this.text(verdict), why: this.text(why), bytes,
    }));
  }

  // "Model 12", "Trainer 7", "pin of anna".
  name([kind, id]) {
    if (kind === 0) {
      const row = this.artifactRow(id);
      return row < 0 ? `artifact ${id}` : `${this.type(row)} ${id}`;
    }
    if (kind === 1) {
      const row = this.executionRow(id);
      if (row < 0) return `execution ${id}`;
      const { node, type } = this.data.executions;
      return `${this.text(node[row]) || this.text(type[row]).split(".").pop()} ${id}`;
    }
    return this.text(this.data.pins[id] ?? -1) || `context ${id}`;
  }
}

function position(sorted, wanted) {
  let low = 0, high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < wanted) low = middle + 1; else high = middle;
  }
  return sorted[low] === wanted ? low : -1;
}

// Words for people, in the same spelling as on the command line.

const UNITS = ["bytes", "kB", "MB", "GB", "TB", "PB", "EB"];

function size(bytes) {
  if (bytes === null || bytes === undefined) return "";
  let unit = 0, value = bytes;
  while (value >= 1000 && unit < UNITS.length - 1) { value /= 1000; unit += 1; }
  return unit ? `${value.toFixed(1)} ${UNITS[unit]}` : `${bytes} ${bytes === 1 ? "byte" : "bytes"}`;
}

function counted(number) { return number.toLocaleString("en-US"); }
function minute(ms) { return new Date(ms).toISOString().slice(0, 16).replace("T", " "); }

// Elements: whatever is given as a text stays a text.

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== null) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

function chip(word) { return element("span", { class: `chip ${word}` }, word); }
