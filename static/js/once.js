// static/js/once.js: what stands in [data-once] is seen once. Leaving the page puts the words of the attribute in its
// place, so that a page which the browser kept for the back button does not show it again.
addEventListener("pagehide", () => {
  for (const shown of document.querySelectorAll("[data-once]")) shown.textContent = shown.dataset.once;
});
