// static/js/catalog-list.js: lists that htmx changes. The region says that it is busy, opened <details> stay open when the counts
// beside them are drawn anew, "show more" leads to the first new card, and the sheet of filters acts as a dialog on a phone.
{
  const results = () => document.querySelector("#results");
  let opened = [];
  let cardsBefore = 0;

  document.addEventListener("htmx:beforeRequest", ({ target }) => {
    if (target.matches("[data-more]")) cardsBefore = document.querySelectorAll("#cards > li").length;
    else results()?.setAttribute("aria-busy", "true");
  });
  document.addEventListener("htmx:afterRequest", () => results()?.removeAttribute("aria-busy"));
  document.addEventListener("htmx:beforeSwap", () => {
    opened = [...document.querySelectorAll("#filters details[open]")].map(({ id }) => id);
  });
  document.addEventListener("htmx:oobAfterSwap", () => {
    for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
  });
  document.addEventListener("htmx:afterSettle", ({ detail }) => {
    if (!cardsBefore || detail.target?.id !== "more") return;
    document.querySelectorAll("#cards > li")[cardsBefore]?.querySelector("a").focus();
    cardsBefore = 0;
  });

  // A popover is no dialog by itself: what lies behind it must not be reached, and its role must be said.
  const setModal = (sheet, isOpen) => {
    if (isOpen) sheet.setAttribute("role", "dialog");
    else sheet.removeAttribute("role");
    for (let node = sheet; node !== document.body; node = node.parentElement) {
      for (const other of node.parentElement.children) if (other !== node) other.inert = isOpen;
    }
  };
  document.addEventListener("beforetoggle", ({ target, newState }) => {
    if (target.id === "filters" && newState === "closed") setModal(target, false); // before the focus goes back to the opener
  }, true);
  document.addEventListener("toggle", ({ target, newState }) => {
    if (target.id !== "filters" || newState !== "open") return;
    setModal(target, true);
    target.querySelector("button").focus();
  }, true);
}
