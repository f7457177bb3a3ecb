"""A collection on disk: what its files are, how they become durable, and how they are read back and believed."""
