"""What is handed on: maps and pages as files that stand alone, and the map of a notebook."""
