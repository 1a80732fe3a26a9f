"""Where checkpoints come from; `table.SOURCES` lists them all."""
