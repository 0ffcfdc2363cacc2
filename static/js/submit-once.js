// static/js/submit-once.js: a form that was just sent is not sent again by a second click; its button shows that it works.
// A download leaves the page standing, so the form opens again after 5 s; so does one that the back button brings back.
{
  const release = (form) => {
    delete form.dataset.sent;
    for (const button of document.querySelectorAll("button[aria-busy='true']")) {
      if (button.form === form) button.removeAttribute("aria-busy");
    }
  };

  document.addEventListener("submit", (event) => {
    const { target: form, submitter } = event;
    if (event.defaultPrevented || form.getAttribute("method")?.toLowerCase() !== "post") return;
    if ("sent" in form.dataset) return event.preventDefault();
    form.dataset.sent = "";
    submitter?.setAttribute("aria-busy", "true");
    setTimeout(() => release(form), 5000);
  });
  addEventListener("pageshow", () => document.querySelectorAll("form[data-sent]").forEach(release));
}
