// static/js/search.js: "/" goes to the search box (people can switch that off: [data-shortcut-switch]), and half-typed Korean is
// never searched: what a search box tells while a syllable is being composed stays in it, and the Enter that ends one
// submits nothing.
{
  const root = document.documentElement;
  const remember = (value) => { try { localStorage.setItem("shortcuts", value); } catch { /* only this page then */ } };
  const useShortcuts = (value) => {
    root.dataset.shortcuts = value;
    for (const button of document.querySelectorAll("[data-shortcut-switch]")) {
      button.setAttribute("aria-pressed", String(value === "on"));
    }
  };
  try { useShortcuts(localStorage.getItem("shortcuts") ?? "on"); } catch { useShortcuts("on"); }
  document.addEventListener("click", ({ target }) => {
    if (!target.closest("[data-shortcut-switch]")) return;
    useShortcuts(root.dataset.shortcuts === "on" ? "off" : "on");
    remember(root.dataset.shortcuts);
  });

  const isSearch = (element) => element.matches?.("input[type=search], [data-live-search]");

  document.addEventListener("input", (event) => {
    if (event.isComposing && isSearch(event.target)) event.stopImmediatePropagation();
  }, true);
  document.addEventListener("compositionend", ({ target }) => {
    if (isSearch(target)) setTimeout(() => target.dispatchEvent(new Event("input", { bubbles: true })));
  });
  document.addEventListener("keydown", (event) => {
    // keyCode 229: Safari sends the ending Enter after compositionend
    const composing = event.isComposing || event.keyCode === 229;
    if (event.key === "Enter" && composing && isSearch(event.target)) event.preventDefault();
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.target.closest("input, textarea, select, [contenteditable], dialog")) return;
    if (root.dataset.shortcuts === "off") return;
    const box = document.querySelector("#main input[type=search]") ?? document.querySelector("input[type=search]");
    if (!box) return;
    event.preventDefault();
    box.focus();
    box.select();
  });
}
