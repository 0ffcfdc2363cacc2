// static/js/htmx-errors.js: when a request of htmx fails, one toast says so and offers to repeat it. The words stand
// in <template id="request-problem"> of base.html.
{
  const words = { 403: "forbidden", 404: "gone", 410: "gone", 429: "busy" };
  const alerts = document.querySelector("#alerts");
  const template = document.querySelector("#request-problem");

  const complain = ({ requestConfig }, word) => {
    const toast = template.content.cloneNode(true).firstElementChild;
    toast.querySelector(".toast__text").textContent = template.dataset[word];
    toast.querySelector("[data-retry]").addEventListener("click", () => {
      toast.remove();
      const { verb, path, elt, target } = requestConfig;
      htmx.ajax(verb, path, elt.isConnected ? { source: elt, target } : { target });
    });
    alerts.replaceChildren(toast);
  };

  document.addEventListener("htmx:beforeRequest", () => alerts.replaceChildren());
  document.addEventListener("htmx:responseError", ({ detail }) => {
    complain(detail, words[detail.xhr.status] ?? "server");
  });
  document.addEventListener("htmx:sendError", ({ detail }) => complain(detail, "offline"));
  document.addEventListener("htmx:timeout", ({ detail }) => complain(detail, "slow"));
}
