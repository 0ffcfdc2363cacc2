// static/js/theme.js: runs before the first paint. Pins light or dark when chosen; tells the style sheets that scripts
// run.
{
  const root = document.documentElement;
  // Storage may be switched off; the choice then holds for this page.
  const read = (key) => { try { return localStorage.getItem(key); } catch { return null; } };
  const write = (key, value) => { try { localStorage.setItem(key, value); } catch { /* see above */ } };
  const show = (choice) => {
    if (choice === "light" || choice === "dark") root.dataset.theme = choice;
    else delete root.dataset.theme;
    for (const button of document.querySelectorAll("[data-theme-choice]")) {
      button.setAttribute("aria-pressed", String(button.dataset.themeChoice === (root.dataset.theme ?? "auto")));
    }
  };

  root.dataset.js = "";
  show(read("theme"));
  document.addEventListener("DOMContentLoaded", () => show(read("theme")));
  window.addEventListener("storage", ({ key, newValue }) => { if (key === "theme") show(newValue); });
  document.addEventListener("click", ({ target }) => {
    const button = target.closest("[data-theme-choice]");
    if (!button) return;
    write("theme", button.dataset.themeChoice);
    show(button.dataset.themeChoice);
  });
}
