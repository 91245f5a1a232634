// Small comforts of the pages. Everything works without them except dialogs.
"use strict";

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  if (opener) {
    document.getElementById(opener.dataset.opens)?.showModal();
    return;
  }
  const closer = event.target.closest("[data-closes]");
  if (closer) {
    const dialog = closer.closest("dialog");
    if (dialog) event.preventDefault();
    dialog?.close();
    return;
  }
  const copier = event.target.closest("[data-copies]");
  if (copier) copy(copier, document.getElementById(copier.dataset.copies).textContent);
  const tab = event.target.closest("[data-shows]");
  if (tab) show(tab);
  // A click beside an open help closes it.
  for (const help of document.querySelectorAll("details.rm-help[open]")) {
    if (!help.contains(event.target)) help.open = false;
  }
});

async function copy(button, text) {
  const label = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Select and copy";
  }
  setTimeout(() => (button.textContent = label), 1600);
}

function show(tab) {
  for (const other of tab.parentElement.children) {
    const shown = other === tab;
    other.setAttribute("aria-pressed", shown);
    document.getElementById(other.dataset.shows).hidden = !shown;
  }
}

document.addEventListener("change", (event) => {
  const box = event.target;
  if (box.matches("[data-ticks-all]")) {
    for (const other of box.form.querySelectorAll('input[name="ids"]')) {
      other.checked = box.checked;
    }
  }
  if (box.matches('[name="ids"], [data-ticks-all]')) {
    const ticked = box.form.querySelectorAll('input[name="ids"]:checked').length;
    box.form.querySelector("[data-ticked]").textContent = `${ticked} selected`;
    const merge = box.form.querySelector('[value="merge"]');
    if (merge) merge.hidden = ticked < 2;
  }
  const form = box.closest("form[data-sends-itself]");
  if (form && box.matches("select")) {
    const custom = box.name === "period" && box.value === "custom";
    if (custom) form.querySelectorAll("[data-custom]").forEach((f) => (f.hidden = false));
    else form.requestSubmit();
  }
});

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/") {
    const search = document.querySelector("[data-search]");
    if (search) {
      event.preventDefault();
      search.focus();
      search.select();
    }
    return;
  }
  const link = document.querySelector(`a[data-key="${CSS.escape(event.key)}"]`);
  if (link) link.click();
});

// Empty fields do not clutter the address.
document.addEventListener("formdata", (event) => {
  if (event.target.method !== "get") return;
  for (const [name, value] of [...event.formData]) {
    if (value === "") event.formData.delete(name);
  }
});

// The sidebar's icons are ligatures: without this a screen reader says their names.
document.addEventListener("DOMContentLoaded", () => {
  for (const icon of document.querySelectorAll("nav .material-symbols-outlined")) {
    icon.setAttribute("aria-hidden", "true");
  }
});

// A page that still changes fetches itself and exchanges the parts that differ.
document.addEventListener("DOMContentLoaded", () => {
  const page = document.querySelector("[data-refreshes]");
  if (page) refreshLater(page);
  if (document.querySelector("[data-counts-down], [data-counts-up]")) {
    setInterval(tick, 1000);
  }
});

function refreshLater(page) {
  setTimeout(async () => {
    if (!document.hidden && !document.querySelector("dialog[open]")) await refresh(page);
    if (page.dataset.refreshes) refreshLater(page);
  }, page.dataset.refreshes * 1000);
}

async function refresh(page) {
  let fresh;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok || answer.redirected) return;
    fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  } catch {
    return; // The next time may succeed: the server restarts, the laptop wakes up.
  }
  for (const part of page.querySelectorAll("[data-part]")) {
    const other = fresh.querySelector(`[data-part="${part.dataset.part}"]`);
    if (other && other.innerHTML !== part.innerHTML) exchange(part, other);
  }
  const next = fresh.querySelector("[data-refreshes]");
  if (next) page.dataset.refreshes = next.dataset.refreshes;
  else delete page.dataset.refreshes;
}

// A page that waits asks a small question until its answer changes, then shows it.
document.addEventListener("DOMContentLoaded", () => {
  const page = document.querySelector("[data-awaits]");
  if (page) askLater(page, page.dataset.again);
});

function askLater(page, seconds) {
  setTimeout(async () => {
    let again = seconds;
    try {
      if (!document.hidden) again = await ask(page);
    } catch {
      // The next time may succeed: the server restarts, the laptop wakes up.
    }
    askLater(page, again);
  }, seconds * 1000);
}

async function ask(page) {
  const answer = await fetch(page.dataset.awaits);
  if (answer.redirected) location.reload(); // to log in again
  const told = await answer.json();
  if (page.querySelector("[data-mark]").dataset.mark !== told.mark) await refresh(page);
  return told.again;
}

// What was opened stays open, and what had the focus has it again.
function exchange(part, other) {
  const open = new Set([...part.querySelectorAll("details[open]")].map((d) => d.id));
  for (const details of other.querySelectorAll("details")) {
    details.open = open.has(details.id);
  }
  const focused = part.contains(document.activeElement) && document.activeElement;
  const address = focused && focused.getAttribute("href");
  const place = address ? `a[href="${CSS.escape(address)}"]` : "summary";
  part.replaceChildren(...other.childNodes);
  if (focused) part.querySelector(place)?.focus({ preventScroll: true });
}

function tick() {
  for (const clock of document.querySelectorAll("[data-counts-down], [data-counts-up]")) {
    const { countsDown, countsUp } = clock.dataset;
    const span = countsDown ? new Date(countsDown) - Date.now() : Date.now() - new Date(countsUp);
    const seconds = Math.floor(Math.max(0, span) / 1000);
    const parts = [Math.floor(seconds / 60), seconds % 60];
    if (parts[0] >= 60) parts.splice(0, 1, Math.floor(parts[0] / 60), parts[0] % 60);
    clock.textContent = parts
      .map((part, i) => (i ? String(part).padStart(2, "0") : part))
      .join(":");
  }
}

// A button that shows what the form as typed would do, without sending it off.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-previews]");
  if (!button) return;
  event.preventDefault();
  const shown = document.getElementById(button.dataset.previews);
  button.setAttribute("aria-disabled", "true");
  try {
    const answer = await fetch(button.formAction, {
      method: "POST",
      body: new FormData(button.form),
    });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById(shown.id);
    if (!answer.ok || !fresh) throw new Error(answer.statusText);
    shown.replaceChildren(...fresh.childNodes);
  } catch {
    shown.textContent = "The server gave no answer: try again.";
  }
  button.removeAttribute("aria-disabled");
});

// A link to a page that asks before something is done: the question comes to here.
document.addEventListener("click", async (event) => {
  const link = event.target.closest("a[data-asks]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  try {
    const answer = await fetch(link.href);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const dialog = document.createElement("dialog");
    dialog.className = "rm rm-dialog is-asking";
    dialog.append(document.adoptNode(page.getElementById(link.dataset.asks)));
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
  } catch {
    location.assign(link.href);
  }
});
