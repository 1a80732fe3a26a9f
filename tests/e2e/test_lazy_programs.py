"""Real programs restored lazily: redis with every key, and a chain of dumps with each byte."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from lab import Lab
from test_lazy import DUMPED, bundle, fresh, pasted, places, restored

from crafted import cut_chain
from lazy_dumps import serve_program

KEYS = 64 * 1024

CLIENT = f"""
import subprocess
asked = "".join(f"GET key:{{n}}\\n" for n in range({KEYS})).encode()
words = ["runc", "exec", "lazily", "redis-cli"]
said = subprocess.run(words, input=asked, capture_output=True, check=True).stdout.split(b"\\n")
right = [(b"value:%d" % n).ljust(1000, b"\\0") for n in range({KEYS})]
print(sum(one != due for one, due in zip(said, right)), len(said))
"""
"""Python that asks for every key, each on its own, and prints how many are wrong."""


@pytest.mark.parametrize("place", ["archive", "registry"])
def test_redis_has_every_key_at_once(
    place: str, lab: Lab, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    target = places(place, "redis", "redis", lab, request, tmp_path)
    images, folder = fresh(lab, "images", tmp_path), fresh(lab, "bundle", tmp_path)
    words = ("--images", images, "--bundle", folder, "--name", "lazily", "--once")
    with serve_program(target, *words) as program:
        printed = lab.script(
            f"""
            set -- /host/{folder.name}
            {bundle(lab, "redis", "redis")}
            {pasted(lab, program)} </dev/null >&2
            pid=$(runc state lazily | sed -n 's/^ *"pid": *\\([0-9]*\\),$/\\1/p')
            nsenter --target "$pid" --net ip link set lo up
            python3 - <<'PYTHON'
{CLIENT}
PYTHON
            while pgrep -x criu >/dev/null; do sleep 0.05; done
            runc delete -f lazily >&2
            """
        ).stdout
        code, errors = program.end()
    assert printed.split()[-2:] == ["0", str(KEYS + 1)]
    assert (code, "Done." in errors) == (0, True)


def test_a_chain_finds_its_memory_right(lab: Lab, tmp_path: Path) -> None:
    lab.script(DUMPED.replace("SIZE", "64"))
    shutil.move(lab.host / "dump", tmp_path / "checkpoint")
    cut_chain(tmp_path)
    images = fresh(lab, "images", tmp_path)
    with serve_program(f"dir:{tmp_path}/checkpoint", "--images", images, "--once") as program:
        assert program.document["lazy"] > 3 * 64 << 20
        printed = restored(lab, pasted(lab, program))
        code, errors = program.end()
    assert printed.split()[-1] == "000"
    assert (code, "Done." in errors) == (0, True)
