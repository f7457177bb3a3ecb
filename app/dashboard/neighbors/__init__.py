"""The parts of the page Neighbors."""
