"use strict";
/* Forms and links of a page are fetched and its <main> is exchanged; live numbers come as server-sent events. Nothing here is needed: without it every form and link works by loading whole pages. */
const ours = (address) => new URL(address, location.href).origin === location.origin && /^\/console(\/|\?|$)/.test(new URL(address, location.href).pathname + "?");
let stream = null;
let latest = 0;
let again = 0;

function show(page, address, keep, quiet) {
  const main = page.querySelector("main");
  if (!main) return location.assign(address);
  const opened = [...document.querySelectorAll("main details[open][id]")].map((one) => one.id);
  document.querySelector("main").replaceWith(main);
  document.querySelector(".top").replaceWith(page.querySelector(".top"));
  document.title = page.title;
  if (keep) for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
  const said = main.querySelector("[role=status], [role=alert]");
  if (said) said.tabIndex = -1;
  if (!quiet) (said || main).focus({ preventScroll: keep });
  if (!keep) scrollTo(0, 0);
  listen();
}

async function turn(address, options, { push = true, form = null, quiet = false } = {}) {
  const mine = ++latest;
  let answer, text;
  try {
    answer = await fetch(address, { credentials: "same-origin", headers: { Accept: "text/html" }, ...options });
    text = await answer.text();
  } catch {
    return quiet ? listen() : complain(form, "The gateway did not answer. Nothing is known to have been done; try again.");
  }
  if (mine !== latest) return;
  if (!ours(answer.url)) return location.assign(answer.url);
  const page = new DOMParser().parseFromString(text, "text/html");
  if (!answer.ok && form) {
    const told = page.querySelector(".refused");
    return complain(form, told ? "" : "This was refused.", told);
  }
  const here = location.pathname === new URL(answer.url).pathname;
  if (push) history[here ? "replaceState" : "pushState"](null, "", answer.url);
  show(page, answer.url, here, quiet);
}

function complain(form, words, told) {
  const place = told || document.createElement("p");
  if (!told) place.textContent = words;
  place.className = "refused";
  place.setAttribute("role", "alert");
  place.tabIndex = -1;
  form?.querySelectorAll(".refused").forEach((old) => old.remove());
  (form || document.querySelector("main")).prepend(place);
  place.focus();
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.closest("main") || form.hasAttribute("data-plain") || !ours(form.action)) return;
  event.preventDefault();
  const sent = new URLSearchParams(new FormData(form));
  if (form.method === "get") {
    const address = new URL(form.action);
    for (const [name, value] of [...sent]) if (!value) sent.delete(name);
    address.search = sent;
    return turn(address.href);
  }
  const buttons = [...form.querySelectorAll("button")];
  buttons.forEach((one) => (one.disabled = true));
  await turn(form.action, { method: "POST", body: sent }, { form });
  buttons.forEach((one) => (one.disabled = false));
});

document.addEventListener("click", (event) => {
  const link = event.target.closest("main a[data-swap]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  turn(link.href);
});

addEventListener("popstate", () => (location.hash ? null : turn(location.href, {}, { push: false })));

/* A page that waits for something looks again, unless somebody is typing in it. */
function wait() {
  clearTimeout(again);
  const main = document.querySelector("main");
  if (!main.querySelector("[data-again]")) return;
  const typed = () => [...main.querySelectorAll("input:not([type=hidden]), textarea, select")].some((one) => one.matches(":focus") || (one.defaultValue ?? one.value) !== one.value);
  again = setTimeout(() => (typed() || document.hidden ? wait() : turn(location.pathname, {}, { push: false, quiet: true })), 1500);
}

function listen() {
  wait();
  stream?.close();
  stream = null;
  const place = document.querySelector("[data-stream]");
  if (!place) return;
  const told = document.getElementById("stream-told");
  const pause = document.getElementById("stream-pause");
  pause.hidden = false;
  pause.onclick = () => {
    const paused = pause.getAttribute("aria-pressed") !== "true";
    pause.setAttribute("aria-pressed", paused);
    paused ? close("Paused.") : open();
  };
  const close = (words) => {
    stream?.close();
    stream = null;
    told.textContent = words;
  };
  const open = () => {
    stream = new EventSource(place.dataset.stream);
    stream.onopen = () => (told.textContent = "Updated as it happens.");
    stream.onerror = () => (told.textContent = stream.readyState === 2 ? "Live updates are refused; reload the page." : "Connecting again…");
    stream.addEventListener("numbers", (event) => {
      if (!place.contains(document.activeElement)) place.innerHTML = event.data;
    });
    stream.addEventListener("end", () => close("This gateway is stopping; reload to see another."));
  };
  document.onvisibilitychange = () => {
    if (pause.getAttribute("aria-pressed") === "true" || !place.isConnected) return;
    document.hidden ? close("Paused while hidden.") : stream || open();
  };
  open();
}

addEventListener("pagehide", () => stream?.close());
listen();
