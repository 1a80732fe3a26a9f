"""The lab, and a registry in it, from Python."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

LAB = Path(__file__).parent / "lab" / "lab"

TUI = Path(__file__).resolve().parents[2] / "tui"

LAB_PYTHON = "3.13"
"""What Debian trixie has."""

BUILD_TIMEOUT_S = 1800
"""Seconds for building the lab from nothing; it takes one or two minutes on a quick network."""

REGISTRY_TIMEOUT_S = 30
"""Seconds for a registry to answer; it takes a tenth of one."""

REGISTRY_CONFIG = """\
version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {storage}}}, delete: {{enabled: {delete}}}}}
http: {{addr: "127.0.0.1:{port}"{http}}}
{more}
"""


@dataclass(frozen=True)
class Lab:
    """A machine in a folder in which podman and CRIU work, for one session of tests.

    Every call is in namespaces of its own and leaves no process. What stays from call to call is
    `host`, which is `/host` inside, and podman's storage, both of this session alone. The network
    is that of this machine.
    """

    host: Path
    storage: Path

    def run(
        self, *command: str, check: bool = True, timeout_s: float = 300
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside as root; with `check`, one that fails fails the test and is shown.

        Raises:
            subprocess.TimeoutExpired: it took longer; it is killed with all that it started.
        """
        done = subprocess.run(
            [LAB, "run", *command],
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=timeout_s,
        )
        if check and done.returncode:
            raise AssertionError(
                f"in the lab, exit {done.returncode}: {command}\n{done.stdout}\n{done.stderr}"
            )
        return done

    def script(
        self, text: str, *, check: bool = True, timeout_s: float = 300
    ) -> subprocess.CompletedProcess[str]:
        """Run lines of bash inside; the first that fails ends them."""
        return self.run("bash", "-euo", "pipefail", "-c", text, check=check, timeout_s=timeout_s)

    @contextmanager
    def running(self, text: str) -> Iterator[None]:
        """Run lines of bash inside while the context lasts, which waits for their end."""
        process = subprocess.Popen(
            [LAB, "run", "bash", "-euo", "pipefail", "-c", text],
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        try:
            yield
            process.wait(60)
        finally:
            process.kill()
            process.wait()

    @contextmanager
    def started(self, text: str) -> Iterator[subprocess.Popen[str]]:
        """Start lines of bash inside, and end them with the context."""
        process = subprocess.Popen(
            [LAB, "run", "bash", "-euo", "pipefail", "-c", text],
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def checkpoint(self, name: str) -> Path:
        """Return `NAME.tar.zst` of lab/make-checkpoints, made on the first call."""
        archive = self.host / f"{name}.tar.zst"
        if not archive.exists():
            self.run("bash", "/lab/make-checkpoints", name)
        return archive

    def restock(self) -> None:
        """Load the base images of the checkpoints again that were made and are no longer there."""
        names = self.storage / "storage" / "overlay-images" / "images.json"
        there = names.read_text() if names.exists() else ""
        for archive in self.host.glob("base-*.oci.tar"):
            image = archive.name.removeprefix("base-").removesuffix(".oci.tar")
            if f'"localhost/{image}:1"' not in there:
                self.run("podman", "load", "-q", "-i", f"/host/{archive.name}")

    def program(self) -> str:
        """Return shell that defines `ckpt`, which runs the program inside, with its state in
        /tmp/data."""
        inside = self.host / "program"
        if not inside.exists():
            shutil.copytree(packages(), inside)
            shutil.copytree(TUI / "ckpt_tui", inside / "ckpt_tui")
        return """
            export PYTHONPATH=/host/program XDG_DATA_HOME=/tmp/data XDG_CACHE_HOME=/tmp/cache
            ckpt() { python3 -m ckpt_tui "$@"; }
        """

    @contextmanager
    def registry(self, http: str = "", more: str = "", *, delete: bool = True) -> Iterator[str]:
        """Serve an empty registry while the context lasts, and yield its `127.0.0.1:PORT`.

        `http` is added to that mapping of its configuration, `more` to the end; `delete`: whether
        it removes blobs and manifests.
        """
        folder = Path(tempfile.mkdtemp(prefix="registry", dir=self.host))
        port = free_port()
        config = REGISTRY_CONFIG.format(
            storage=f"/host/{folder.name}/blobs",
            port=port,
            http=http,
            more=more,
            delete="true" if delete else "false",
        )
        (folder / "config.yml").write_text(config)
        # `read` ends with this process, however that ends; with it the lab, and so the registry.
        serve = f"docker-registry serve /host/{folder.name}/config.yml & read -r _"
        with (
            (folder / "log").open("wb") as log,
            subprocess.Popen(
                [LAB, "run", "sh", "-c", serve],
                env=self.environment(),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
            ) as process,
        ):
            try:
                _await_registry(process, port, folder / "log")
                yield f"127.0.0.1:{port}"
            finally:
                process.communicate()
        shutil.rmtree(folder)

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "CKPT_LAB_BIND": str(self.host),
            "CKPT_LAB_STATE": str(self.storage),
        }


def obstacle() -> str:
    """Return why there can be no lab here, in a sentence, or nothing."""
    if os.geteuid() != 0:
        return "The lab needs root."
    spaces = ["unshare", "--mount", "--pid", "--uts", "--ipc", "--fork", "true"]
    if subprocess.run(spaces, capture_output=True).returncode:
        return "The lab needs namespaces, which this machine does not let root make."
    if not root().joinpath(".ready").exists() and not shutil.which(
        "debootstrap", path=os.environ.get("PATH", "") + ":/usr/sbin"
    ):
        return "The lab needs debootstrap to be built."
    return ""


def root() -> Path:
    """Where the lab lies."""
    return Path(os.environ.get("CKPT_LAB_ROOT", "/var/cache/ckpt-tui-lab"))


def build() -> str:
    """Build the lab unless it stands. Return why that failed, or nothing."""
    done = subprocess.run(
        [LAB, "up"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=BUILD_TIMEOUT_S,
    )
    return f"The lab could not be built:\n{done.stderr}" if done.returncode else ""


def packages() -> Path:
    """Return a folder with the packages that the program needs, for the Python of the lab."""
    project = tomllib.loads((TUI.parent / "pyproject.toml").read_text())["project"]
    constraints = TUI.parent / "constraints.txt"
    made_of = (*project["dependencies"], constraints.read_text(), LAB_PYTHON)
    folder = Path(f"{root()}-python-{hashlib.sha256(repr(made_of).encode()).hexdigest()[:16]}")
    if not folder.exists():
        part = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=folder.parent))
        wheels = ("--implementation", "cp", "--only-binary=:all:", "--python-version", LAB_PYTHON)
        subprocess.run(
            (
                *(sys.executable, "-m", "pip", "install", "-q", "--target", part, *wheels),
                *("--constraint", constraints, *project["dependencies"]),
            ),
            check=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
        )
        part.chmod(0o755)
        part.rename(folder)
    return folder


def free_port() -> int:
    """Return a TCP port that nothing on the loopback listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _await_registry(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + REGISTRY_TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/", timeout=5).close()
        except urllib.error.HTTPError as error:  # it wants a login, or TLS
            error.close()
            return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.02)
        else:
            return
    raise AssertionError(f"the registry does not answer:\n{log.read_text(errors='replace')}")
