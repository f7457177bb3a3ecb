"""Batch exports: shards that are whole or absent, the manifest last."""
