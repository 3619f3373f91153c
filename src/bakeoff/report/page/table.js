"use strict";
// Tables sort by their headings; the first one is filtered. Without this script every table is there, unsorted.

function valueOf(row, index) {
  const cell = row.cells[index];
  if (cell.dataset.sort === undefined) return cell.textContent.trim().toLowerCase();
  return cell.dataset.sort === "" ? null : Number(cell.dataset.sort);
}

function compare(a, b, direction) {
  if (a === null || b === null) return (a === null) - (b === null); // what is not there stands last, either way
  const order = typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true });
  return order * direction;
}

function sort(table, heading) {
  const direction = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
  const index = heading.cellIndex;
  const rows = [...table.tBodies[0].rows].sort((a, b) => compare(valueOf(a, index), valueOf(b, index), direction));
  table.tBodies[0].append(...rows);
  for (const other of table.tHead.rows[0].cells) other.setAttribute("aria-sort", "none");
  heading.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
}

for (const table of document.querySelectorAll("table")) {
  for (const button of table.querySelectorAll("thead button")) {
    button.addEventListener("click", () => sort(table, button.parentElement));
  }
}

function filter(form) {
  const words = form.querySelector("input").value.toLowerCase().split(/\s+/).filter(Boolean);
  const chosen = [...form.querySelectorAll("select")].filter((select) => select.value);
  const rows = [...document.getElementById(form.dataset.for).querySelectorAll("tbody tr")];
  for (const row of rows) {
    const text = row.textContent.toLowerCase();
    const fits = (select) => row.cells[select.dataset.column].textContent.trim() === select.value;
    row.hidden = !(words.every((word) => text.includes(word)) && chosen.every(fits));
  }
  const shown = rows.filter((row) => !row.hidden).length;
  form.querySelector("output").textContent = `${shown} of ${rows.length} cases`;
}

for (const form of document.querySelectorAll("form.filters")) {
  for (const happening of ["input", "change"]) form.addEventListener(happening, () => filter(form));
  form.addEventListener("submit", (event) => event.preventDefault());
  filter(form);
}

// On paper nothing can be unfolded.
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});
