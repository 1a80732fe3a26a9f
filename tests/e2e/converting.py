"""Converts real checkpoints, restores them in the lab, and lists file trees to compare them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from lab import Lab

TUI = Path(__file__).resolve().parents[2] / "tui"

COUNTS_ON = """
count() { %s cat /tmp/count 2>/dev/null || echo 0; }
after=$before
for _ in $(seq 100); do
    after=$(count)
    [ "${after:-0}" -lt $((before + 2)) ] || break
    sleep 0.1
done
echo "$before" "$after"
"""
"""Shell that waits until the counter went on from $before, and prints both numbers."""

BUNDLE = """
import json, os, sys
bundle, spec = sys.argv[1:]
spec = json.load(open(spec))
spec["root"] = {"path": bundle + "/rootfs"}
# for `runc exec` alone, which a host with lower limits than the dumped one refuses
spec["process"].pop("rlimits", None)
for mount in spec["mounts"]:
    if mount.get("type") == "bind" or "bind" in mount.get("options", []):
        path = bundle + "/binds" + mount["destination"]
        os.makedirs(os.path.dirname(path), exist_ok=True)
        inside = bundle + "/rootfs" + mount["destination"]
        if os.path.isdir(inside) or mount["destination"] == "/dev/shm":
            os.makedirs(path, exist_ok=True)
        else:
            open(path, "a").close()
        mount["source"] = path
linux = spec["linux"]
linux.pop("cgroupsPath", None)
linux["resources"] = {}
for space in linux["namespaces"]:
    if space["type"] == "network" and space.get("path"):
        space["path"] = "/run/netns/restored"
    elif space.get("path"):
        del space["path"]
json.dump(spec, open(bundle + "/config.json", "w"))
"""
"""Makes the config.json of a bundle from spec.dump, with what its bind mounts lead to."""

LISTING = r"""
import hashlib, json, os, stat, sys
def listing(top):
    top = os.fsencode(top)
    found, inodes = {}, {}
    for folder, names, files in os.walk(top):
        for path in [folder, *(os.path.join(folder, n) for n in sorted(names + files))]:
            s = os.lstat(path)
            name = os.path.relpath(path, top).decode("utf-8", "surrogateescape")
            entry = [stat.filemode(s.st_mode), s.st_uid, s.st_gid, s.st_rdev]
            if stat.S_ISREG(s.st_mode):
                with open(path, "rb") as file:
                    entry += [s.st_size, hashlib.sha256(file.read()).hexdigest()]
            elif stat.S_ISLNK(s.st_mode):
                entry.append(os.fsdecode(os.readlink(path)))
            keys = sorted(os.listxattr(path, follow_symlinks=False))
            entry.append([
                [k, os.getxattr(path, k, follow_symlinks=False).hex()]
                for k in keys if not k.startswith(("trusted.", "security.selinux", "user.overlay"))
            ])
            if not stat.S_ISDIR(s.st_mode) and s.st_nlink > 1:
                entry.append(["linked", inodes.setdefault((s.st_dev, s.st_ino), name)])
            found[name] = entry
    return found
"""
"""Python: a file tree as kind, mode, owner, device, size, data, target, attributes, hard links."""

LIST_TREE = LISTING + "print(json.dumps(listing(sys.argv[1])))"

Listing = dict[str, list[Any]]


COUNTED = "tar -xO --zstd -f /host/counter.tar.zst rootfs-diff.tar | tar -xO tmp/count"
"""Shell that prints the last number of the counter before its dump."""


def run_program(
    *arguments: str, storage: Path | None = None, allowed: tuple[int, ...] = (0,)
) -> str:
    """Run `ckpt-tui` and return what it printed; if it fails, so does the test. `allowed` are the
    exit codes that are no failure."""
    environment = {**os.environ, "PYTHONPATH": str(TUI)}
    if storage is not None:
        environment["CONTAINERS_STORAGE_CONF"] = str(storage)
    done = subprocess.run(
        [sys.executable, "-m", "ckpt_tui", *arguments],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode in allowed, done.stderr
    return done.stdout


def convert(*arguments: str, storage: Path | None = None) -> dict[str, Any]:
    """Run `ckpt-tui convert … --json` and return what it printed."""
    document: dict[str, Any] = json.loads(
        run_program("convert", *arguments, "--json", storage=storage)
    )
    return document


def assert_counted_on(printed: str) -> None:
    """Check the two numbers that `COUNTS_ON` prints last."""
    before, after = map(int, printed.split()[-2:])
    assert after >= before + 2, printed


def assert_ran_on(printed: str, target: Path) -> None:
    """Check the two numbers that `COUNTS_ON` prints last, of a dump that was made elsewhere: where
    the processor lacks what its threads used, that was foreseen, and the program has ended."""
    known = json.loads(
        run_program("diagnose", str(target), "--host", "this", "--json", allowed=(0, 1))
    )
    if any(finding["id"] == "cpu-fpu-missing" for finding in known["findings"]):
        assert printed.split()[-1] == "0", printed
    else:
        assert_counted_on(printed)


RESTORE = {"runc": "runc restore", "crun": "crun restore --manage-cgroups-mode ignore"}
"""How each runtime begins to restore. cgroups are left alone: inside the lab those of version 1
cannot be made again. runc is told so by a file that CRIU reads for it, crun here."""


def restore_in_place(
    lab: Lab, reference: str, rootfs: str, before: str, root_mode: str = "", runtime: str = "runc"
) -> tuple[str, Listing]:
    """Pull both images, mount them, and let a runtime restore from the read-only mounts.

    `before` is shell that prints the last number counted before the dump. `root_mode` is that of
    the root folder where no layer says it: podman's is 555, containerd's 755. Returns the numbers,
    and the root filesystem as it was before the restore.
    """
    mode = root_mode or '--reference="$lower"'
    printed = lab.script(
        f"""
        before=$({before})
        podman pull -q {reference} >&2
        podman pull -q {rootfs} >&2
        images=$(podman image mount {reference})
        lower=$(podman image mount {rootfs})
        bundle=$(mktemp -d); mkdir "$bundle"/rootfs "$bundle"/work "$bundle"/overlay
        mount -t tmpfs overlay "$bundle"/overlay
        mkdir -m 755 "$bundle"/overlay/upper "$bundle"/overlay/work
        chmod {mode} "$bundle"/overlay/upper
        mount -t overlay overlay "$bundle"/rootfs \
            -o "lowerdir=$lower,upperdir=$bundle/overlay/upper,workdir=$bundle/overlay/work"
        python3 - "$bundle"/rootfs <<'PYTHON'
{LIST_TREE}
PYTHON
        mkdir "$bundle"/images
        mount --bind "$images" "$bundle"/images
        mount -o remount,ro,bind "$bundle"/images
        ip netns add restored 2>/dev/null || :
        python3 - "$bundle" "$bundle"/images/spec.dump <<'PYTHON'
{BUNDLE}
PYTHON
        {RESTORE[runtime]} --detach --bundle "$bundle" --image-path "$bundle"/images/checkpoint \
            --work-path "$bundle"/work in-place >&2 </dev/null ||
            {{ grep -a Error "$bundle"/work/restore.log >&2; exit 1; }}
        {COUNTS_ON % f"{runtime} exec in-place"}
        {runtime} delete -f in-place >&2
        """
    ).stdout
    listing, _, counts = printed.partition("\n")
    return counts, json.loads(listing)
