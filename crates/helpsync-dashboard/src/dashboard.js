// The dashboard's script: open pages stay current, a palette goes anywhere by keyboard. Every page can be read without it.
const root = document.documentElement;
const body = document.body;
root.classList.add("has-script");

// Regions that the server sends anew replace those that are shown, unless nothing of them changed. Whoever reads one with
// the keyboard keeps the place.
function show(regions) {
  for (const [name, html] of Object.entries(regions)) {
    const region = document.querySelector(`[data-region="${name}"]`);
    if (!region || region.dataset.shown === html) continue;
    region.dataset.shown = html;
    const focused = region.contains(document.activeElement) ? document.activeElement : null;
    const place = focused && [focused.tagName, focused.getAttribute("href"), focused.getAttribute("aria-label")];
    const open = [...region.querySelectorAll("details")].map((one) => one.open);
    region.innerHTML = html;
    region.querySelectorAll("details").forEach((one, at) => { if (at < open.length) one.open = open[at]; });
    if (!place) continue;
    const again = [...region.querySelectorAll(place[0])].find(
      (one) => one.getAttribute("href") === place[1] && one.getAttribute("aria-label") === place[2],
    );
    if (again) again.focus({ preventScroll: true });
  }
  offerActions();
}

// Actions are forms, which the server does not send anew: each is shown while what it is for holds.
function offerActions() {
  const now = document.querySelector("[data-now]")?.dataset.now.split(" ");
  if (!now) return;
  document.querySelectorAll("[data-while]").forEach((one) => { one.hidden = !now.includes(one.dataset.while); });
}

// The stream is opened again by this script, with pauses that grow to a bound: a browser would ask a server that is away
// every few seconds, and never say so. A tab that nobody sees has no stream. Whatever ends it, the page says that it is old.
const FIRST_PAUSE_MS = 2_000;
const LONGEST_PAUSE_MS = 60_000;
// A stream ends now and then and the next begins: that is nothing to be told.
const TOLD_AFTER_MS = 6_000;
let stream = null;
let again = 0;
let telling = 0;
let pause = FIRST_PAUSE_MS;
let over = false;
function tell(what) {
  document.querySelectorAll("[data-stale]").forEach((one) => { one.hidden = one.dataset.stale !== what; });
}
function current() {
  clearTimeout(telling);
  telling = 0;
  pause = FIRST_PAUSE_MS;
  body.dataset.stream = "open";
  tell("");
}
// The login page stands in place of what is asked for once the session is over.
async function isOver() {
  const answer = await fetch(`${body.dataset.palette}?search=`, { redirect: "manual", cache: "no-store" }).catch(() => null);
  return answer?.type === "opaqueredirect";
}
async function away(ended) {
  if (stream !== ended) return;
  hush();
  body.dataset.stream = "away";
  if (!telling) telling = setTimeout(() => tell("away"), TOLD_AFTER_MS);
  over = await isOver();
  if (over) {
    clearTimeout(telling);
    body.dataset.stream = "over";
    tell("over");
    return;
  }
  // With a part of chance, so that not all pages of a server that was away come back at once.
  again = setTimeout(listen, pause * (0.75 + Math.random() / 2));
  pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
}
function listen() {
  const address = body.dataset.live;
  if (!address || document.hidden || stream || over) return;
  clearTimeout(again);
  const opened = new EventSource(address);
  stream = opened;
  opened.onmessage = (event) => {
    current();
    show(JSON.parse(event.data));
  };
  opened.onerror = () => away(opened);
}
function hush() {
  clearTimeout(again);
  if (stream) stream.close();
  stream = null;
}
document.addEventListener("visibilitychange", () => (document.hidden ? hush() : listen()));
addEventListener("pagehide", hush);
addEventListener("pageshow", listen);
listen();

// All boxes of a name at once.
document.addEventListener("change", (event) => {
  const name = event.target.dataset?.all;
  if (!name) return;
  const boxes = event.target.form.querySelectorAll(`input[type=checkbox][name="${name}"]`);
  boxes.forEach((box) => { box.checked = event.target.checked; });
});

// The palette.
const palette = document.getElementById("palette");
if (palette) {
  const input = document.getElementById("palette-input");
  const list = document.getElementById("palette-list");
  let asked = 0;
  let waiting = 0;
  const options = () => [...list.children];
  const choose = (option) => {
    options().forEach((one) => one.setAttribute("aria-selected", String(one === option)));
    if (option) {
      input.setAttribute("aria-activedescendant", option.id);
      option.scrollIntoView({ block: "nearest" });
    } else input.removeAttribute("aria-activedescendant");
  };
  const chosen = () => list.querySelector('[aria-selected="true"]');
  async function offer() {
    const turn = ++asked;
    const address = `${body.dataset.palette}?search=${encodeURIComponent(input.value)}`;
    const answer = await fetch(address, { headers: { accept: "application/json" } }).catch(() => null);
    if (turn !== asked || !answer?.ok || answer.redirected) return;
    const { offers } = await answer.json();
    list.replaceChildren(...offers.map((one, at) => {
      const option = document.createElement("li");
      option.id = `palette-${at}`;
      option.role = "option";
      option.dataset.address = one.address;
      option.textContent = one.about ? `${one.text} · ${one.about}` : one.text;
      return option;
    }));
    choose(options()[0]);
  }
  const open = () => {
    if (palette.open) return;
    input.value = "";
    palette.showModal();
    offer();
  };
  const go = (option) => { if (option) location.assign(option.dataset.address); };
  input.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(offer, 120);
  });
  palette.addEventListener("keydown", (event) => {
    const all = options();
    const at = all.indexOf(chosen());
    if (event.key === "ArrowDown") choose(all[(at + 1) % all.length]);
    else if (event.key === "ArrowUp") choose(all[(at - 1 + all.length) % all.length]);
    else if (event.key === "Enter") go(chosen());
    else return;
    event.preventDefault();
  });
  list.addEventListener("click", (event) => go(event.target.closest("li")));
  document.addEventListener("click", (event) => {
    if (event.target.closest('[data-open="palette"]')) open();
    else if (event.target === palette) palette.close();
  });
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      open();
      return;
    }
    const typing = event.target.closest?.("input, textarea, select, dialog");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      const search = document.querySelector("[data-search]");
      if (search) { event.preventDefault(); search.focus(); }
    }
  });
}
