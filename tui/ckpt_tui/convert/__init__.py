"""Conversion to the optimized image: a plan first, then the bytes."""
