"""The parts of the page Contexts."""
