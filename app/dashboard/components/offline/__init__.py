"""The browser side of a map in a file of its own."""
