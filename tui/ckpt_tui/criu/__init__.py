"""CRIU's image files: framing, decoding, pages and the names of values."""
