"""The command line: sub-commands, exit codes, and the choice between screen and headless.

stdout is data, stderr is narration. Exit codes: 0 done; 1 findings, or the operation failed; 2 the
call was wrong; 3 the source cannot be reached; 130 interrupted.
"""

from ckpt_tui.cli.main import main

__all__ = ["main"]
