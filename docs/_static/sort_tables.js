// Lets a reader sort tables of the class "sortable" by a click on a heading. Without scripts, tables stay as they are.
(function () {
  "use strict";
  const SECONDS = { ns: 1e-9, us: 1e-6, "µs": 1e-6, ms: 1e-3, s: 1, min: 60 };

  // "< 1 ms" sorts as a little less than 1 ms, "1.98x [1.95, 2.01]" as 1.98; a cell without a number comes last.
  function value(cell) {
    const text = cell.textContent.trim();
    const found = /^(<\s)?(\d[\d,]*\.?\d*)\s*(ns|us|µs|ms|s|min|x)?(?![a-z])/.exec(text);
    if (!found) return null;
    const number = parseFloat(found[2].replace(/,/g, "")) * (SECONDS[found[3]] || 1);
    return found[1] ? number * 0.999 : number;
  }

  function compare(column, numeric, direction) {
    return function (one, other) {
      const a = one.cells[column], b = other.cells[column];
      if (!numeric) return direction * a.textContent.trim().localeCompare(b.textContent.trim());
      const x = value(a), y = value(b);
      if (x === null || y === null) return (x === null) - (y === null);
      return direction * (x - y);
    };
  }

  function prepare(table) {
    const body = table.tBodies[0];
    const heads = Array.from(table.tHead.rows[0].cells);
    heads.forEach(function (head, column) {
      const button = document.createElement("button");
      button.type = "button";
      button.title = "Sort by this column";
      button.style.cssText = "font:inherit;color:inherit;background:none;border:0;padding:0;cursor:pointer;text-align:inherit";
      const arrow = document.createElement("span");
      arrow.setAttribute("aria-hidden", "true");
      arrow.textContent = " ↕";
      button.append(...head.childNodes, arrow);
      head.append(button);
      button.addEventListener("click", function () {
        const rows = Array.from(body.rows);
        const filled = rows.map((row) => row.cells[column].textContent.trim()).filter(Boolean);
        const numeric = column > 0 && filled.some((text) => /^(<\s)?\d/.test(text));
        const descending = head.getAttribute("aria-sort") === "ascending";
        rows.sort(compare(column, numeric, descending ? -1 : 1)).forEach((row) => body.append(row));
        heads.forEach(function (other) {
          other.removeAttribute("aria-sort");
          other.querySelector("button > span[aria-hidden]").textContent = " ↕";
        });
        head.setAttribute("aria-sort", descending ? "descending" : "ascending");
        arrow.textContent = descending ? " ↓" : " ↑";
      });
    });
  }

  document.addEventListener("DOMContentLoaded", function () {
    document.querySelectorAll("table.sortable").forEach(prepare);
  });
})();
