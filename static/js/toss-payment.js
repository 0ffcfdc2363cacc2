// static/js/toss-payment.js: the payment page. What is to be paid stands in #toss-payment (JSON from the database); this loads the
// provider's script and opens its window ("payment"), once by itself and then by [data-toss-pay], or draws its widgets
// ("widgets") into #toss-methods and #toss-agreement. What there is to say stands in <template data-toss-note>. Source: fact
// sheet, section 1.
{
  const LOAD_MS = 15000;
  const NOTES = {
    USER_CANCEL: "closed",
    PAY_PROCESS_CANCELED: "closed",
    NOT_SELECTED_PAYMENT_METHOD: "choose",
    NEED_CARD_PAYMENT_DETAIL: "choose",
    NEED_REFUND_ACCOUNT_DETAIL: "choose",
    NEED_AGREEMENT_WITH_REQUIRED_TERMS: "agree",
    PROVIDER_STATUS_UNHEALTHY: "unhealthy",
  };
  const { sdkUrl, clientKey, product, customerKey, amount, request, reference } = JSON.parse(
    document.querySelector("#toss-payment").textContent,
  );
  const button = document.querySelector("[data-toss-pay]");
  let openWindow = null; // once the provider's script is there

  const say = (name) => {
    const note = name && document.querySelector(`[data-toss-note="${name}"]`).content.cloneNode(true);
    document.querySelector(".payment-notes").replaceChildren(...(note ? [note] : []));
  };
  const setBusy = (isBusy) => {
    button.disabled = isBusy;
    if (isBusy) button.setAttribute("aria-busy", "true");
    else button.removeAttribute("aria-busy");
  };

  const load = () => new Promise((resolve, reject) => {
    if (window.TossPayments) return resolve();
    const script = Object.assign(document.createElement("script"), { src: sdkUrl });
    script.onload = () => (window.TossPayments ? resolve() : reject(new Error("empty script")));
    script.onerror = () => { script.remove(); reject(new Error("no script")); };
    setTimeout(reject, LOAD_MS, new Error("late script"));
    document.head.append(script);
  });

  const prepareWindow = () => {
    const payment = TossPayments(clientKey).payment({ customerKey });
    return () => payment.requestPayment({ method: "CARD", amount, card: { flowMode: "DEFAULT" }, ...request });
  };
  const prepareWidgets = async () => {
    for (const slot of document.querySelectorAll("#toss-methods, #toss-agreement")) slot.replaceChildren();
    const widgets = TossPayments(clientKey).widgets({ customerKey });
    await widgets.setAmount(amount);
    await Promise.all([
      widgets.renderPaymentMethods({ selector: "#toss-methods", variantKey: "DEFAULT" }),
      widgets.renderAgreement({ selector: "#toss-agreement", variantKey: "AGREEMENT" }),
    ]);
    return () => widgets.requestPayment(request);
  };

  const prepare = async () => {
    setBusy(true);
    say("loading");
    try {
      await load();
    } catch {
      say("blocked");
      return setBusy(false);
    }
    try {
      openWindow = await (product === "widgets" ? prepareWidgets() : prepareWindow());
      say("");
    } catch {
      say("failed");
    }
    setBusy(false);
  };

  const pay = async () => {
    if (!openWindow) {
      await prepare();
      if (!openWindow || product === "widgets") return; // how to pay is chosen first
    }
    setBusy(true);
    say("open");
    try {
      await openWindow(); // by then the browser is elsewhere
    } catch (error) {
      say(NOTES[error?.code] ?? "failed");
      setBusy(false);
      button.focus();
    }
  };

  // The window opens by itself once: whoever comes back with the back button is not sent there again.
  const isFirstVisit = () => {
    const key = `toss-opened-${reference}`;
    try {
      if (sessionStorage.getItem(key)) return false;
      sessionStorage.setItem(key, "1");
      return true;
    } catch {
      return false;
    }
  };

  button.addEventListener("click", pay);
  addEventListener("pageshow", ({ persisted }) => { if (persisted) location.reload(); }); // the order may be paid by now
  if (product === "payment" && isFirstVisit()) {
    setBusy(true);
    // Before a page is loaded, browsers put where it leads in its place, and Back would go past it.
    if (document.readyState === "complete") pay();
    else addEventListener("load", pay, { once: true });
  } else prepare();
}
