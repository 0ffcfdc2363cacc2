"""How servers come to be listed, and how people and programs read the list."""
