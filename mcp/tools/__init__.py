"""The tools that prompts need: which work, and who is told when one no longer does."""
