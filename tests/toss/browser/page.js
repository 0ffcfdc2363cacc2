// The pages of the stand-in that stand in a frame tell the shop's page what the buyer did.
const tell = (data) => { if (parent !== window) parent.postMessage(data, "*"); };
const { leave } = document.body.dataset;
const methods = document.querySelector("[data-methods]");
const agreement = document.querySelector("[data-agreement]");

if (leave) tell({ kind: "leave", url: leave });
document.querySelector("[data-close]")?.addEventListener("click", () => tell({ kind: "close" }));

if (methods) {
  const chosen = (kind) => tell({ kind, method: methods.querySelector(":checked").value });
  methods.addEventListener("change", () => chosen("chosen"));
  chosen("ready");
}
if (agreement) {
  const state = (kind) => tell({ kind, hasAgreed: agreement.checked });
  agreement.addEventListener("change", () => state("chosen"));
  state("ready");
}
