// static/js/share.js: [data-share] opens the device's share sheet for data-share-url (this page without one); where
// there is none the address is copied and data-shared said aloud and shown.
document.addEventListener("click", async ({ target }) => {
  const button = target.closest("[data-share]");
  if (!button) return;
  const url = new URL(button.dataset.shareUrl ?? location.href, location.href).href;
  try {
    if (navigator.share && matchMedia("(pointer: coarse)").matches) {
      await navigator.share({ title: button.dataset.shareTitle ?? document.title, url });
      return;
    }
    await navigator.clipboard.writeText(url);
    document.querySelector("#announcer").textContent = button.dataset.shared ?? "";
    const label = button.querySelector("[data-share-label]");
    if (label) label.textContent = button.dataset.shared;
  } catch (error) {
    // AbortError: the person closed the sheet, so there is nothing to say
    if (error.name !== "AbortError") prompt(button.dataset.shareTitle ?? "", url);
  }
});
