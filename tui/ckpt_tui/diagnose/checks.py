"""CHECKS: everything that is looked at in a checkpoint before a restore, one table.

A new check is a function from `Facts` to findings and one line here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal

from ckpt_tui.core.errors import Cancelled
from ckpt_tui.core.progress import Progress
from ckpt_tui.diagnose import integrity_archive as archive
from ckpt_tui.diagnose import integrity_links as links
from ckpt_tui.diagnose import integrity_pages as pages
from ckpt_tui.diagnose import integrity_presence as presence
from ckpt_tui.diagnose import integrity_records as records
from ckpt_tui.diagnose import preflight_cpu as cpu
from ckpt_tui.diagnose import preflight_engine as engine
from ckpt_tui.diagnose import preflight_files as files
from ckpt_tui.diagnose import preflight_host as host
from ckpt_tui.diagnose import preflight_limits as limits
from ckpt_tui.diagnose import preflight_mounts as mounts
from ckpt_tui.diagnose import preflight_net as net
from ckpt_tui.diagnose import preflight_paths as paths
from ckpt_tui.diagnose import preflight_restore as restore
from ckpt_tui.diagnose import stood
from ckpt_tui.diagnose.facts import Facts
from ckpt_tui.diagnose.finding import Finding, Topic, sort_key

MAX_FINDINGS = 50
"""Findings kept of one check: damage repeats itself."""

Need = Literal["images", "host", "files", "base"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that is looked at."""

    id: str
    title: str
    """What is asked, for people."""
    topic: Topic
    run: Callable[[Facts], Iterator[Finding]]
    needs: Need = "images"
    """What must be at hand beside the images. `files` are those that the processes had open: of
    the host where they shared its mounts, else of the base image."""

    def can_run(self, facts: Facts) -> bool:
        """Tell whether everything that the check needs is at hand."""
        if self.needs == "files":
            return facts.sees_files
        return self.needs == "images" or facts.host is not None


def _whole(check_id: str, title: str, run: Callable[[Facts], Iterator[Finding]]) -> Check:
    return Check(check_id, title, "integrity", run)


def _restore(check_id: str, title: str, run: Callable[[Facts], Iterator[Finding]]) -> Check:
    return Check(check_id, title, "preflight", run)


def _files(check_id: str, title: str, run: Callable[[Facts], Iterator[Finding]]) -> Check:
    return Check(check_id, title, "preflight", run, "files")


def _host(check_id: str, title: str, run: Callable[[Facts], Iterator[Finding]]) -> Check:
    return Check(check_id, title, "preflight", run, "host")


# One line per check can be read down.
# fmt: off
CHECKS: tuple[Check, ...] = (
    _whole("inventory", "Is the inventory there, and of a known version?", presence.inventory),
    _whole("pre-dump", "Is it more than a pre-dump?", presence.pre_dump),
    _whole("process-tree", "Is there a process tree?", presence.process_tree),
    _whole("cores", "Has each process and thread its registers?", presence.cores),
    _whole("process-images", "Has each live process all its images?", presence.process_images),
    _whole("ghosts", "Is the list of deleted files there?", presence.ghosts),
    _whole("file-table", "Is the table of files there?", presence.file_table),
    _whole("namespaces", "Has each dumped namespace its image?", presence.namespaces),
    _whole("tmpfs-content", "Has each tmpfs of the container its content?", presence.tmpfs_content),
    _whole("strangers", "Is each process that has images in the tree?", presence.strangers),
    _whole("cgroups", "Is the list of cgroups there?", presence.cgroups),
    _whole("encrypted", "Can the images be looked into?", records.encrypted),
    _whole("records", "Can each image be read to its end?", records.records),
    _whole("raw-images", "Are the images of other programs whole?", records.raw_images),
    _whole("unknown", "Is everything known?", records.unknown),
    _whole("dropped-kinds", "Does CRIU still read these images?", records.dropped_kinds),
    _whole("page-images", "Are the page images as long as they must be?", pages.page_images),
    _whole("page-runs", "Are the page maps in order?", pages.page_runs),
    _whole("pages-in-regions", "Does each page lie in a mapping?", pages.pages_in_regions),
    _whole("arguments", "Can the arguments be read?", pages.arguments),
    _whole("parent-chain", "Is the previous dump of the chain at hand?", pages.parent_chain),
    _whole("parents", "Has each process its parent?", links.parents),
    _whole("thread-ids", "Is each thread id there once?", links.thread_ids),
    _whole("descriptors", "Does each descriptor lead to a file?", links.descriptors),
    _whole("folders", "Has each process executable, folder and root?", links.folders),
    _whole("mappings", "Does each mapping lead to its contents?", links.mappings),
    _whole("memfds", "Have memfds their contents?", links.memfds),
    _whole("ipc-segments", "Have System V segments their contents?", links.ipc_segments),
    _whole("mount-parents", "Does each mount hang on another?", links.mount_parents),
    _whole("mounts-of-files", "Is the mount of each file there?", links.mounts_of_files),
    _whole("remaps", "Have deleted files their contents?", links.remaps),
    _whole("ghost-sizes", "Are deleted files as long as they were?", links.ghost_sizes),
    _whole("cgroup-sets", "Is the cgroup of each thread there?", links.cgroup_sets),
    _whole("seccomp-filters", "Are the seccomp filters there?", links.seccomp_filters),
    _whole("unix-peers", "Is the other end of Unix sockets there?", links.unix_peers),
    _whole("terminals", "Have fifos and terminals path and settings?", links.terminals),
    _whole("tcp-streams", "Have TCP connections their state?", links.tcp_streams),
    _whole("layers", "Is each layer the one that is named?", archive.layers),
    _whole("documents", "Can the engine's documents be read?", archive.documents),
    _whole("stdio", "Is it known where descriptors 0 to 2 led?", archive.descriptors),
    _whole("needed-members", "Has the archive what its engine reads?", archive.needed_members),
    _whole("nested-archives", "Are /dev/shm and volumes whole?", archive.nested_archives),
    _whole("delta-archive", "Can the changed files be read?", archive.delta_archive),
    _whole("deleted-list", "Is the list of deletions sound?", archive.deleted_list),
    _whole("delta-dialect", "Are changes as the engine reads them?", archive.delta_dialect),
    _whole("remade-folders", "Does the engine keep all new files?", archive.remade_folders),
    _whole("archive-notes", "Is the archive as it was?", archive.archive_notes),
    _restore("lazy-pages", "Is all of the memory here?", pages.lazy_pages),
    _restore("tcp-connections", "Which TCP connections are open?", restore.tcp_connections),
    _restore("addresses", "Which addresses must exist again?", restore.addresses),
    _restore("file-locks", "Which file locks were held?", restore.file_locks),
    _restore("external-sockets", "Which Unix sockets lead outside?", restore.external_sockets),
    _restore("shell-job", "Was it made from a shell?", restore.shell_job),
    _restore("plugins", "Which plugins does it need?", restore.plugins),
    _restore("uprobes", "Were the processes traced?", restore.uprobes),
    _restore("external-mounts", "Which mounts must be given again?", restore.external_mounts),
    _restore("external-namespaces", "Which namespaces must be given?", restore.external_namespaces),
    _restore("link-remaps", "Which deleted files lie elsewhere?", restore.link_remaps),
    _restore("packet-sockets", "Which interfaces must exist again?", restore.packet_sockets),
    _restore("links", "Does the engine take every member?", archive.links),
    _restore("base-image", "Is the base image named?", engine.base_image),
    _restore("volumes", "Which volumes come with it?", engine.volumes),
    _restore("pod", "Was it in a pod?", engine.pod),
    _restore("user-namespace", "Has it a user namespace?", engine.user_namespace),
    _restore("compat", "Is there 32-bit code?", restore.compat_tasks),
    _restore("waiting", "Can a thread of each process go on?", stood.waiting),
    _files("files", "Is each open and mapped file the same?", files.files),
    _files("build-ids", "Is each program and library the same build?", files.build_ids),
    _files("link-targets", "Are the links of deleted files there?", files.link_targets),
    _files("bound-sockets", "Can each socket be bound to its path?", paths.bound_sockets),
    _files("ghost-folders", "Can deleted files be made again?", paths.ghosts),
    _files("watches", "Is there what was watched?", paths.watches),
    _files("read-only", "Can files be opened for writing?", mounts.read_only),
    _files("noexec", "Can programs be executed where they are?", mounts.no_execution),
    _files("terminal-numbers", "Are the numbers of terminals free?", paths.terminals),
    _files("held-locks", "Are the files free to be locked?", paths.held_locks),
    _host("engine", "Is the engine there?", engine.on_host),
    _host("machine", "Is it the same kind of machine?", host.machine),
    _host("criu", "Is CRIU new enough?", host.criu_release),
    _host("kernel", "Do kernel and CRIU work together?", host.kernel_and_criu),
    _host("time-namespace", "Has the kernel time namespaces?", host.time_namespace),
    _host("host-cgroups", "Is it the same version of cgroups?", host.cgroups),
    _host("security-modules", "Are the security labels known?", host.security_modules),
    _host("memory", "Is there enough memory and room?", host.memory),
    _host("high-addresses", "Can all addresses be used?", host.high_addresses),
    _host("pids", "Are the pids free?", host.pids),
    _host("ports", "Are the ports free?", net.ports),
    _host("host-addresses", "Has the host the addresses?", net.addresses),
    _host("host-interfaces", "Has the host the interfaces?", net.interfaces),
    _host("socket-names", "Are names free, and services there?", net.names),
    _host("mount-sources", "Is there what shall be mounted?", mounts.sources),
    _host("host-plugins", "Are the plugins installed?", host.plugins),
    _host("helpers", "Are the programs there that CRIU calls?", host.helpers),
    _host("capabilities", "May root here do what CRIU does?", limits.capabilities),
    _host("rights", "Has root the rights of the processes?", limits.rights),
    _host("descriptor-limit", "May CRIU open as many files?", limits.descriptors),
    _host("open-files", "May processes open as many files?", limits.open_files),
    _host("huge-memory", "Are there enough huge pages?", limits.huge_memory),
    _host("configured", "What do CRIU's configuration files say?", limits.configured),
    _host("devices", "Are the devices there?", host.devices),
    _host("registers", "Has the processor all registers in use?", cpu.registers),
    _host("shadow-stacks", "Has the processor shadow stacks?", cpu.shadow_stacks),
    _host("instructions", "Has it the instructions of the dump's?", cpu.instructions),
)
# fmt: on


def run_checks(facts: Facts, progress: Progress) -> tuple[Finding, ...]:
    """Run every check that `facts` has enough for; worst findings first.

    A check that fails itself becomes a finding: the others still count.

    Raises:
        Cancelled: the caller gave up.
    """
    facts = replace(facts, progress=progress)
    progress.start("checking", len(CHECKS))
    found: list[Finding] = []
    for check in CHECKS:
        if check.can_run(facts):
            found += _results(check, facts)
        progress.tick(1)
    return tuple(sorted(found, key=sort_key))


def left_out(facts: Facts) -> tuple[Check, ...]:
    """Return the checks that `run_checks` skips, for want of a host or a base image: which, is what
    they need."""
    needs: dict[Need, Need] = {"files": "host" if facts.is_bare else "base"}
    return tuple(
        replace(check, needs=needs.get(check.needs, check.needs))
        for check in CHECKS
        if not check.can_run(facts)
    )


def _results(check: Check, facts: Facts) -> Iterator[Finding]:
    try:
        for finding in islice(check.run(facts), MAX_FINDINGS):
            yield replace(finding, topic=check.topic, of_host=check.needs == "host")
    except Cancelled:
        raise
    except Exception as error:  # input is hostile, and a check too many must not hide the rest
        yield Finding(
            "check-failed",
            "advice",
            "possible",
            f"A check could not be made: {check.title}",
            f"The images are damaged in a way it does not expect: {type(error).__name__}.",
            "Look at what the other checks find.",
            topic=check.topic,
        )
