"""Model to cells: pure functions, no widget."""
