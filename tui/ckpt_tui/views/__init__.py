"""What is shown of a checkpoint, as rows, sections and sentences: pure, known to `cli` and `ui`."""
