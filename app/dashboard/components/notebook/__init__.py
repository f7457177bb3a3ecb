"""The browser side of the map in a notebook."""
