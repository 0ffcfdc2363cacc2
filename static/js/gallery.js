// static/js/gallery.js: thumbnails move the track without moving the page, the track marks its thumbnail, [data-zoom]
// opens the picture large in a dialog. Without scripts thumbnails are anchors and pictures are links.
{
  const zoom = Object.assign(document.createElement("dialog"), { className: "dialog zoom" });
  zoom.addEventListener("click", () => zoom.close());

  document.addEventListener("click", (event) => {
    const thumb = event.target.closest(".gallery__thumbs a");
    if (thumb) {
      event.preventDefault();
      document.querySelector(thumb.hash)?.scrollIntoView({ block: "nearest", inline: "center" });
    }
    const picture = event.target.closest("[data-zoom]");
    if (picture && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      const { alt, attributes } = picture.querySelector("img");
      zoom.classList.toggle("zoom--long", attributes.height.value > 2 * attributes.width.value);
      zoom.setAttribute("aria-label", alt);
      zoom.replaceChildren(Object.assign(new Image(), { src: picture.href, alt }));
      document.body.append(zoom);
      zoom.showModal();
    }
  });
  document.addEventListener("scroll", ({ target }) => {
    if (!target.matches?.(".gallery__track")) return;
    const index = Math.round(target.scrollLeft / target.clientWidth);
    target.closest("[data-gallery]").querySelectorAll(".gallery__thumbs a").forEach((thumb, i) => {
      thumb.setAttribute("aria-current", String(i === index));
    });
  }, true);
}
