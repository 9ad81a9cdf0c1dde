"use strict";
// The editor: line numbers, faults while typing, and words to complete. The form works without it.

const form = document.querySelector(".editor");
const text = form.querySelector("textarea");
const gutter = form.querySelector(".gutter");
const list = form.querySelector("#findings");
const completions = JSON.parse(text.dataset.completions);
let findings = [];

function number() {
  const levels = new Map();
  for (const one of findings) {
    if (one.here && levels.get(one.line) !== "error") levels.set(one.line, one.level);
  }
  const lines = text.value.split("\n").map((_, place) => {
    const mark = document.createElement("span");
    const level = levels.get(place + 1);
    if (level) mark.className = `is-${level}`;
    mark.textContent = `${place + 1}\n`;
    return mark;
  });
  gutter.replaceChildren(...lines);
  gutter.scrollTop = text.scrollTop;
}

function goTo(line) {
  const lines = text.value.split("\n");
  const start = lines.slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
  text.focus();
  text.setSelectionRange(start, start + (lines[line - 1] ?? "").length);
  text.scrollTop = Math.max(0, (line - 8) * 20);
}

function tell() {
  list.replaceChildren(...findings.map((one) => {
    const told = document.createElement("p");
    told.className = `finding is-${one.level}`;
    if (one.here) {
      const jump = told.appendChild(document.createElement("button"));
      jump.type = "button";
      jump.className = "link";
      jump.textContent = `line ${one.line}`;
      jump.addEventListener("click", () => goTo(one.line));
    } else {
      told.append(`${one.file}:${one.line}`);
    }
    told.append(`: ${one.message}`);
    return told;
  }));
  if (!findings.length) {
    const well = list.appendChild(document.createElement("p"));
    well.className = "finding is-well";
    well.textContent = "No fault is found.";
  }
}

let checking = null;
let timer = 0;
async function check() {
  checking?.abort();
  checking = new AbortController();
  const fields = new URLSearchParams(new FormData(form));
  fields.set("do", "findings");
  try {
    const answer = await fetch("/rules/edit", { method: "POST", body: fields, signal: checking.signal });
    if (answer.status !== 200) return;
    findings = (await answer.json()).findings;
    tell();
    number();
  } catch (error) {
    if (error.name !== "AbortError") throw error;
  }
}

// Words to complete: those of the key on the line, else the keys.

let offers = null;
let at = 0;

function close() {
  offers?.remove();
  offers = null;
  text.removeAttribute("aria-activedescendant");
}

function select(place) {
  const items = [...offers.children];
  at = (place + items.length) % items.length;
  items.forEach((item, index) => item.setAttribute("aria-selected", index === at));
  items[at].scrollIntoView({ block: "nearest" });
  text.setAttribute("aria-activedescendant", items[at].id);
}

function context() {
  const before = text.value.slice(0, text.selectionStart);
  const line = before.slice(before.lastIndexOf("\n") + 1);
  const word = line.match(/[\w.-]*$/)[0];
  const rest = line.slice(0, line.length - word.length);
  let key = rest.match(/([\w]+):[^:{}]*$/)?.[1] ?? "";
  if (!key && /^\s*-\s*$/.test(rest)) {
    key = before.match(/(\w+):\s*\n(?:\s*-[^\n]*\n)*\s*-\s*[\w.-]*$/)?.[1] ?? "";
  }
  return { word, key };
}

function offer(forced) {
  close();
  const { word, key } = context();
  if (!forced && word.length < 2) return;
  const words = (completions[key] ?? (key ? [] : completions[""]) ?? [])
    .filter((one) => one.startsWith(word) && one !== word);
  if (!words.length) return;
  offers = document.createElement("ul");
  offers.className = "offers";
  offers.setAttribute("role", "listbox");
  offers.setAttribute("aria-label", "Words that fit");
  words.slice(0, 50).forEach((one, place) => {
    const item = offers.appendChild(document.createElement("li"));
    item.id = `offer-${place}`;
    item.setAttribute("role", "option");
    item.textContent = one;
    item.addEventListener("mousedown", (event) => { event.preventDefault(); take(one); });
  });
  const before = text.value.slice(0, text.selectionStart).split("\n");
  offers.style.top = `${Math.min(before.length * 20 + 12 - text.scrollTop, text.clientHeight - 40)}px`;
  offers.style.left = `${gutter.offsetWidth + 12 + before.at(-1).length * 7.8 - text.scrollLeft}px`;
  form.querySelector(".paper").append(offers);
  select(0);
}

function take(one) {
  const { word, key } = context();
  text.setRangeText(one.slice(word.length) + (key ? "" : ": "), text.selectionStart, text.selectionEnd, "end");
  close();
  text.dispatchEvent(new Event("input", { bubbles: true }));
  close();
}

text.addEventListener("keydown", (event) => {
  if (event.key === " " && event.ctrlKey) {
    event.preventDefault();
    offer(true);
  } else if (offers) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) { event.preventDefault(); select(at + step); }
    else if (event.key === "Enter" || event.key === "Tab") { event.preventDefault(); take(offers.children[at].textContent); }
    else if (event.key === "Escape") { event.preventDefault(); close(); }
  }
});
text.addEventListener("input", () => {
  number();
  offer(false);
  clearTimeout(timer);
  timer = setTimeout(check, 500);
});
text.addEventListener("scroll", () => { gutter.scrollTop = text.scrollTop; close(); });
text.addEventListener("blur", close);
let changed = false;
form.addEventListener("input", () => { changed = true; });
form.addEventListener("submit", () => {
  changed = false;
  clearTimeout(timer);
  checking?.abort();
});
addEventListener("beforeunload", (event) => { if (changed) event.preventDefault(); });
number();
check();
