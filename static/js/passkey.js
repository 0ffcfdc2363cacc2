// static/js/passkey.js: allauth reports a passkey that was refused or broken off as "allauth.error"; say it in words.
document.addEventListener("allauth.error", (event) => {
  event.preventDefault();
  const words = document.getElementById("passkey-problem").dataset;
  const kind = { InvalidStateError: "known", NotSupportedError: "unsupported", SecurityError: "unsupported" };
  const name = event.detail.exception?.name;
  const text = words[window.PublicKeyCredential ? (kind[name] ?? "refused") : "unsupported"];
  const notice = document.createElement("p");
  notice.className = "toast toast--error";
  notice.textContent = text;
  document.getElementById("alerts").replaceChildren(notice);
});
