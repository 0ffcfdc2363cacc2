"""When servers are looked at, what a look means for their state, and what is recorded of it."""
