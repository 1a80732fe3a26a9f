"""What a user can tell the program: the words and keys of each command, which screens and widgets
bind by its id. Key line, palette and help are made of what is bound where the focus is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.dom import DOMNode
from textual.screen import Screen

BROWSER, CHECKPOINT, DIAGNOSIS, CONVERT, COMPARE, CHAIN, VIEW, COPY, FORMATS = (
    "browser",
    "checkpoint",
    "diagnosis",
    "convert",
    "compare",
    "chain",
    "view",
    "copy",
    "formats",
)
"""Names of the screens; `VIEW` is one thing in full: an image decoded, a file, bytes, a log."""


@dataclass(frozen=True, slots=True)
class Command:
    """One thing a user can do."""

    id: str
    """Also the name for a keymap of the user's own."""
    keys: str
    """As Textual spells them, comma between; the first one is shown."""
    action: str
    """Runs on the node that binds it, unless it names `app.`."""
    title: str
    """For palette and help; a verb first."""
    help: str
    """One sentence for a new user."""
    footer: str = ""
    """One or two words for the key line; empty: not worth a place there."""

    def binding(self, *, show: bool = False, priority: bool = False) -> Binding:
        """Return a binding; with `show` it asks for a place on the key line."""
        return Binding(
            self.keys,
            self.action,
            self.title,
            tooltip=self.help,
            show=show,
            id=self.id,
            priority=priority,
        )


COMMANDS: tuple[Command, ...] = (
    Command("open", "enter", "open", "Open", "Go into what is under the cursor.",
            "open"),
    Command("start", "enter", "start", "Start", "Write the new image.", "start"),
    Command("open-result", "o", "open_result", "Open the result", "Look into the new image.",
            "open it"),
    Command("convert", "c", "convert", "Convert", "Plan another format; writes nothing yet.",
            "convert"),
    Command("diagnose", "d", "diagnose", "Diagnose", "Why it failed, and what would fail here.",
            "diagnose"),
    Command("log", "l", "app.read_log", "Read a log",
            "Why it failed; a file, or paste its lines."),
    Command("mark", "space", "mark", "Mark to compare", "Any number; esc unmarks all.",
            "mark"),
    Command("compare", "C", "compare", "Compare what is marked",
            "Two side by side, more as a time line."),
    Command("add", "a", "add_checkpoint", "Add a checkpoint",
            "Three and more are a time line.", "add one"),
    Command("formats", "t", "formats", "Ways to restore", "What each engine would read and write."),
    Command("measure", "m", "measure", "Measure", "Run the data steps here and time them.",
            "measure"),
    Command("copy-image", "p", "copy_image", "Copy to another place",
            "To a registry, an OCI layout or an archive.", "copy to"),
    Command("add-registry", "a", "add_registry", "Add a registry",
            "Logins stay with docker and podman."),
    Command("forget-registry", "delete", "forget_registry", "Forget the registry",
            "Take it from the list."),
    Command("target", "t", "change_target", "Change the target", "Write to another place.",
            "target"),
    Command("base", "b", "change_base", "Change the base image", "Store what differs from it.",
            "base"),
    Command("repository", "f", "change_repository", "Change the repository",
            "Say where the result will live: HOST/REPO.", "for"),
    Command("keep-delta", "k", "keep_delta", "Keep the delta as a tar",
            "The half step: needs no base image.", "half step"),
    Command("keep-devices", "d", "keep_devices", "Keep block devices",
            "Convert block devices in the delta.", "devices"),
    Command("encrypt", "E", "encrypt", "Encrypt",
            "Encrypt for the recipients in the settings or for a key; again: do not."),
    Command("address", "a", "ask_address", "Go to an address", "Show the bytes at an address.",
            "address"),
    Command("save", "w", "save", "Save the bytes", "Write what is under the cursor to a file.",
            "save"),
    Command("core", "K", "write_core", "Write a core file",
            "The memory of a process, for gdb or lldb."),
    Command("hex", "x", "toggle_hex", "Text or bytes", "Show the other of the two.",
            "text or bytes"),
    Command("go-to", "g", "go_to", "Go to", "Follow a link to what it names.",
            "go to"),
    Command("used-by", "u", "used_by", "Used by", "List who refers to this.",
            "used by"),
    Command("problems", "z", "problems_only", "Problems only", "Hide what is as it should be.",
            "problems"),
    Command("filter", "f", "filter", "Filter", "Show only rows with every word you type.",
            "filter"),
    Command("count-pages", "p", "count_pages", "Count the pages",
            "Tell zero and equal ones from the rest.", "count pages"),
    Command("count-with", "P", "count_pages_with", "Pages in another one",
            "Count what another checkpoint has, too."),
    Command("breakdown", "b", "next_breakdown", "Divide another way",
            "By component, memory, layer, file."),
    Command("search", "/", "search", "Search", "Find text; n and N step through it.",
            "search"),
    Command("search-lines", "/", "search", "Search", "Show only lines that have the text.",
            "search"),
    Command("next", "n", "next_match", "Next match", "Go to the next place found."),
    Command("previous", "N", "previous_match", "Previous match", "Go to the place found before."),
    Command("sort", "s", "sort", "Sort by the next column", "A click on a title sorts by it."),
    Command("reverse", "S", "reverse", "Sort the other way", "Turn the order round."),
    Command("next-list", "right_square_bracket", "other_list(1)", "Next list of the tab",
            "Files and System have several.", "list"),
    Command("previous-list", "left_square_bracket", "other_list(-1)", "List before",
            "Go back to it."),
    Command("inside", "right", "look_inside", "Look inside",
            "Images of an archive; layers of an image."),
    Command("outside", "left", "close_branch", "Close the branch", "Or go to the one around it."),
    Command("copy-digest", "Y", "copy_digest", "Copy the digest", "Send it to the clipboard."),
    Command("copy", "y", "copy", "Copy the value", "Send it to the clipboard.",
            "copy"),
    Command("copy-row", "Y", "copy_row", "Copy the row", "Send the whole line to the clipboard."),
    Command("expand", "space", "toggle_branch", "Open or close a branch",
            "Show or hide what is in it."),
    Command("reveal", "r", "reveal", "Show secrets", "Show what looks like a secret, or hide it."),
    Command("pager", "v", "pager", "Open in $PAGER", "Control characters are escaped in it."),
    Command("refresh", "r,f5", "refresh_list", "Look again", "Read the list anew."),
    Command("export", "e", "app.export_view", "Save this view",
            "As .svg, or its list as .txt, .md, .json."),
    Command("back", "escape", "back", "Back", "Stop the work, close the panel, or go back.",
            "back"),
    Command("leave", "q", "leave", "Leave", "Go back; from the first screen, quit."),
    Command("quit", "ctrl+q", "app.quit", "Quit", "End the program."),
    Command("suspend", "ctrl+z", "app.suspend_process", "Suspend", "To the shell; fg returns."),
    Command("palette", ":,ctrl+p", "app.command_palette", "Commands", "Find a command by name."),
    Command("help", "?,f1", "app.show_help", "Help", "Show the keys of this screen.", "help"),
)  # fmt: skip
"""In the order of the key line and of the help; tabs are beside."""

_BY_ID = {command.id: command for command in COMMANDS}
_ORDER = {command.id: number for number, command in enumerate(COMMANDS)}

TAB_KEYS: tuple[str, ...] = (*"1234567890",)
"""Keys of the tabs of a checkpoint, in their order."""

_KEY_NAMES = {
    "escape": "esc",
    "pagedown": "pgdn",
    "pageup": "pgup",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "right": "→",
    "left": "←",
}

UNUSABLE = "Not with what is shown now:"
"""Over the commands in the help that the screen does not take where it is."""

MOVING = (
    ("↑ ↓  j k", "Move", "One line up or down."),
    ("pgup pgdn", "Page", "ctrl+u and ctrl+d move half a page."),
    ("home end", "First and last", "G goes to the last, too."),
    ("tab", "Other side", "shift+tab goes back."),
)
"""Keys that every list answers to: shown key, title, help."""


def bound(shown: str = "", hidden: str = "", first: str = "") -> list[BindingType]:
    """Return `BINDINGS` of commands by their ids, blanks between. `shown` are those that ask for a
    place on the key line. Those that are `first`, too, are handled before the next key is looked
    at, so that what is typed behind one reaches the line that it opens."""
    return [
        _BY_ID[name].binding(show=show, priority=name in first.split())
        for ids, show in ((shown, True), (hidden, False))
        for name in ids.split()
    ]


def tab_bindings(names: Sequence[str]) -> list[BindingType]:
    """Return the `BINDINGS` of a screen with these tabs; their numbers count from 1."""
    return [
        Command(
            f"tab-{number}", key, f"show_tab({number})", f"Show {name}", f"Go to the tab {name}."
        ).binding()
        for number, (key, name) in enumerate(zip(TAB_KEYS, names, strict=False), 1)
    ]


EVERYWHERE = bound("help", "back export leave suspend")
"""What every screen has that is not a question."""


def shown_key(keys: str) -> str:
    """Return the first of some keys as it is written on the screen."""
    first = keys.split(",")[0]
    return _KEY_NAMES.get(first, first)


def own_key(app: object, command_id: str) -> str:
    """Return the first key of a command as it is written on the screen: the user's own, if the
    settings have one."""
    return shown_key(_own_keys(app, command_id))


def _own_keys(app: object, command_id: str) -> str:
    own: str | None = getattr(app, "own_keys", {}).get(command_id)
    if own is not None:
        return own
    if command_id.startswith("tab-"):
        return TAB_KEYS[int(command_id.removeprefix("tab-")) - 1]
    return _BY_ID[command_id].keys


class Active(NamedTuple):
    """A command that can be done now."""

    node: DOMNode
    """What binds it."""
    binding: Binding
    enabled: bool
    """False: greyed out."""

    async def run(self) -> None:
        """Do what its key does."""
        await self.node.app.run_action(self.binding.action, self.node)


def active(screen: Screen[Any]) -> dict[str, Active]:
    """Return what can be done where the focus is, by the id of the command, in the order of the
    table: what the widgets around the focus bind and their `check_action` does not hide."""
    found: dict[str, Active] = {}
    for node in (screen.focused or screen).ancestors_with_self:
        for binding in bindings_of(type(node)):
            name = binding.action.partition("(")[0]
            state = True if name.startswith("app.") else node.check_action(name, ())
            if state is not False:
                found.setdefault(binding.id or "", Active(node, binding, bool(state)))
    return dict(sorted(found.items(), key=lambda item: _place(item[0])))


def _place(command_id: str) -> tuple[int, int]:
    """Return what sorts commands; tabs come before what every screen has."""
    if command_id.startswith("tab-"):
        return _ORDER["export"] - 1, int(command_id.removeprefix("tab-"))
    return _ORDER.get(command_id, len(_ORDER)), -1


def key_line(screen: Screen[Any]) -> Iterator[tuple[Command, Active]]:
    """Yield what asks for a place on the key line, the important ones first."""
    for command_id, found in active(screen).items():
        command = _BY_ID.get(command_id)
        if command is not None and command.footer and found.binding.show:
            yield command, found


def palette(screen: Screen[Any]) -> Iterator[SystemCommand]:
    """Yield what the command palette offers on a screen, for `App.get_system_commands`."""
    for command_id, found in active(screen).items():
        if found.enabled:
            words = f"{found.binding.tooltip}  {own_key(screen.app, command_id)}"
            yield SystemCommand(found.binding.description, words, found.run)


def help_text(screen: Screen[Any]) -> str:
    """Return the keys of a screen as aligned lines of at most 80 cells; tabs share one line.

    What cannot be done where the focus is comes last, under a heading.
    """
    usable = active(screen)
    lines = [*MOVING, *_help_lines(screen, (b.binding for b in usable.values()))]
    others = {b.id: b for b in _bound_on(screen) if b.id and b.id not in usable}
    rest = [*_help_lines(screen, sorted(others.values(), key=lambda b: _place(b.id or "")))]
    more = ["", UNUSABLE, *map(_aligned, rest)] if rest else []
    return "\n".join([*map(_aligned, lines), *more])


def _bound_on(screen: Screen[Any]) -> Iterator[Binding]:
    """Yield what is bound by any part of a screen, made or not: see `binders`."""
    kinds: Iterable[type[DOMNode]] = getattr(screen, "binders", ())
    for kind in kinds:
        yield from bindings_of(kind)
    for node in screen.walk_children(with_self=True):
        yield from bindings_of(type(node))


def bindings_of(kind: type[DOMNode]) -> Iterator[Binding]:
    """Yield the commands that a class and its bases bind."""
    declared = chain.from_iterable(vars(base).get("BINDINGS", ()) for base in kind.__mro__)
    return (b for b in declared if isinstance(b, Binding) and b.id)


def _aligned(line: tuple[str, str, str]) -> str:
    keys, title, help_line = line
    return f"{keys:<11} {title:<23} {help_line}"


def _help_lines(screen: Screen[Any], bindings: Iterable[Binding]) -> Iterator[tuple[str, str, str]]:
    """Yield shown keys, title and help."""
    own = getattr(screen.app, "own_keys", {})
    for binding in bindings:
        command_id = binding.id or ""
        if command_id.startswith("tab-") and command_id not in own:
            if command_id == "tab-1":
                yield "1 … 9 0", "Show a tab", "In the order of the titles."
            continue
        keys = "  ".join(map(shown_key, _own_keys(screen.app, command_id).split(",")))
        yield keys, binding.description, str(binding.tooltip)
