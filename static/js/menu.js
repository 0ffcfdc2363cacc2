// static/js/menu.js: Escape, a click elsewhere or the focus leaving closes <details class="menu">; one is open at a
// time.
{
  const menus = () => document.querySelectorAll("details.menu[open]");

  document.addEventListener("keydown", ({ key, target }) => {
    if (key !== "Escape") return;
    for (const menu of menus()) {
      menu.open = false;
      if (menu.contains(target)) menu.querySelector("summary").focus();
    }
  });
  for (const kind of ["click", "focusin"]) {
    document.addEventListener(kind, ({ target }) => {
      for (const menu of menus()) if (!menu.contains(target)) menu.open = false;
    });
  }
}
