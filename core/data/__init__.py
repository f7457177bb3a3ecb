"""Data that ships with the package: `senses.jsonl`, a corpus of words in their senses."""
