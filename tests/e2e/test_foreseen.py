"""What `diagnose --host this` says before a restore is what comes of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fixing import Shell
from foreseeing import outcome, shell_with_program
from lab import Lab
from preflight_cases import FAILING, HEALTHY


@pytest.fixture(scope="module")
def shell(lab: Lab) -> Iterator[Shell]:
    made = shell_with_program(lab)
    yield made
    made.close()


@pytest.mark.parametrize("name", FAILING)
def test_restore_that_fails_is_foreseen(shell: Shell, name: str) -> None:
    result = outcome(shell, name, FAILING[name])
    assert not result.restored
    assert result.code == 1, (result.document["findings"], result.log)
    assert FAILING[name].found in result.fails


@pytest.mark.parametrize("name", HEALTHY)
def test_restore_that_succeeds_is_not_condemned(shell: Shell, name: str) -> None:
    result = outcome(shell, name, HEALTHY[name])
    assert result.restored, result.log
    assert result.code == 0, result.document["findings"]
    assert result.document["verdict"]["text"] == "restores here", result.document["verdict"]
