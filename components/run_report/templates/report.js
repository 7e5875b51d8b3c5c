"use strict";
/* Sorts a table by the column whose head is pressed: upwards first, then downwards. */
function sortable(table) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((one) => one.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...body.rows].filter((row) => !row.classList.contains("all"));
      rows.sort((one, other) => compare(value(one, column), value(other, column)) * (down ? -1 : 1));
      body.append(...rows);
    });
  });
}
function value(row, column) {
  const cell = row.cells[column];
  const text = (cell.dataset.sort || cell.textContent).trim();
  const number = parseFloat(text.replace(/,/g, ""));
  return Number.isNaN(number) ? text : number;
}
function compare(one, other) {
  if (typeof one === "number" && typeof other === "number") return one - other;
  return String(one).localeCompare(String(other));
}
document.querySelectorAll("table.sortable").forEach(sortable);

/* Only what scrolls is a stop of the Tab key. */
const boxes = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }
});
document.querySelectorAll(".scroll").forEach((box) => boxes.observe(box));

/* Marks the section that is read in the contents, and keeps its link in view. It is the last one whose top is where a
   link puts it or above; at the page's end, where further ones cannot get there, the one that a link led to. */
const parts = [...document.querySelectorAll("nav a")].map((link) => [link, document.getElementById(link.hash.slice(1))]);
let marked = null;
function topOf(part) { return part.getBoundingClientRect().top; }
function read() {
  const root = document.documentElement;
  if (root.scrollHeight > root.clientHeight && window.scrollY + root.clientHeight > root.scrollHeight - 2) {
    const led = parts.find(([link, part]) => link.hash === location.hash && topOf(part) < root.clientHeight && topOf(part) > 0);
    return led || parts[parts.length - 1];
  }
  return parts.findLast(([, part]) => topOf(part) < parseFloat(getComputedStyle(part).scrollMarginTop) + 8);
}
function mark() {
  const [current] = read() || [null];
  if (current === marked) return;
  if (marked) marked.removeAttribute("aria-current");
  marked = current;
  if (!current) return;
  current.setAttribute("aria-current", "true");
  const list = current.closest("ul");
  list.scrollLeft = current.parentElement.offsetLeft - 16;
}
let waits = false;
document.addEventListener("scroll", () => {
  if (waits) return;
  waits = true;
  requestAnimationFrame(() => { waits = false; mark(); });
}, { passive: true });
mark();

/* A closed part is printed open. */
window.addEventListener("beforeprint", () => {
  document.querySelectorAll("details").forEach((one) => { one.open = true; });
});
