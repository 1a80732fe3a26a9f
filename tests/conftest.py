"""What holds for every test: no settings, home or time zone of the machine it runs on."""

from __future__ import annotations

import importlib
import os
import sys
import time
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from fault_server import FaultServer

HERE = Path(__file__).parent
E2E = HERE / "e2e"
E2E_SECONDS = 1800
"""For one end-to-end test at most: the first one may build the lab."""

SETTINGS = ("COLORTERM", "ESCDELAY", "FORCE_COLOR", "NO_COLOR", "TMUX")
for _name in [*os.environ]:
    # The snapshot plug-in tells its workers of pytest-xdist where to write by such a variable.
    if _name in SETTINGS or (_name.startswith("TEXTUAL") and "SNAPSHOT" not in _name):
        del os.environ[_name]
if "textual.constants" in sys.modules:
    # The snapshot plug-in imports Textual before any conftest, and Textual reads these at import.
    importlib.reload(sys.modules["textual.constants"])
os.environ["TZ"] = "UTC"
time.tzset()


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder, which the test may fill."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    for variable, folder in (
        ("XDG_CACHE_HOME", ".cache"),
        ("XDG_CONFIG_HOME", ".config"),
        ("XDG_DATA_HOME", ".local/share"),
        ("XDG_STATE_HOME", ".local/state"),
        ("XDG_RUNTIME_DIR", ".runtime"),
    ):
        monkeypatch.setenv(variable, str(home / folder))
    return home


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real checkpoints and logs; its README says how each was made."""
    return HERE / "data"


@pytest.fixture
def server() -> Iterator[FaultServer]:
    """An empty registry on the loopback."""
    made = FaultServer()
    yield made
    made.close()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the end-to-end tests, keep them in one process, and start them first: they take longest.

    They share a lab, and podman's containers in it.
    """
    for item in items:
        if E2E in item.path.parents:
            item.add_marker("e2e")
            item.add_marker(pytest.mark.xdist_group("e2e"))
            item.add_marker(pytest.mark.timeout(E2E_SECONDS))
    items.sort(key=lambda item: E2E not in item.path.parents)


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if os.environ.get("CI") == "true" and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"CI skips no end-to-end test. {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if E2E in item.path.parents:
        _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if E2E in collector.path.parents:
        _refuse_skip(report)
    return report
