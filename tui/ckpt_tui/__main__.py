"""`python -m ckpt_tui` is `ckpt-tui`."""

from ckpt_tui.cli import main

if __name__ == "__main__":
    main()
