"""The verbs of `Explorer`, answered by a running service."""
