"""The page Writing: its parts."""
