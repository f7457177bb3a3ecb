"""The parts of the page Measures."""
