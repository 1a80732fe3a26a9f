"""Running a command in this process."""

from __future__ import annotations

import pytest
from ran import Ran, Run

from ckpt_tui.cli import main


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `ckpt-tui` with these words."""

    def call(*words: object) -> Ran:
        with pytest.raises(SystemExit) as left:
            main([str(word) for word in words])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        code = left.value.code
        return Ran(code if isinstance(code, int) else 1, captured.out, captured.err)

    return call
