// Opens the data, then draws: first the table and the charts, then whatever the address asks for.

for (const place of document.querySelectorAll("#findings .command")) canCopy(place);

function excuse(words) {
  const notice = document.getElementById("notice");
  notice.textContent = words;
  notice.hidden = false;
  document.getElementById("decisions-count").textContent = "";
}

async function start() {
  if (!("DecompressionStream" in window)) {
    excuse("This browser is too old to open the data in this page (it has no DecompressionStream, which browsers have since 2023). Totals, findings, serving, history and policy can be read; charts, decisions and lineage cannot.");
    return;
  }
  const store = await openData();
  const detail = new Detail(store);
  const table = new DecisionTable(store, (row) => detail.open(row));
  showTreemap(store, (...names) => table.only(...names));
  showGrowth(store);
  showServing(store);
  followColours();
  await table.ready;
  document.documentElement.dataset.ready = String(Math.round(performance.now()));
}

start().catch((error) => {
  excuse(`The data in this page could not be opened: ${error.message}. Totals, findings, serving, history and policy can be read.`);
  throw error;
});
