"""The verbs of `Explorer`, run by a service over HTTP."""
