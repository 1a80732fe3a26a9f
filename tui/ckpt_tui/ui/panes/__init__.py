"""What the tabs of a checkpoint hold; `table.PANES` lists them."""
