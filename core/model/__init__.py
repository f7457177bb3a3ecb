"""Text to vectors: the catalog, loading, tokens, the engine, pooling, static tables and occurrences."""
