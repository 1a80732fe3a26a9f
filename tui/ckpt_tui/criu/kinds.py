"""The kinds of files in and around a checkpoint, after CRIU's magic.h and image-desc.c: one table.

A new kind is one more line here. Message names are `module.message` of the schema and are imported
when first asked for.
"""

from __future__ import annotations

import enum
import functools
import importlib
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from google.protobuf.message import Message

COMMON_MAGIC = 0x54564319
"""First word of images since CRIU v1.6."""
SERVICE_MAGIC = 0x55105940
"""First word of statistics and caches."""
INVENTORY_MAGIC = 0x58313116


class ImageHeader(enum.Enum):
    """How a file begins."""

    COMMON = "common"
    SERVICE = "service"
    INVENTORY = "inventory"
    SIZE64 = "size64"
    """A 64-bit length and nothing else."""
    NONE = "none"


class Payload(enum.Enum):
    """What follows the header."""

    ONE = "one message"
    MANY = "messages"
    PAGEMAP = "page map"
    GHOST = "ghost file"
    PLUGIN = "plugin message"
    PLUGIN_RAW = "plugin data"
    PAGES = "page contents"
    IPROUTE = "iproute2 dump"
    NETLINK = "netlink messages"
    TEXT = "text"
    JSON = "JSON"
    LOG = "log"
    TAR = "tar"
    TAR_GZ = "tar.gz"
    STRUCT = "C structures"
    SYMLINK = "symbolic link"
    NOTHING = "no file"


RECORDS = frozenset({Payload.ONE, Payload.MANY, Payload.PAGEMAP, Payload.GHOST})
"""Formats that are sequences of sized records."""


class Extra(enum.Enum):
    """What follows each message, outside of it."""

    NONE = "none"
    PIPE = "pipe contents"
    PACKET = "packet"
    TCP = "receive and send queue"
    BPF = "keys and values"
    SEM = "semaphores"
    MSG = "messages"
    SHM = "segment"
    GHOST = "file contents"


class Status(enum.Enum):
    """When and where a kind of file is met."""

    CURRENT = "current"
    LEGACY = "written by old releases, still read"
    DROPPED = "written by old releases, no longer read"
    UNUSED = "reserved, never written"
    WORKDIR = "in CRIU's work directory"
    PLUGIN = "written by a plugin"
    ENGINE = "written by the container engine"
    CACHE = "not part of a checkpoint"


class Kind(NamedTuple):
    """One kind of file."""

    name: str
    pattern: str
    """File name; `<pid>` stands for a decimal number, `<x ino>` for a hexadecimal one, `|` parts
    alternatives."""
    magic: int | None
    """Second word of the file; first word before CRIU v1.6."""
    first: str
    """Message of the first record; empty if there are no messages."""
    description: str
    format: Payload = Payload.MANY
    header: ImageHeader = ImageHeader.COMMON
    following: str = ""
    """Message of later records; empty where it is that of the first."""
    extra: Extra = Extra.NONE
    status: Status = Status.CURRENT
    magic_name: str = ""
    """Name crit prints."""

    def message_class(self, index: int) -> type[Message]:
        """Return the class of the record of that index."""
        return message_class(self.following if index and self.following else self.first)


@functools.cache
def message_class(name: str) -> type[Message]:
    """Return the class of `module.message`."""
    module, _, message = name.partition(".")
    found: type[Message] = getattr(
        importlib.import_module(f"ckpt_tui.criu.schema.{module}_pb2"), message
    )
    return found


def _many(
    name: str, pattern: str, magic: int, first: str, text: str, extra: Extra = Extra.NONE
) -> Kind:
    return Kind(name, pattern, magic, first, text, extra=extra, magic_name=name)


def _one(name: str, pattern: str, magic: int, first: str, text: str) -> Kind:
    return _many(name, pattern, magic, first, text)._replace(format=Payload.ONE)


def _old(name: str, pattern: str, magic: int, first: str, text: str, crit: str = "") -> Kind:
    kind = _many(name, pattern, magic, first, text)
    return kind._replace(status=Status.LEGACY, magic_name=crit or name)


def _raw(
    name: str,
    pattern: str,
    form: Payload,
    text: str,
    status: Status = Status.CURRENT,
    magic: int | None = None,
) -> Kind:
    return Kind(
        name, pattern, magic, "", text, form, ImageHeader.NONE, status=status, magic_name="RAW"
    )


def _service(name: str, pattern: str, magic: int, first: str, text: str, form: Payload) -> Kind:
    kind = _many(name, pattern, magic, first, text)
    return kind._replace(header=ImageHeader.SERVICE, format=form, status=Status.WORKDIR)


def _pagemap(name: str, pattern: str, text: str) -> Kind:
    kind = _many(name, pattern, 0x56084025, "memory.pagemap_head", text)
    return kind._replace(
        format=Payload.PAGEMAP, following="memory.pagemap_entry", magic_name="PAGEMAP"
    )


def _plugin(name: str, pattern: str, first: str, text: str) -> Kind:
    form = Payload.PLUGIN if first else Payload.PLUGIN_RAW
    return Kind(name, pattern, None, first, text, form, ImageHeader.SIZE64, status=Status.PLUGIN)


# One line per kind can be read down, nine cannot.
# fmt: off
KINDS: tuple[Kind, ...] = (
    _one("INVENTORY", "inventory.img", INVENTORY_MAGIC, "inventory.inventory_entry",
          "facts of the dump")._replace(header=ImageHeader.INVENTORY),
    _many("PSTREE", "pstree.img", 0x50273030, "process.pstree_entry",
          "process tree, parents first"),
    _many("FILES", "files.img", 0x56303138, "descriptors.file_entry", "open files of all kinds"),
    _one("SECCOMP", "seccomp.img", 0x64413049, "security.seccomp_entry", "seccomp filters"),
    _one("CGROUP", "cgroup.img", 0x59383330, "cgroups.cgroup_entry",
          "cgroup sets and their directories"),
    _one("APPARMOR", "apparmor.img", 0x59423047, "security.apparmor_entry",
          "AppArmor namespaces and policies"),
    _one("CPUINFO", "cpuinfo.img", 0x61404013, "cpuinfo.cpuinfo_entry",
          "processors of the dump host"),
    _many("FILE_LOCKS", "filelocks.img", 0x54323616, "files.file_lock_entry",
          "file locks and leases"),
    _many("REMAP_FPATH", "remap-fpath.img", 0x59133954, "files.remap_file_path_entry",
          "files whose path is gone"),
    _many("SK_QUEUES", "sk-queues.img", 0x56264026, "sockets.sk_packet_entry",
          "unread data of Unix sockets", Extra.PACKET),
    _many("PIPES_DATA", "pipes-data.img", 0x56453709, "files.pipe_data_entry",
          "unread data of pipes", Extra.PIPE),
    _many("FIFO_DATA", "fifo-data.img", 0x59333054, "files.pipe_data_entry",
          "unread data of fifos", Extra.PIPE),
    _many("TTY_INFO", "tty-info.img", 0x59453036, "terminals.tty_info_entry",
          "terminals and their settings"),
    _many("TTY_DATA", "tty-data.img", 0x59413026, "terminals.tty_data_entry",
          "unread input of terminals"),
    _many("MEMFD_INODE", "memfd.img", 0x48453499, "files.memfd_inode_entry",
          "memfds and shared anonymous memory"),
    _many("BPFMAP_DATA", "bpfmap-data.img", 0x64324033, "files.bpfmap_data_entry",
          "contents of BPF maps", Extra.BPF),
    _many("BPFMAP_FILE", "bpfmap-file.img", 0x57506142, "files.bpfmap_file_entry",
          "BPF maps; they are in files.img")._replace(status=Status.UNUSED),
    _many("PIDFD", "pidfd.img", 0x54435556, "files.pidfd_entry",
          "pidfds; they are in files.img")._replace(status=Status.UNUSED),
    _one("CORE", "core-<tid>.img", 0x55053847, "process.core_entry",
          "registers and state of a thread"),
    _one("IDS", "ids-<pid>.img", 0x54432030, "process.task_kobj_ids_entry",
          "namespaces and what a process shares"),
    _one("MM", "mm-<pid>.img", 0x57492820, "memory.mm_entry", "address space of a process"),
    _one("FS", "fs-<pid>.img", 0x51403912, "files.fs_entry", "working directory, root and umask"),
    _many("FDINFO", "fdinfo-<files>.img", 0x56213732, "descriptors.fdinfo_entry",
          "descriptor table"),
    _pagemap("PAGEMAP", "pagemap-<pid>.img", "which pages of a process are dumped"),
    _pagemap("SHMEM_PAGEMAP", "pagemap-shmem-<shmid>.img",
          "which pages of a shared object are dumped"),
    _raw("PAGES", "pages-<pages>.img", Payload.PAGES, "page contents"),
    _old("SIGACT", "sigacts-<pid>.img", 0x55344201, "process.sa_entry", "signal handlers"),
    _old("VMAS", "vmas-<pid>.img", 0x54123737, "memory.vma_entry", "mappings"),
    _old("ITIMERS", "itimers-<pid>.img", 0x57464056, "process.itimer_entry",
          "real, virtual and profiling timer"),
    _old("POSIX_TIMERS", "posix-timers-<pid>.img", 0x52603957, "process.posix_timer_entry",
          "POSIX timers"),
    _old("CREDS", "creds-<pid>.img", 0x54023547, "process.creds_entry",
          "credentials")._replace(format=Payload.ONE),
    _old("RLIMIT", "rlimit-<pid>.img", 0x57113925, "process.rlimit_entry", "resource limits"),
    _old("SIGNAL", "signal-s-<pid>.img", 0x59255647, "process.siginfo_entry",
          "signals pending for a process"),
    _old("PSIGNAL", "signal-p-<tid>.img", 0x59255647, "process.siginfo_entry",
          "signals pending for a thread", "SIGNAL"),
    _one("UTSNS", "utsns-<ns>.img", 0x54473203, "namespaces.utsns_entry", "host and domain name"),
    _one("IPC_VAR", "ipcns-var-<ns>.img", 0x53115007, "ipc.ipc_var_entry",
          "limits of an IPC namespace"),
    _many("IPCNS_SHM", "ipcns-shm-<ns>.img", 0x46283044, "ipc.ipc_shm_entry",
          "System V shared memory", Extra.SHM),
    _many("IPCNS_MSG", "ipcns-msg-<ns>.img", 0x55453737, "ipc.ipc_msg_entry",
          "System V message queues", Extra.MSG),
    _many("IPCNS_SEM", "ipcns-sem-<ns>.img", 0x59573019, "ipc.ipc_sem_entry",
          "System V semaphores", Extra.SEM),
    _many("MNTS", "mountpoints-<ns>.img", 0x55563928, "mounts.mnt_entry",
          "mounts of a mount namespace"),
    _one("USERNS", "userns-<ns>.img", 0x55474906, "namespaces.userns_entry", "uid and gid maps"),
    _one("TIMENS", "timens-<ns>.img", 0x43114433, "namespaces.timens_entry",
          "clocks at the time of the dump"),
    _one("PIDNS", "pidns-<ns>.img", 0x61157326, "namespaces.pidns_entry",
          "key of an external pid namespace"),
    _many("NETDEV", "netdev-<ns>.img", 0x57373951, "network.net_device_entry",
          "network interfaces"),
    _one("NETNS", "netns-<ns>.img", 0x55933752, "network.netns_entry",
          "settings of a network namespace"),
    _raw("IFADDR", "ifaddr-<ns>.img", Payload.IPROUTE, "interface addresses, of ip addr save",
          magic=0x47361222),
    _raw("ROUTE", "route-<ns>.img", Payload.IPROUTE, "IPv4 routes, of ip route save",
          magic=0x45311224),
    _raw("ROUTE6", "route6-<ns>.img", Payload.IPROUTE, "IPv6 routes, of ip -6 route save",
          magic=0x45311224),
    _raw("RULE", "rule-<ns>.img", Payload.IPROUTE, "routing rules, of ip rule save",
          magic=0x71706986),
    _raw("IPTABLES", "iptables-<ns>.img", Payload.TEXT, "output of iptables-save"),
    _raw("IP6TABLES", "ip6tables-<ns>.img", Payload.TEXT, "output of ip6tables-save"),
    _raw("NFTABLES", "nftables-<ns>.img", Payload.TEXT, "output of nft list ruleset"),
    _raw("NETNF_CT", "netns-ct-<ns>.img", Payload.NETLINK, "connection tracking table"),
    _raw("NETNF_EXP", "netns-exp-<ns>.img", Payload.NETLINK, "connection tracking expectations"),
    _many("GHOST_FILE", "ghost-file-<x id>.img", 0x52583605, "files.ghost_file_entry",
          "an unlinked file that is open", Extra.GHOST)._replace(format=Payload.GHOST,
          following="files.ghost_chunk_entry"),
    _one("TCP_STREAM", "tcp-stream-<x ino>.img", 0x51465506, "sockets.tcp_stream_entry",
          "an established TCP connection")._replace(extra=Extra.TCP),
    _raw("TMPFS_DEV", "tmpfs-dev-<dev>.tar.gz.img", Payload.TAR_GZ, "contents of a tmpfs mount"),
    _raw("TMPFS_IMG", "tmpfs-<mount>.tar.gz.img", Payload.TAR_GZ, "contents of a tmpfs mount",
          Status.LEGACY),
    _one("AUTOFS", "autofs-<dev>.img", 0x49353943, "mounts.autofs_entry", "an autofs mount"),
    _many("BINFMT_MISC", "binfmt-misc.img", 0x67343323, "mounts.binfmt_misc_entry",
          "registered binary formats"),
    _old("BINFMT_MISC_OLD", "binfmt-misc-<dev>.img", 0x67343323, "mounts.binfmt_misc_entry",
          "registered binary formats", "BINFMT_MISC"),
    _old("REG_FILES", "reg-files.img", 0x50363636, "files.reg_file_entry", "regular files"),
    _old("EXT_FILES", "ext-files.img", 0x59255641, "files.ext_file_entry", "files of plugins"),
    _old("NS_FILES", "ns-files.img", 0x61394011, "files.ns_file_entry", "open namespace files"),
    _old("EVENTFD_FILE", "eventfd.img", 0x44523722, "files.eventfd_file_entry", "eventfds"),
    _old("EVENTPOLL_FILE", "eventpoll.img", 0x45023858, "events.eventpoll_file_entry",
          "epoll files"),
    _old("EVENTPOLL_TFD", "eventpoll-tfd.img", 0x44433746, "events.eventpoll_tfd_entry",
          "descriptors watched by epoll"),
    _old("SIGNALFD", "signalfd.img", 0x57323820, "events.signalfd_entry", "signalfds"),
    _old("INOTIFY_FILE", "inotify.img", 0x48424431, "events.inotify_file_entry", "inotify files"),
    _old("INOTIFY_WD", "inotify-wd.img", 0x54562009, "events.inotify_wd_entry", "inotify watches"),
    _old("FANOTIFY_FILE", "fanotify.img", 0x55096122, "events.fanotify_file_entry",
          "fanotify files"),
    _old("FANOTIFY_MARK", "fanotify-mark.img", 0x56506035, "events.fanotify_mark_entry",
          "fanotify marks"),
    _old("PIPES", "pipes.img", 0x56513555, "files.pipe_entry", "pipe ends"),
    _old("FIFO", "fifo.img", 0x58364939, "files.fifo_entry", "ends of named pipes"),
    _old("UNIXSK", "unixsk.img", 0x54373943, "sockets.unix_sk_entry", "Unix sockets"),
    _old("INETSK", "inetsk.img", 0x56443851, "sockets.inet_sk_entry", "IPv4 and IPv6 sockets"),
    _old("PACKETSK", "packetsk.img", 0x60454618, "sockets.packet_sock_entry", "packet sockets"),
    _old("NETLINK_SK", "netlinksk.img", 0x58005614, "sockets.netlink_sk_entry", "netlink sockets"),
    _old("TTY_FILES", "tty.img", 0x59433025, "terminals.tty_file_entry", "open terminals"),
    _old("TUNFILE", "tunfile.img", 0x57143751, "network.tunfile_entry", "open TUN files"),
    _old("TIMERFD", "timerfd.img", 0x50493712, "events.timerfd_entry", "timerfds"),
    _old("FILE_LOCKS_OLD", "filelocks-<pid>.img", 0x54323616, "files.file_lock_entry",
          "file locks of a process", "FILE_LOCKS")._replace(status=Status.DROPPED),
    _raw("PAGES_OLD", "pages-<pid>.img", Payload.STRUCT,
          "pages with their addresses, before pagemaps", Status.DROPPED, 0x56084025),
    _raw("SHM_PAGES_OLD", "pages-shmem-<shmid>.img", Payload.STRUCT,
          "pages of shared memory, before pagemaps", Status.DROPPED, 0x56084025),
    _service("STATS", "stats-dump", 0x57093306, "inventory.stats_entry", "statistics of the dump",
          Payload.ONE),
    _service("STATS", "stats-restore", 0x57093306, "inventory.stats_entry",
          "statistics of a restore", Payload.ONE),
    _service("IRMAP_CACHE", "irmap-cache", 0x57004059, "events.irmap_cache_entry",
          "paths of inotify targets, cached", Payload.MANY),
    _raw("PARENT", "parent", Payload.SYMLINK, "the previous dump of a chain"),
    _raw("KDAT", "criu.kdat", Payload.STRUCT, "what criu found its kernel to offer", Status.CACHE,
          0x57023458),
    _plugin("AMDGPU_KFD", "amdgpu-kfd-<id>.img", "plugins.criu_kfd", "AMD compute device state"),
    _plugin("AMDGPU_RENDER", "amdgpu-renderD-<id>.img", "plugins.criu_render_node",
          "AMD render node state"),
    _plugin("AMDGPU_DMABUF", "amdgpu-dmabuf_<id>.img", "plugins.criu_dmabuf_node",
          "an AMD buffer shared as descriptor"),
    _plugin("AMDGPU_PAGES", "amdgpu-pages-<id>-<x gpu>.img", "", "contents of a GPU's memory"),
    _plugin("AMDGPU_DRM_PAGES", "amdgpu-drm-pages-<id>-<minor>-<x index>.img", "",
          "contents of one GPU buffer"),
    _raw("CUDA", "", Payload.NOTHING, "GPU memory of NVIDIA devices is in the page images",
          Status.PLUGIN),
    _raw("LOG", "dump.log|restore.log|criu.log", Payload.LOG, "log of criu", Status.WORKDIR),
    _raw("DESCRIPTORS", "descriptors.json", Payload.JSON, "where descriptors 0 to 2 led",
          Status.ENGINE),
    _raw("ENGINE_CONFIG", "config.dump", Payload.JSON, "configuration of the container",
          Status.ENGINE),
    _raw("ENGINE_SPEC", "spec.dump", Payload.JSON, "OCI runtime spec of the container",
          Status.ENGINE),
    _raw("ENGINE_NETWORK", "network.status", Payload.JSON, "networks of the container",
          Status.ENGINE),
    _raw("ENGINE_DEVSHM", "devshm-checkpoint.tar", Payload.TAR, "contents of /dev/shm",
          Status.ENGINE),
    _raw("ENGINE_ROOTFS", "rootfs-diff.tar", Payload.TAR, "files changed against the image",
          Status.ENGINE),
    _raw("ENGINE_DELETED", "deleted.files", Payload.JSON, "files deleted against the image",
          Status.ENGINE),
    _raw("ENGINE_STATUS", "status.dump|status", Payload.JSON,
          "status of the container at the checkpoint", Status.ENGINE),
    _raw("ENGINE_POD", "pod.options|pod.dump", Payload.JSON,
          "containers and configuration of a pod", Status.ENGINE),
    _raw("ENGINE_CTRLOG", "ctr.log", Payload.LOG, "output of the container", Status.ENGINE),
)
# fmt: on

UNKNOWN = Kind("UNKNOWN", "", None, "", "an image of a kind unknown here", magic_name="UNKNOWN")
"""Stands for images of kinds that are not in the table: framed, not decoded."""

_ID = re.compile(r"<(x )?\w+>")


@functools.cache
def _expression(pattern: str) -> re.Pattern[str]:
    """Return what matches the file names of a pattern. Compiled when first needed: all of them
    cost 20 ms."""
    parts = [re.escape(part) for part in _ID.sub("\0", pattern).split("\0")]
    # ids were written with a sign before v3.7
    ids = ["([0-9a-f]+)" if m[1] else "(-?[0-9]+)" for m in _ID.finditer(pattern)]
    return re.compile("".join(a + b for a, b in zip(parts, [*ids, ""], strict=True)))


@functools.cache
def _patterns_from(initial: str) -> tuple[tuple[str, str, Kind], ...]:
    """Return fixed beginning, pattern and kind of the names with that first letter: a tenth of
    all."""
    patterns = ((p, kind) for kind in KINDS for p in kind.pattern.split("|") if p)
    return tuple((p.partition("<")[0], p, k) for p, k in patterns if p[0] in ("<", initial))


@functools.lru_cache(maxsize=1 << 15)  # names of images are asked for again and again
def kind_of(file_name: str) -> tuple[Kind, str] | None:
    """Return the kind of a file and the id in its name ("" without one, `1-0f2a` with two).

    Only the last part of a path counts. Where old and current kinds share a pattern, it is the
    current one.
    """
    name = file_name.rpartition("/")[2]
    for start, pattern, kind in _patterns_from(name[:1]):
        if name.startswith(start) and (match := _expression(pattern).fullmatch(name)):
            return kind, "-".join(match.groups())
    return None


@functools.cache
def kind_by_magic(magic: int) -> Kind | None:
    """Return the first kind with that second word, for images under another name."""
    return next((k for k in KINDS if k.magic == magic and k.format in RECORDS), None)
