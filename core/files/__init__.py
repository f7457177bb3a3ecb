"""Files of vectors: known by content, read and written."""
