// static/js/unsaved.js: leaving the page asks first while a form[data-unsaved] holds something that was not sent.
// data-unsaved-now: it holds such from the start, because the answer was a refusal.
{
  const unsaved = () => document.querySelector("form[data-unsaved-now]:not([data-sent])");

  document.addEventListener("input", ({ target }) => {
    target.form?.matches("[data-unsaved]") && target.form.setAttribute("data-unsaved-now", "");
  });
  addEventListener("beforeunload", (event) => { if (unsaved()) event.preventDefault(); });
}
