"""The containers of a checkpoint, engine by engine; `table.FORMATS` lists them all."""
