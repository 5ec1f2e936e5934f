// What is stored, by pipeline, node and type: a treemap, and beside it the same as a list of buttons.

const LEVELS = ["Pipeline", "Node", "Type"];
const MOST_AREAS = 60;
const MOST_LISTED = 500;
const NOBODY = "(no known pipeline)";

class Area {
  constructor(name) { this.name = name; this.artifacts = 0; this.bytes = 0; this.reclaimable = 0; this.within = new Map(); }

  add(parts, bytes, reclaimable) {
    this.artifacts += 1;
    this.bytes += bytes;
    this.reclaimable += reclaimable;
    if (!parts.length) return;
    const [first, ...rest] = parts;
    if (!this.within.has(first)) this.within.set(first, new Area(first));
    this.within.get(first).add(rest, bytes, reclaimable);
  }

  // The largest within, and all others as one.
  largest(measure, most) {
    const areas = [...this.within.values()].sort((a, b) => b[measure] - a[measure]);
    if (areas.length <= most) return areas;
    const others = new Area(`${counted(areas.length - most)} more`);
    for (const area of areas.slice(most)) {
      for (const sum of ["artifacts", "bytes", "reclaimable"]) others[sum] += area[sum];
    }
    return [...areas.slice(0, most), others];
  }
}

function showTreemap(store, openInTable) {
  const all = new Area("All pipelines");
  for (let row = 0; row < store.length; row += 1) {
    if (store.decisionOf[row] < 0) continue;
    const parts = [store.owner(row, "pipeline") || NOBODY, store.owner(row, "node") || "(no known node)", store.type(row)];
    all.add(parts, store.bytes(row) ?? 0, store.reclaimable(row));
  }
  const measure = document.getElementById("treemap-measure");
  if (!all.bytes) measure.value = "artifacts";
  let path = [];
  const here = () => path.reduce((area, name) => area.within.get(name), all);
  const share = (area) => (area.bytes ? area.reclaimable / area.bytes : 0);

  const options = () => {
    const node = (area, inner) => ({
      name: area.name, value: area[measure.value], area,
      itemStyle: { color: mixed(colour("low"), colour("high"), share(area)) },
      ...(inner && area.within.size > 1 ? { children: area.largest(measure.value, MOST_AREAS).map((child) => node(child, false)) } : {}),
    });
    return {
      tooltip: { ...tooltip(), formatter: ({ data }) => tip(data.area?.name ?? "", data.area ? told(data.area) : "") },
      series: [{
        type: "treemap", animation: false, animationDurationUpdate: 0, roam: false, nodeClick: false, breadcrumb: { show: false }, left: 0, right: 0, top: 0, bottom: 0,
        label: { fontSize: 12, lineHeight: 16, color: colour("ink"), formatter: ({ data }) => (data.area ? `${data.area.name}\n${measure.value === "bytes" ? size(data.area.bytes) : counted(data.area.artifacts)}` : "") },
        upperLabel: { show: true, height: 22, color: colour("ink"), formatter: ({ data }) => (data.area ? data.area.name : "") },
        levels: [
          { itemStyle: { borderColor: colour("panel"), borderWidth: 0, gapWidth: 3 }, upperLabel: { show: false } },
          { itemStyle: { borderColor: colour("line"), borderWidth: 2, gapWidth: 2 } },
        ],
        data: here().largest(measure.value, MOST_AREAS).map((area) => node(area, true)),
      }],
    };
  };
  const told = (area) => `${counted(area.artifacts)} artifacts, ${size(area.bytes)}; ${size(area.reclaimable)} would be freed`;

  const { made, draw } = chart(document.getElementById("treemap"), options);
  const body = document.querySelector("#treemap-list tbody");
  const trail = document.getElementById("treemap-path");

  const go = (wanted) => {
    if (wanted.length === LEVELS.length) { openInTable(...wanted); return; }
    path = wanted;
    draw();
    list();
  };
  const list = () => {
    document.getElementById("treemap-level").textContent = LEVELS[path.length];
    body.replaceChildren(...here().largest(measure.value, MOST_LISTED).map((area) => element("tr", {},
      element("td", {}, here().within.has(area.name) ? element("button", { type: "button", class: "plain", onclick: () => go([...path, area.name]) }, area.name) : area.name),
      element("td", { class: "number" }, counted(area.artifacts)),
      element("td", { class: "number" }, size(area.bytes)),
      element("td", { class: "number" }, size(area.reclaimable)),
    )));
    const trailNames = [all.name, ...path];
    trail.replaceChildren(...trailNames.flatMap((name, at) => {
      const last = at === trailNames.length - 1;
      const part = last ? element("b", {}, name) : element("button", { type: "button", class: "plain", onclick: () => go(path.slice(0, at)) }, name);
      return at ? [" / ", part] : [part];
    }));
  };
  made.on("click", ({ treePathInfo }) => {
    const names = (treePathInfo ?? []).slice(1).map(({ name }) => name);
    if (here().within.has(names[0])) go([...path, ...names].slice(0, LEVELS.length));
  });
  measure.addEventListener("change", () => { draw(); list(); });
  list();
}

// A colour between two of the form #rrggbb.
function mixed(one, other, share) {
  const parts = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  const [from, to] = [parts(one), parts(other)];
  return `rgb(${from.map((value, at) => Math.round(value + (to[at] - value) * share)).join(",")})`;
}
