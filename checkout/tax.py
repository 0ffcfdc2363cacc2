"""The value added tax in what was paid."""


def split_vat(amount_krw: int) -> int:
    """The tax contained in a price with VAT: a tenth of the supply, so an eleventh of it, rounded half up."""
    return (amount_krw * 2 + 11) // 22
