"""The registry of the demo shop, and a small server that really answers."""
