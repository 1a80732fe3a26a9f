"""The kinds of places of the catalogue, a module each."""
