// Shows what holds every word that is typed. Without it the page is whole.
"use strict";
const box = document.getElementById("search");
if (box) {
  const told = document.getElementById("found");
  const entries = [...document.querySelectorAll("[data-operation]")].map((element) => ({
    element,
    text: element.textContent.toLowerCase(),
    link: element.id ? document.querySelector(`[data-of="${element.id}"]`) : null,
  }));
  const groups = [...document.querySelectorAll("[data-group]")];
  const search = () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    for (const { element, text, link } of entries) {
      const fits = words.every((word) => text.includes(word));
      element.hidden = !fits;
      if (link) link.hidden = !fits;
      if (fits) found += 1;
    }
    for (const group of groups) group.hidden = !group.querySelector("[data-operation]:not([hidden]), [data-of]:not([hidden])");
    told.textContent = words.length ? `${found} found` : "";
  };
  box.addEventListener("input", search);
  if (box.value) search();
}
