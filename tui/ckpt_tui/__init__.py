"""ckpt-tui: look into container checkpoints made with CRIU."""

__version__ = "0.2.0"
