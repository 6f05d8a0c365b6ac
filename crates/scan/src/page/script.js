
"use strict";
// The page is whole without this: it only finds, sorts and opens what is there.
const tools = document.getElementById("tools");
if (tools) {
  const body = document.querySelector("#patterns tbody");
  const rows = [...body.rows].map((row) => ({ row, text: row.cells[2].textContent.toLowerCase(), data: row.dataset }));
  const words = document.getElementById("words"), which = document.getElementById("which"), order = document.getElementById("order");
  const shown = document.getElementById("shown");
  const orders = {
    most: (a, b) => b.data.count - a.data.count,
    least: (a, b) => a.data.count - b.data.count,
    newest: (a, b) => b.data.first - a.data.first,
  };
  const draw = () => {
    const wanted = words.value.toLowerCase().split(" ").filter(Boolean);
    let count = 0;
    for (const { row, text, data } of rows) {
      const fits = wanted.every((word) => text.includes(word))
        && (which.value === "all" || (which.value === "late" ? data.late === "1" : data.level !== ""));
      row.hidden = !fits;
      count += fits;
    }
    shown.textContent = count + " of " + rows.length + " patterns";
  };
  order.addEventListener("change", () => body.append(...rows.sort(orders[order.value]).map(({ row }) => row)));
  words.addEventListener("input", draw);
  which.addEventListener("change", draw);
  tools.hidden = false;
  draw();
}
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((it) => { it.open = true; }));
