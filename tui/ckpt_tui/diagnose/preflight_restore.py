"""What a restore of this checkpoint must be told, and what must be there beside it.

After the tests that CRIU makes at restore (criu/image.c, sk-inet.c, sk-unix.c, tty.c, mount.c) and
the option names of `criu restore`.
"""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_tui.checkpoint.filetable import FileObject
from ckpt_tui.checkpoint.places import OWN_MOUNTS
from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.checkpoint.sockets import address_of
from ckpt_tui.core.text import human_count
from ckpt_tui.criu.values import ip_address, text
from ckpt_tui.diagnose.facts import Facts, some
from ckpt_tui.diagnose.finding import Evidence, Finding, Severity

TCP = 6
CLOSED, LISTEN = 7, 10
UNIX_EXTERN = 1
"""unix_sk_entry.uflags: a stand-in for a socket outside of the dump (criu/include/sk-unix.h)."""

CRIU_CONFIG = "/etc/criu/runc.conf (crun with libcriu 4.2: /etc/criu/crun.conf)"

ENGINE_MOUNTS = frozenset(
    {
        "/dev/null",
        "/dev/shm",
        "/etc/hostname",
        "/etc/hosts",
        "/etc/mtab",
        "/etc/resolv.conf",
        "/proc",
        "/run/.containerenv",
        "/run/secrets",
        "/sys",
        "/sys/fs/cgroup",
        "/dev/termination-log",
    }
)
"""Keys of mounts that every engine makes anew by itself."""


def _needs(
    finding_id: str,
    title: str,
    why: str,
    cure: str,
    evidence: tuple[Evidence, ...] = (),
    severity: Severity = "advice",
) -> Finding:
    link = evidence[0].link if evidence else None
    where = link.ids[0] if link is not None and link.kind == "image" else "files.img"
    return Finding(finding_id, severity, "certain", title, why, cure, where, evidence)


def tcp_connections(facts: Facts) -> Iterator[Finding]:
    """Connected TCP sockets come back only if the restore says so."""
    if facts.checkpoint.criu.tcp_close:
        yield _needs(
            "tcp-close-option-needed",
            "The restore must be told tcp-close",
            "Connections were dumped as closed, and CRIU asks that the restore repeats it.",
            f"`tcp-close` in {CRIU_CONFIG} of the target.",
            (Evidence("inventory.img", Ref.image("inventory.img")),),
        )
        return
    connected = [
        found
        for found in facts.each(facts.of_type("INETSK"))
        if found.message.proto == TCP and found.message.state not in (CLOSED, LISTEN)
    ]
    if connected:
        yield _needs(
            "tcp-established-restore",
            f"{human_count(len(connected), 'TCP connection')} need --tcp-established",
            "Without it CRIU stops at the first one. The container must have its old IP address, "
            "and the peers must still hold their end.",
            "`podman container restore --tcp-established …`, or `tcp-established` in "
            f"{CRIU_CONFIG}; with `tcp-close` there instead they come back closed.",
            some(
                Evidence(" ".join(address_of(f, facts.images.host)), facts.file_evidence(f.id).link)
                for f in connected
            ),
        )
    yield from _link_local(facts, connected)


def _link_local(facts: Facts, connected: list[FileObject]) -> Iterator[Finding]:
    for found in connected:
        words = found.message.src_addr
        if len(words) == 4 and words[0] & 0xC0FF == 0x80FE:
            yield Finding(
                "inet-bind-link-local",
                "fails",
                "likely",
                "A connection is bound to a link-local IPv6 address",
                "CRIU does not know the interface that such an address belongs to.",
                f"Let it go: `tcp-close` in {CRIU_CONFIG}, at dump and restore.",
                "files.img",
                (facts.file_evidence(found.id),),
            )
            return


def file_locks(facts: Facts) -> Iterator[Finding]:
    """File locks came with --file-locks; podman's own flag is given at restore too."""
    locks = facts.images.messages("filelocks.img")
    if locks:
        yield _needs(
            "file-locks-restore",
            f"{human_count(len(locks), 'file lock')} will be taken again",
            "It fails if another process holds one, such as the original container on the same "
            "volume.",
            "Stop the original first; `podman container restore --file-locks …`.",
            some(
                Evidence(f"process {k.pid} descriptor {k.fd}", Ref.file(k.pid, k.fd)) for k in locks
            ),
        )


def external_sockets(facts: Facts) -> Iterator[Finding]:
    """Unix sockets whose peer is outside of the container."""
    external = [found for found in facts.of_type("UNIXSK") if found.message.uflags & UNIX_EXTERN]
    if external:
        yield _needs(
            "unix-external-restore",
            f"{human_count(len(external), 'Unix socket')} lead out of the container",
            "CRIU connects them again only if it is told to, and the service must listen at the "
            "same path.",
            f"`ext-unix-sk` in {CRIU_CONFIG}.",
            some(
                Evidence(" ".join(address_of(f, facts.images.host)), facts.file_evidence(f.id).link)
                for f in external
            ),
        )


def shell_job(facts: Facts) -> Iterator[Finding]:
    """The first process is in a session from outside: the dump was made with --shell-job.

    Leaders that are gone are no problem: CRIU forks helpers for them (criu/pstree.c).
    """
    root = next(iter(facts.tasks), None)
    if root is not None and root.sid not in {task.pid for task in facts.tasks}:
        yield _needs(
            "tty-shell-job",
            f"The session of process {root.pid} has no leader here",
            "The dump was made with --shell-job. At restore CRIU takes over the terminal and the "
            "session that it is started from.",
            "`criu restore --shell-job …` from a terminal. Engines do not offer it.",
            (Evidence(f"process {root.pid}, session {root.sid}", Ref.process(root.pid)),),
        )


def plugins(facts: Facts) -> Iterator[Finding]:
    """Plugins that saved something must be there to bring it back."""
    needed = facts.checkpoint.criu.plugins or ()
    if needed and facts.host is None:
        yield _needs(
            "plugin-missing",
            f"The target needs the CRIU plugins {', '.join(needed)}",
            "They saved devices of the container; CRIU stops if one is missing.",
            "Install them where CRIU looks for plugins: /usr/lib/criu or the folder of `libdir`.",
            (Evidence("inventory.img", Ref.image("inventory.img")),),
        )


def uprobes(facts: Facts) -> Iterator[Finding]:
    """A dump of a traced process must be restored with --allow-uprobes."""
    if facts.inventory is not None and facts.inventory.allow_uprobes:
        yield _needs(
            "mem-uprobes",
            "The restore must be told allow-uprobes",
            "A tracer had put probes into the memory of a process.",
            f"`allow-uprobes` in {CRIU_CONFIG}; the probes themselves do not come back.",
            (Evidence("inventory.img", Ref.image("inventory.img")),),
        )


def external_mounts(facts: Facts) -> Iterator[Finding]:
    """Mounts whose source the restore must supply: each needs a mount in the configuration."""
    wanted = [m for m in facts.checkpoint.mounts if m.external_key and not _is_own(m.external_key)]
    unknown = [m for m in wanted if m.external_key not in facts.spec_mounts]
    if facts.spec_mounts and unknown:
        masked = {"/dev/null", *_masked_paths(facts)}
        for mount in unknown:
            if mount.external_key in masked or mount.mountpoint in masked:
                continue
            yield Finding(
                "mnt-no-mapping",
                "fails",
                "likely",
                f"The mount at {mount.mountpoint} is not in the configuration of the container",
                "CRIU stops: nothing says what to mount there.",
                f"Add a mount with the destination {mount.external_key} to the runtime spec.",
                f"mountpoints-{mount.namespace}.img",
                (Evidence(mount.mountpoint, Ref.mount(mount.namespace, mount.id)),),
            )
    own = [m for m in wanted if m.external_key not in ENGINE_MOUNTS and m not in unknown]
    if own:
        yield Finding(
            "mnt-source-missing",
            "advice",
            "certain",
            f"{human_count(len(own), 'mount')} of the container must be given again",
            "What they lead to is not in the checkpoint, unless it is a volume that was packed "
            "with it. Without them CRIU stops.",
            "Mount the same: of a pod the same volumeMounts, else a source on the new host.",
            f"mountpoints-{own[0].namespace}.img",
            some(
                Evidence(
                    f"{m.mountpoint} from {_source(facts, m.external_key)}",
                    Ref.mount(m.namespace, m.id),
                )
                for m in own
            ),
        )


def _is_own(key: str) -> bool:
    return key.startswith(OWN_MOUNTS)


def _source(facts: Facts, key: str) -> str:
    source = facts.spec_mounts.get(key, {}).get("source")
    return source if isinstance(source, str) else key


def _masked_paths(facts: Facts) -> tuple[str, ...]:
    spec = facts.documents.get("spec.dump")
    linux = spec.get("linux") if isinstance(spec, dict) else None
    paths = linux.get("maskedPaths") if isinstance(linux, dict) else None
    return tuple(p for p in paths if isinstance(p, str)) if isinstance(paths, list) else ()


def external_namespaces(facts: Facts) -> Iterator[Finding]:
    """Network and pid namespaces that the caller must hand over."""
    for prefix, finding_id, what in (
        ("netns-", "netns-external-missing", "network"),
        ("pidns-", "pidns-external-missing", "pid"),
    ):
        for name in facts.images.named(prefix):
            message = facts.images.message(name)
            key = text(getattr(message, "ext_key", "")) if message is not None else ""
            if key:
                yield _needs(
                    finding_id,
                    f"The {what} namespace comes from outside",
                    "It belongs to the pod or was made by the engine; CRIU joins the one that the "
                    f"configuration names under the key {key}.",
                    "An engine does it by itself; of a bare runtime the spec must name a "
                    f"namespace of type {what} with a path.",
                    (Evidence(name, Ref.image(name)),),
                )


def link_remaps(facts: Facts) -> Iterator[Finding]:
    """Unlinked files that CRIU kept by a hard link beside them, outside of the images."""
    if facts.sees_files:
        return  # the links themselves are looked for
    for file_id, kind in facts.table.ghosts.items():
        if kind != "linked" or file_id not in facts.table.objects:
            continue
        path = facts.table.path(file_id)
        yield Finding(
            "link-remap-missing",
            "may-fail",
            "possible",
            f"{path} was unlinked and is kept by a link that CRIU left beside it",
            "The link, link_remap.N, is in the file system of the container and not in the "
            "images; a restore elsewhere lacks it if the engine did not pack it.",
            "Restore on the same host, or see that the changed files have link_remap.N.",
            "remap-fpath.img",
            (facts.file_evidence(file_id),),
        )


def packet_sockets(facts: Facts) -> Iterator[Finding]:
    """Packet sockets and bound devices need interfaces of the same name."""
    if facts.shares_host("net") and facts.host is not None and facts.host.interfaces is not None:
        return  # they are looked for on the host
    bound = [f for f in facts.of_type("INETSK") if f.message.ifname]
    packets = list(facts.of_type("PACKETSK"))
    if packets:
        yield _needs(
            "packet-socket",
            f"{human_count(len(packets), 'packet socket')} need the same network interface",
            "They are bound to an interface by its number.",
            "Give the container the same interfaces as before.",
            some(facts.file_evidence(f.id) for f in packets),
        )
    if bound:
        names = ", ".join(sorted({text(f.message.ifname) for f in bound}))
        yield _needs(
            "inet-bind-device-missing",
            f"Sockets are bound to the interface {names}",
            "CRIU stops if the container has no interface of that name.",
            "Give the container an interface of the same name.",
            some(facts.file_evidence(f.id) for f in bound),
        )


def compat_tasks(facts: Facts) -> Iterator[Finding]:
    """32-bit processes need a CRIU that was built for them."""
    tids = [
        tid
        for tid, core in facts.each(facts.cores.items())
        if core.HasField("thread_info") and core.thread_info.gpregs.mode == 2
    ]
    if tids:
        yield _needs(
            "compat-32bit",
            f"{human_count(len(tids), 'thread')} run 32-bit code",
            "CRIU restores them only where it was built with support for it; Debian's is.",
            "`criu check --feature compat_cr` on the target.",
            some(Evidence(f"thread {tid}", Ref.image(f"core-{tid}.img")) for tid in tids),
        )


def addresses(facts: Facts) -> Iterator[Finding]:
    """Sockets bound to an address that the target must have."""
    if facts.shares_host("net") and facts.host is not None and facts.host.addresses is not None:
        return  # they are looked for on the host
    bound: dict[str, Ref | None] = {}
    host = facts.images.host
    for found in facts.each(facts.of_type("INETSK")):
        words = tuple(found.message.src_addr)
        address = ip_address(words, host.byte_order, found.message.family)
        if any(words) and address != "::1" and not address.startswith("127."):
            place = address_of(found, host)[1].split(" ")[0]
            bound.setdefault(place, facts.file_evidence(found.id).link)
    if bound:
        yield _needs(
            "inet-bind-addr-missing",
            f"{human_count(len(bound), 'socket address', 'socket addresses')} must exist again",
            "The container needs the same IP address: CRIU binds each socket where it was.",
            "podman keeps the address unless `--name` or `--ignore-static-ip` is given; in a pod "
            "pin its IP, or let the program listen on 0.0.0.0.",
            some(Evidence(address, link) for address, link in bound.items()),
        )
