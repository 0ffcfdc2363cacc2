"""Staff decide about applications here, and look after sellers and the mails to them."""

from sellers.admin import applications, mails, sellers

__all__ = ["applications", "mails", "sellers"]
