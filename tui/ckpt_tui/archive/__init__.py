"""Bytes inside bytes: compression, tar archives, directories and layers as trees of members."""
