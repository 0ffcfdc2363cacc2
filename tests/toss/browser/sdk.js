// The provider's script for tests: TossPayments(clientKey) with payment() and widgets(), as the second version has them.
// What it cannot judge itself (fields, amounts, keys) the stand-in judges when the payment is opened.
(() => {
  const ORIGIN = new URL(document.currentScript.src).origin;
  const ANONYMOUS = "@@ANONYMOUS";
  let isRunning = false;

  class TossPaymentsError extends Error {
    constructor(code, message) {
      super(message || code);
      this.name = "TossPaymentsError";
      this.code = code;
    }
  }
  const refuse = (code, message) => { throw new TossPaymentsError(code, message); };

  // A page kept by the browser and shown again after "back" can ask again.
  addEventListener("pageshow", ({ persisted }) => { if (persisted) isRunning = false; });

  function checkCustomerKey(customerKey) {
    if (typeof customerKey !== "string") refuse("INVALID_CUSTOMER_KEY");
    if (/^(test|live)_g?sk_/.test(customerKey)) refuse("INSECURE_KEY_USAGE");
    if (!/^[A-Za-z0-9_=.@-]{2,50}$/.test(customerKey)) refuse("INVALID_CUSTOMER_KEY");
  }

  function frameOf(src, parent, onMessage) {
    const frame = document.createElement("iframe");
    frame.src = src;
    const listen = ({ origin, source, data }) => {
      if (origin === ORIGIN && source === frame.contentWindow) onMessage(data, remove);
    };
    const remove = () => { removeEventListener("message", listen); frame.remove(); };
    addEventListener("message", listen);
    parent.append(frame);
    return { frame, remove };
  }

  function openInFrame(url) {
    return new Promise((resolve, reject) => {
      const { frame } = frameOf(`${url}?framed=1`, document.body, (data, remove) => {
        if (data.kind === "leave") location.assign(data.url);
        if (data.kind === "close") {
          remove();
          reject(new TossPaymentsError("USER_CANCEL", "결제창이 닫혔습니다."));
        }
      });
      frame.title = "결제창";
      Object.assign(frame.style, { position: "fixed", inset: "0", width: "100%", height: "100%", border: "0", background: "white", zIndex: "2147483647" });
    });
  }

  async function open(clientKey, product, customerKey, request) {
    if (isRunning) refuse("INVALID_METHOD_TRANSACTION", "다른 결제 요청이 진행 중입니다.");
    if (request === null || typeof request !== "object") refuse("INVALID_PARAMETERS");
    const isMobile = /Mobi|Android/i.test(navigator.userAgent);
    if (!request.successUrl && !request.failUrl) refuse(isMobile ? "NOT_SUPPORTED_PROMISE" : "INCORRECT_SUCCESS_URL_FORMAT");
    isRunning = true;
    try {
      const answer = await fetch(`${ORIGIN}/sdk/payments`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ clientKey, product, customerKey, isMobile, request }),
      });
      const opened = await answer.json();
      if (!answer.ok) refuse(opened.code, opened.message);
      if (opened.windowTarget === "iframe") return await openInFrame(opened.windowUrl);
      location.assign(opened.windowUrl);
      return await new Promise(() => {}); // the page is leaving
    } catch (error) {
      isRunning = false;
      throw error instanceof TossPaymentsError ? error : new TossPaymentsError("UNKNOWN", String(error));
    }
  }

  function payment(clientKey, { customerKey } = {}) {
    if (/_gck_/.test(clientKey)) refuse("NOT_SUPPORTED_WIDGET_KEY");
    checkCustomerKey(customerKey);
    return { requestPayment: (request) => open(clientKey, "payment", customerKey, request) };
  }

  function widgets(clientKey, { customerKey } = {}) {
    if (!/_gck_/.test(clientKey)) refuse("NOT_SUPPORTED_API_INDIVIDUAL_KEY");
    checkCustomerKey(customerKey);
    let amount = null;
    let method = null;
    let hasAgreed = false;

    // Resolves once the frame has drawn itself; `onMessage` hears what the buyer chooses in it.
    function render({ selector, variantKey } = {}, variant, path, onMessage) {
      if (!amount) refuse("NOT_SETUP_AMOUNT", "setAmount를 먼저 호출해야 합니다.");
      if ((variantKey ?? variant) !== variant) refuse("INVALID_VARIANT_KEY");
      let place = null;
      try { place = document.querySelector(selector); } catch { /* no selector at all */ }
      if (!place) refuse("INVALID_SELECTOR");
      const listeners = {};
      return new Promise((resolve) => {
        const { frame, remove } = frameOf(`${ORIGIN}/widgets/${path}`, place, (data) => {
          const [name, value] = onMessage(data);
          (listeners[name] || []).forEach((listener) => listener(value));
          if (data.kind === "ready") {
            resolve({
              on(event, listener) { (listeners[event] ||= []).push(listener); },
              async destroy() { remove(); },
              async getSelectedPaymentMethod() { return { code: method }; },
            });
          }
        });
        frame.title = variant;
        Object.assign(frame.style, { width: "100%", height: "8rem", border: "0" });
      });
    }

    return {
      async setAmount(value) {
        if (value?.currency !== "KRW") refuse("INVALID_AMOUNT_CURRENCY");
        if (!Number.isInteger(value.value)) refuse("INVALID_AMOUNT_VALUE");
        if (value.value <= 0) refuse("BELOW_ZERO_AMOUNT");
        amount = { currency: "KRW", value: value.value };
      },
      async renderPaymentMethods(options) {
        return render(options, "DEFAULT", "methods", (data) => {
          method = data.method;
          return ["paymentMethodSelect", { code: method }];
        });
      },
      async renderAgreement(options) {
        return render(options, "AGREEMENT", "agreement", (data) => {
          hasAgreed = data.hasAgreed;
          return ["agreementStatusChange", { agreedRequiredTerms: hasAgreed }];
        });
      },
      async requestPayment(request) {
        if (!amount) refuse("NOT_SETUP_AMOUNT", "setAmount를 먼저 호출해야 합니다.");
        if (!method) refuse("NOT_SELECTED_PAYMENT_METHOD");
        if (!hasAgreed) refuse("NEED_AGREEMENT_WITH_REQUIRED_TERMS");
        if (request && ("amount" in request || "method" in request)) refuse("INVALID_PARAMETERS", "amount, method");
        return open(clientKey, "widgets", customerKey, request && { ...request, amount, method });
      },
    };
  }

  function TossPayments(clientKey) {
    if (!/^(test|live)_g?ck_\w+$/.test(clientKey)) refuse("INVALID_CLIENT_KEY");
    return {
      ANONYMOUS,
      payment: (options) => payment(clientKey, options),
      widgets: (options) => widgets(clientKey, options),
    };
  }
  TossPayments.ANONYMOUS = ANONYMOUS;
  window.TossPayments = TossPayments;
})();
