// static/js/print.js: a click on [data-print] prints the page.
document.addEventListener("click", ({ target }) => {
  if (target.closest("[data-print]")) print();
});
