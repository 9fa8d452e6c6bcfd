const byId = (id) => document.getElementById(id);
const source = new EventSource(`progress/events${location.search}`);
const show = (event) => {
  const now = JSON.parse(event.data);
  document.title = document.querySelector("h1").textContent = now.title;
  document.querySelector("main").className = now.failed ? "failed" : "good";
  byId("headline").textContent = now.headline;
  byId("lines").replaceChildren(...now.lines.map((line) => Object.assign(document.createElement("p"), { textContent: line })));
  const remark = byId("remark");
  remark.hidden = !now.remark;
  remark.querySelector("p").textContent = now.remark ?? "";
  const bar = byId("bar");
  bar.hidden = now.ended;
  if (now.total) Object.assign(bar, { max: now.total, value: Math.min(now.done, now.total) });
  else bar.removeAttribute("value");
};
source.addEventListener("state", show);
source.addEventListener("end", (event) => {
  source.close();
  show(event);
});
source.addEventListener("error", () => {
  if (source.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 10000);
});
