"use strict";
// Everything here adds to pages that are whole without it.

const typing = (at) => at.closest("input, textarea, select, [contenteditable]") !== null;

// A message drawn in its frame is as tall as it is.
for (const frame of document.querySelectorAll("iframe.message")) {
  const fit = () => {
    const body = frame.contentDocument?.body;
    if (body) frame.style.height = `${body.scrollHeight + 2}px`;
  };
  frame.addEventListener("load", fit);
  new ResizeObserver(fit).observe(frame.parentElement);
  fit();
}

document.addEventListener("submit", (event) => {
  const question = event.submitter?.dataset.ask;
  if (question && !confirm(question)) event.preventDefault();
});

// Keys.

const help = document.createElement("dialog");
help.setAttribute("aria-labelledby", "help-title");
const entries = [["/", "search"], ["j", "next"], ["k", "previous"], ["Enter", "open"]];
for (const link of document.querySelectorAll("nav [data-key]")) {
  entries.push([link.dataset.key, link.textContent.trim()]);
}
help.innerHTML = '<h2 id="help-title">Shortcuts</h2><dl class="facts"></dl><form method="dialog"><button>Close</button></form>';
for (const [key, words] of entries) {
  const term = help.querySelector("dl").appendChild(document.createElement("dt"));
  term.appendChild(document.createElement("kbd")).textContent = key;
  help.querySelector("dl").appendChild(document.createElement("dd")).textContent = words;
}
document.body.append(help);
for (const hint of document.querySelectorAll(".keys")) hint.hidden = false;

function step(by) {
  const titles = [...document.querySelectorAll("main a.title")];
  const at = titles.indexOf(document.activeElement);
  const next = titles[at < 0 ? (by > 0 ? 0 : titles.length - 1) : at + by];
  next?.focus();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || help.open) return;
  if (event.key === "?") help.showModal();
  else if (event.key === "/") document.querySelector("[data-search]")?.focus();
  else if (event.key === "j") step(1);
  else if (event.key === "k") step(-1);
  else {
    const link = document.querySelector(`nav [data-key="${CSS.escape(event.key)}"]`);
    if (!link) return;
    link.click();
  }
  event.preventDefault();
});

// What changed is fetched, and takes its old place; new rows are announced and wait for a click.

function announce(count) {
  const list = document.querySelector("[data-list]");
  let news = document.querySelector(".news");
  if (!news) {
    news = document.createElement("a");
    news.className = "button main news";
    news.setAttribute("role", "status");
    list.before(news);
  }
  news.href = location.href;
  news.textContent = count === 1 ? "1 new" : `${count} new`;
}

async function refresh() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  let before = 0;
  let known = false;
  for (const part of fresh.querySelectorAll("[data-fresh]")) {
    const key = CSS.escape(part.dataset.fresh);
    const old = document.querySelector(`[data-fresh="${key}"]`);
    if (!old) {
      if (!known && part.closest("[data-list]")) before += 1;
      continue;
    }
    if (part.closest("[data-list]")) known = true;
    if (!old.contains(document.activeElement) && old.outerHTML !== part.outerHTML) {
      old.replaceWith(document.importNode(part, true));
    }
  }
  const isFirst = !new URLSearchParams(location.search).has("before");
  if (before && isFirst) announce(before);
}

if (document.querySelector("[data-fresh], [data-list]")) {
  let waiting = false;
  const source = new EventSource("/page/live");
  source.addEventListener("message", () => {
    if (waiting || document.hidden) {
      waiting = true;
      return;
    }
    refresh();
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden || !waiting) return;
    waiting = false;
    refresh();
  });
  addEventListener("pagehide", () => source.close());
}
