"""A lab for the session, registries in it, and real checkpoints."""

from __future__ import annotations

from collections.abc import Iterator

import lab as lab_module
import pytest
from lab import Lab


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The lab. Where it cannot be, tests that want it are skipped; in CI that is a failure."""
    if reason := lab_module.obstacle() or lab_module.build():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("lab")
    made = Lab(host=folder / "host", storage=folder / "storage")
    made.host.mkdir()
    made.storage.mkdir()
    yield made
    made.run(
        "sh",
        "-c",
        "podman rm -af -t 0 && find /host /var/lib/containers -mindepth 1 -delete;"
        " find /sys/fs/cgroup/libpod_parent -depth -type d -exec rmdir {} +",
        check=False,
    )


@pytest.fixture(autouse=True)
def _bases_stay(request: pytest.FixtureRequest) -> Iterator[None]:
    """Bring the base images of the checkpoints back after a test that emptied podman's store."""
    yield
    if "lab" in request.fixturenames:
        made: Lab = request.getfixturevalue("lab")
        made.restock()


@pytest.fixture
def registry(lab: Lab) -> Iterator[str]:
    """The `127.0.0.1:PORT` of an empty registry, over plain HTTP, that is this test's own."""
    with lab.registry() as address:
        yield address
