"""`checkpointctl-tui`: the program as a plugin of checkpointctl, which runs `checkpointctl tui …`.

checkpointctl asks every `checkpointctl-*` in PATH for its description and gives it half a second;
an answer counts only with exit code 42 (checkpointctl cmd/plugin.go).
"""

from __future__ import annotations

import sys

from ckpt_tui.cli.main import main as run

DESCRIBE = "--plugin-description"
DESCRIBED = 42
DESCRIPTION = "Inspect, diagnose and convert checkpoints in the terminal"


def main() -> None:
    """Describe the plugin, or be `ckpt-tui` with the same arguments."""
    if sys.argv[1:] == [DESCRIBE]:
        print(DESCRIPTION)
        sys.exit(DESCRIBED)
    run()
