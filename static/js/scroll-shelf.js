// static/js/scroll-shelf.js: [data-shelf="prev"] and [data-shelf="next"] inside .shelf move its track by almost one
// width.
document.addEventListener("click", ({ target }) => {
  const button = target.closest("[data-shelf]");
  if (!button) return;
  const track = button.closest(".shelf").querySelector(".shelf__track");
  track.scrollBy({ left: (button.dataset.shelf === "next" ? 0.9 : -0.9) * track.clientWidth });
});
