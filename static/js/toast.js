// static/js/toast.js: a toast with data-toast="pass" leaves after 5 s (data-toast-seconds="8" for another time), never
// while the pointer or the focus is on it. [data-toast-close] closes one at once.
{
  const hold = (toast) => toast.matches(":hover, :focus-within");
  const leave = (toast) => {
    const seconds = toast.dataset.toastSeconds ?? 5;
    setTimeout(() => (hold(toast) ? leave(toast) : toast.remove()), seconds * 1000);
  };
  const watch = (root) => {
    for (const toast of root.querySelectorAll?.("[data-toast='pass']:not([data-toast-timed])") ?? []) {
      toast.dataset.toastTimed = "";
      leave(toast);
    }
  };

  watch(document);
  for (const region of document.querySelectorAll(".toasts")) {
    new MutationObserver(() => watch(region)).observe(region, { childList: true });
  }
  document.addEventListener("click", ({ target }) => {
    if (target.closest("[data-toast-close]")) target.closest("[data-toast]").remove();
  });
}
