"""Where Django looks before its own formats of dates and numbers; one package for a language."""
