"""How good, and how contextual: senses, baselines."""
