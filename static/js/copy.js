// static/js/copy.js: a click on [data-copy="#id"] copies that element's text (a field's value) and says data-copied
// aloud; where the clipboard is closed to us the text is selected, so that the reader's own keys copy it (data-copy-
// blocked).
document.addEventListener("click", async ({ target }) => {
  const button = target.closest("[data-copy]");
  if (!button) return;
  const source = document.querySelector(button.dataset.copy);
  const announcer = document.querySelector("#announcer");
  try {
    await navigator.clipboard.writeText(source.value ?? source.textContent);
    announcer.textContent = button.dataset.copied ?? "";
    const label = button.querySelector("[data-copy-label]");
    if (label && !button.dataset.copyBefore) {
      button.dataset.copyBefore = label.textContent;
      label.textContent = button.dataset.copied;
      setTimeout(() => { label.textContent = button.dataset.copyBefore; delete button.dataset.copyBefore; }, 2500);
    }
  } catch {
    if (source.select) source.select();
    else getSelection().selectAllChildren(source);
    announcer.textContent = button.dataset.copyBlocked ?? "";
  }
});
