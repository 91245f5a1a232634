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
    closer.closest("dialog")?.close();
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
