"""A stand-in for Toss Payments: a real HTTP server in its own process, with faults on demand.

A test takes the fixture `toss` (import it and `toss_process` from `tests.toss.fixtures` into a conftest):

    def test_a_lost_answer_is_looked_up(toss):
        payment_key = toss.authorise(order_id="order-0001", amount=12_900)   # a buyer agreed in the window
        toss.fault(kind="drop", on="confirm", executed=True)                 # charged, but the answer is lost
        ...                                                                  # the shop confirms at toss.url
        assert toss.books()["orders"]["order-0001"]["charges"] == 1

`control.py` lists what a test can do, `faults.py` the faults, `engine.Settings` what can be switched. `engine.py` keeps
the books and the rules, `api.py` the keys, routes and idempotency, `webhooks.py` what the shop is told, `pages.py` and
`browser/` what the buyer sees, `server.py` carries bytes. By hand: `python -m tests.toss.server --port 8900`.

Not there: billing, BrandPay, payouts, `POST /v1/virtual-accounts`, overseas methods, `renderPaymentWindow`, and
payments without return addresses (promise mode).
"""
