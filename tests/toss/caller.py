"""How the tests of the stand-in call it."""

import requests


class Caller:
    """A shop that talks to the stand-in with one key over one kept connection."""

    def __init__(self, toss, secret_key=None):
        self.url = toss.url
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.auth = (secret_key or toss.secret_key, "")

    def get(self, path, **query):
        return self.session.get(self.url + path, params=query, timeout=10)

    def post(self, path, body, **headers):
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.session.post(self.url + path, json=body, headers=names, timeout=10, allow_redirects=False)

    def confirm(self, payment_key, order_id="order-0001", amount=15_000, **headers):
        body = {"paymentKey": payment_key, "orderId": order_id, "amount": amount}
        return self.post("/v1/payments/confirm", body, **headers)

    def cancel(self, payment_key, body=None, **headers):
        return self.post(f"/v1/payments/{payment_key}/cancel", {"cancelReason": "변심"} | (body or {}), **headers)

    def look_up(self, payment_key):
        return self.get(f"/v1/payments/{payment_key}")


def refusal(answer) -> tuple[int, str]:
    assert set(answer.json()) == {"code", "message"}
    return answer.status_code, answer.json()["code"]
