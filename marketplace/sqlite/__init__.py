"""Django's SQLite backend, storing values the way `prompt_management.db` is specified (see `base.py`)."""
