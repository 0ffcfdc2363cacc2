// static/js/dialog.js: [data-dialog-open="id"] opens that <dialog>, [data-dialog-close] or a click beside it closes
// it. Focus goes back to the opener. A <dialog data-dialog-auto> that htmx brings opens at once. The opener may be a
// link: it works without scripts.
{
  const openers = new WeakMap();
  const open = (dialog, opener) => {
    if (!dialog || dialog.open) return;
    openers.set(dialog, opener);
    dialog.showModal();
  };

  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-dialog-open]");
    if (opener) {
      event.preventDefault();
      open(document.getElementById(opener.dataset.dialogOpen), opener);
    } else if (event.target.closest("[data-dialog-close]")) {
      event.target.closest("dialog")?.close();
    } else if (event.target.matches("dialog.dialog") && event.target.open) {
      const box = event.target.getBoundingClientRect();
      const across = event.clientX >= box.left && event.clientX <= box.right;
      const inside = across && event.clientY >= box.top && event.clientY <= box.bottom;
      if (!inside && event.detail > 0) event.target.close(); // detail 0: a click made by the keyboard
    }
  });
  document.addEventListener("close", ({ target }) => {
    const opener = openers.get(target);
    if (opener?.isConnected) opener.focus();
  }, true);
  document.addEventListener("htmx:load", ({ target }) => {
    const auto = "dialog[data-dialog-auto]";
    open(target.matches(auto) ? target : target.querySelector(auto), document.activeElement);
  });
}
