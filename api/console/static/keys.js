// The keyboard: `/` search, `j` and `k` rows, `Enter` opens, `x` selects, `?` help. Pages work without it.
"use strict";

(() => {
  const rows = () => [...document.querySelectorAll("[data-row]")];
  const typing = (element) => element && (element.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(element.tagName));

  function go(step) {
    const all = rows();
    if (all.length === 0) return;
    const now = all.indexOf(document.activeElement && document.activeElement.closest("[data-row]"));
    const next = now < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, now + step));
    all[next].focus();
    all[next].scrollIntoView({ block: "nearest" });
  }

  function help() {
    const dialog = document.getElementById("keys-help");
    if (!dialog) return;
    if (dialog.open) dialog.close();
    else dialog.showModal();
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    const row = event.target instanceof Element ? event.target.closest("[data-row]") : null;
    if (event.key === "/") {
      const box = document.querySelector("[data-search]");
      if (!box) return;
      box.focus();
    } else if (event.key === "j") go(1);
    else if (event.key === "k") go(-1);
    else if (event.key === "?") help();
    else if (event.key === "Enter" && row && event.target === row) {
      const link = row.querySelector("a[href]");
      if (link) link.click();
    } else if (event.key === "x" && row) {
      const box = row.querySelector("input[type=checkbox]");
      if (box) box.click();
      else row.toggleAttribute("data-selected");
    } else return;
    event.preventDefault();
  });
})();
