// What makes the pages quicker to use. Without it everything works by itself: forms, links, confirmations as pages.

// A question that would be a page of its own is asked in a dialog; the page is still where it is written.
async function ask(url, options, opener) {
  const answer = await fetch(url, options);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const question = page.querySelector("form[data-question]");
  if (!question || answer.redirected) return false;
  const dialog = document.createElement("dialog");
  const head = question.querySelector("h1");
  head.id = "dialog-head";
  dialog.setAttribute("aria-labelledby", head.id);
  dialog.append(document.importNode(question, true));
  document.body.append(dialog);
  dialog.addEventListener("close", () => { dialog.remove(); opener.focus(); });
  dialog.querySelector("[data-close]").addEventListener("click", (event) => { event.preventDefault(); dialog.close(); });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.showModal();
  dialog.querySelector("[data-close]").focus(); // the answer that does no harm
  return true;
}

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-dialog]");
  if (!opener || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const menu = opener.closest("details.menu");
  if (menu) menu.open = false;
  const back = menu ? menu.querySelector("summary") : opener;
  if (opener.tagName === "A") {
    ask(opener.href, {}, back).then((asked) => { if (!asked) location.assign(opener.href); });
  } else {
    const body = new URLSearchParams(new FormData(opener.form, opener));
    ask(opener.formAction, { method: "POST", body }, back).then((asked) => {
      if (!asked) { delete opener.dataset.dialog; opener.click(); }
    });
  }
});

// A menu closes where one would expect it.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && event.target.closest?.("details.menu[open]");
  if (menu) { menu.open = false; menu.querySelector("summary").focus(); }
});

// What takes a while says so, and is asked once.
document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (!button?.dataset.busy) return;
  if (button.getAttribute("aria-busy")) { event.preventDefault(); return; }
  button.setAttribute("aria-busy", "true");
  button.textContent = button.dataset.busy;
});
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) break;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = "Copied";
  });
}

document.getElementById("trouble")?.focus();

// The list of models: how many are ticked, what was typed, and rows that can be dragged.
const list = document.getElementById("models");
if (list) {
  const ticks = [...list.querySelectorAll("input[name=id]")], all = list.querySelector("#all");
  const typed = [...list.querySelectorAll("input.small")], told = list.querySelector("#ticked"), plain = told.textContent;
  all.closest("label").hidden = false;
  for (const grip of list.querySelectorAll(".grip")) grip.hidden = false;

  const look = () => {
    const number = ticks.filter((tick) => tick.checked).length;
    all.checked = number > 0 && number === ticks.length;
    all.indeterminate = number > 0 && number < ticks.length;
    list.querySelector("[data-when=ticked]").hidden = number === 0;
    told.textContent = number ? `${number} ticked` : plain;
    let changed = false;
    for (const input of typed) changed = input.classList.toggle("typed", input.value.trim() !== input.defaultValue) || changed;
    list.querySelector("[data-when=typed]").hidden = !changed;
  };
  list.addEventListener("input", (event) => {
    if (event.target === all) for (const tick of ticks) tick.checked = all.checked;
    look();
  });
  look();

  let dragged = null, place = null;
  const unmark = () => { for (const row of list.querySelectorAll(".over, .under")) row.classList.remove("over", "under"); };
  list.addEventListener("pointerdown", (event) => {
    const grip = event.target.closest(".grip");
    if (!grip || event.button) return;
    dragged = grip.closest("tr");
    place = null;
    grip.setPointerCapture(event.pointerId);
    dragged.classList.add("dragged");
    document.body.classList.add("dragging");
    event.preventDefault();
  });
  list.addEventListener("pointermove", (event) => {
    if (!dragged) return;
    unmark();
    const rows = [...dragged.parentElement.querySelectorAll("tr[data-id]")];
    const next = rows.find((row) => { const box = row.getBoundingClientRect(); return event.clientY < box.top + box.height / 2; });
    const at = next ? rows.indexOf(next) : rows.length, own = rows.indexOf(dragged);
    place = at === own || at === own + 1 ? null : next ? next.dataset.id : "";
    if (place !== null) (next ?? rows.at(-1)).classList.add(next ? "over" : "under");
  });
  const drop = (event) => {
    if (!dragged) return;
    const row = dragged;
    dragged = null;
    unmark();
    row.classList.remove("dragged");
    document.body.classList.remove("dragging");
    if (event.type !== "pointerup" || place === null) return;
    const button = row.querySelector(".drop");
    button.value = place;
    button.click();
  };
  list.addEventListener("pointerup", drop);
  list.addEventListener("pointercancel", drop);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") drop(event); });
}
