// Growth and serving, drawn by ECharts in the colours of the page; drawn anew when these change.

const drawings = [];

function colour(name) { return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim(); }

// A chart that is drawn by `options()`, now and whenever the colours or the width change.
function chart(place, options) {
  const made = echarts.init(place, null, { renderer: "svg" });
  const label = place.getAttribute("aria-label");
  const draw = () => {
    const common = {
      aria: { enabled: true }, animation: false, backgroundColor: "transparent",
      textStyle: { color: colour("ink"), fontFamily: "system-ui, 'DejaVu Sans', sans-serif" },
    };
    made.setOption({ ...common, ...options() }, { notMerge: true });
    // ECharts puts a generated description there; ours says where the same stands as text.
    place.setAttribute("aria-label", label);
  };
  draw();
  new ResizeObserver(() => made.resize()).observe(place);
  drawings.push({ draw, made });
  return { made, draw };
}

function followColours() {
  for (const query of ["(prefers-color-scheme: dark)", "print"]) {
    matchMedia(query).addEventListener("change", () => drawings.forEach(({ draw, made }) => { draw(); made.resize(); }));
  }
}

// ECharts would take a text for HTML; an element it takes as it is.
function tip(...lines) {
  return element("div", {}, ...lines.map((line) => element("div", {}, line)));
}

const tooltip = () => ({
  backgroundColor: colour("panel"), borderColor: colour("line"), textStyle: { color: colour("ink") }, confine: true,
});

const timeAxis = () => ({
  ...axis(), type: "time", splitLine: { show: false },
  axisLabel: { color: colour("muted"), hideOverlap: true, formatter: { year: "{yyyy}", month: "{MMM} {yyyy}", day: "{d} {MMM}", hour: "{HH}:{mm}" } },
});

const axis = () => ({
  axisLine: { lineStyle: { color: colour("muted") } }, axisLabel: { color: colour("muted"), hideOverlap: true },
  splitLine: { lineStyle: { color: colour("line") } },
});

function showGrowth(store) {
  const place = document.getElementById("growth-chart");
  const measure = document.getElementById("growth-measure");
  const growth = store.data.growth;
  if (growth === null) {
    place.hidden = true;
    measure.closest(".controls").hidden = true;
    return;
  }
  const told = (value) => (measure.value === "bytes" ? size(value) : counted(value));
  const series = () => [["stored", "stored"], ["kept", "with this policy"]]
    .filter(([name]) => growth[name] !== null)
    .map(([name, label]) => ({
      name: label, type: "line", step: "end", showSymbol: false, color: colour(name),
      lineStyle: { width: 2, type: name === "kept" ? "dashed" : "solid" }, areaStyle: { opacity: name === "stored" ? 0.12 : 0 },
      data: growth.moments.map((moment, at) => [moment, growth[name][measure.value][at]]),
    }));
  const { draw } = chart(place, () => ({
    grid: { left: 8, right: 24, top: 36, bottom: 8, containLabel: true },
    legend: { top: 0, left: 0, icon: "roundRect", itemWidth: 18, itemHeight: 4, textStyle: { color: colour("ink") } },
    useUTC: true,
    tooltip: {
      ...tooltip(), trigger: "axis",
      formatter: (points) => tip(`${minute(points[0].value[0])} UTC`, ...points.map((p) => `${p.seriesName}: ${told(p.value[1])}`)),
    },
    xAxis: timeAxis(),
    yAxis: { type: "value", ...axis(), minInterval: 1, axisLabel: { color: colour("muted"), formatter: told } },
    series: series(),
  }));
  const tell = () => {
    const [stored, kept] = [growth.stored, growth.kept].map((curve) => curve && told(curve[measure.value].at(-1)));
    document.getElementById("growth-told").textContent =
      `Now ${stored} stored${kept === null ? "." : `; with this policy from the start ${kept}.`}`;
  };
  tell();
  measure.addEventListener("change", () => { draw(); tell(); });
}

function showServing(store) {
  for (const place of document.querySelectorAll("[data-timeline]")) {
    const { versions } = store.data.timelines[place.dataset.timeline];
    if (!versions.length) { place.hidden = true; continue; }
    place.style.height = `${Math.max(5, versions.length * 1.7 + 3.5)}rem`;
    const now = store.data.now;
    const bars = versions.flatMap((version, at) => {
      const end = version.retired ?? (version.stands ? now : version.periods.at(-1)?.[1] ?? version.pushed);
      return [
        { value: [at, version.pushed, end], kind: "stood" },
        ...version.periods.map(([since, until]) => ({ value: [at, since, until ?? (version.serving ? now : since)], kind: "served" })),
      ];
    });
    chart(place, () => ({
      grid: { left: 8, right: 24, top: 8, bottom: 8, containLabel: true },
      useUTC: true,
      tooltip: {
        ...tooltip(),
        formatter: ({ data }) => {
          const word = data.kind === "served" ? "newest, so served" : "stood";
          return tip(`version ${versions[data.value[0]].name}`, `${word}: ${minute(data.value[1])} to ${minute(data.value[2])} UTC`);
        },
      },
      xAxis: timeAxis(),
      yAxis: { type: "category", data: versions.map(({ name }) => shortened(name, 24)), ...axis(), splitLine: { show: false } },
      series: [{
        type: "custom", data: bars, encode: { x: [1, 2], y: 0 }, clip: true,
        renderItem: (_, api) => {
          const served = bars[_.dataIndex].kind === "served";
          const [left, middle] = api.coord([api.value(1), api.value(0)]);
          const right = api.coord([api.value(2), api.value(0)])[0];
          const height = Math.min(api.size([0, 1])[1] * 0.6, 16);
          return {
            type: "rect", shape: { x: left, y: middle - height / 2, width: Math.max(right - left, 3), height, r: 2 },
            style: served ? { fill: colour("accent") } : { fill: colour("low"), stroke: colour("muted"), lineWidth: 0.5 },
          };
        },
      }],
    }));
  }
}
