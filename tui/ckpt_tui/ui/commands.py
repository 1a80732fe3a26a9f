"""What a user can tell the program: one table for keys, palette, help, key line and own keymaps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import filterfalse
from typing import Any

from textual.app import SystemCommand
from textual.binding import Binding
from textual.screen import Screen
from textual.widget import Widget

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

SCREENS = (BROWSER, CHECKPOINT, DIAGNOSIS, CONVERT, COMPARE, CHAIN, VIEW, COPY, FORMATS)

TABS = (
    "Overview",
    "Processes",
    "Files",
    "Sockets",
    "Memory",
    "Filesystem",
    "Mounts",
    "Images",
    "Sizes",
    "Diagnosis",
    "Recovered",
    "Namespaces",
)
"""Of a checkpoint, in the order of their keys 1 … 9, 0, -, =. Cgroups are beside namespaces."""

DIAGNOSIS_TAB = TABS.index("Diagnosis") + 1
"""Number of the tab, as its key counts."""

_TAB_KEYS: tuple[str, ...] = (*"1234567890", "minus", "equals_sign")


@dataclass(frozen=True, slots=True)
class Command:
    """One thing a user can do."""

    id: str
    """Also the name for a keymap of the user's own."""
    keys: str
    """As Textual spells them, comma between; the first one is shown."""
    action: str
    """Runs on the screen unless it names `app.`."""
    title: str
    """For palette and help; a verb first."""
    help: str
    """One sentence for who does not know yet."""
    footer: str = ""
    """One or two words for the key line; empty: not worth a place there."""
    screens: tuple[str, ...] = SCREENS
    """Where it can be done."""
    line: tuple[str, ...] = SCREENS
    """Where the key line shows it, if it has a footer."""

    @property
    def shown_key(self) -> str:
        """The first key as it is written on the screen."""
        return shown_key(self.keys)


def tab_key(number: int) -> str:
    """Return the key of a tab, as Textual spells it; tabs count from 1."""
    return _TAB_KEYS[number - 1]


_LISTS = (BROWSER, CHECKPOINT, COMPARE)
_ROWS = (CHECKPOINT, COMPARE)
_INSIDE = (CHECKPOINT, VIEW)
_READING = (DIAGNOSIS, VIEW)

COMMANDS: tuple[Command, ...] = (
    Command("open", "enter", "open", "Open", "Go into what is under the cursor.",
            "open", (BROWSER, CHECKPOINT, DIAGNOSIS, COMPARE, CHAIN)),
    Command("start", "enter", "start", "Start", "Write the new image.", "start", (CONVERT,)),
    Command("open-result", "o", "open_result", "Open the result", "Look into the new image.",
            "open it", (CONVERT,)),
    Command("convert", "c", "convert", "Convert", "Plan another format; writes nothing yet.",
            "convert", (BROWSER, CHECKPOINT), line=(BROWSER,)),
    Command("diagnose", "d", "diagnose", "Diagnose", "Why it failed, and what would fail here.",
            "diagnose", (BROWSER, CHECKPOINT), line=(BROWSER,)),
    Command("log", "l", "app.read_log", "Read a log",
            "Why it failed; a file, or paste its lines.", screens=(BROWSER, CHECKPOINT, DIAGNOSIS)),
    Command("mark", "space", "mark", "Mark to compare", "Any number; esc unmarks all.",
            "mark", (BROWSER,)),
    Command("compare", "C", "compare", "Compare what is marked",
            "Two side by side, more as a time line.", screens=(BROWSER,)),
    Command("add", "a", "add_checkpoint", "Add a checkpoint",
            "Three and more are a time line.", "add one", (COMPARE, CHAIN)),
    Command("formats", "t", "formats", "Ways to restore", "What each engine would read and write.",
            screens=(BROWSER, CHECKPOINT, COMPARE)),
    Command("measure", "m", "measure", "Measure", "Run the data steps here and time them.",
            "measure", (FORMATS,)),
    Command("copy-image", "p", "copy_image", "Copy to another place",
            "To a registry, an OCI layout or an archive.", "copy to", (BROWSER,)),
    Command("add-registry", "a", "add_registry", "Add a registry",
            "Logins stay with docker and podman.", screens=(BROWSER,)),
    Command("forget-registry", "delete", "forget_registry", "Forget the registry",
            "Take it from the list.", screens=(BROWSER,)),
    Command("target", "t", "change_target", "Change the target", "Write to another place.",
            "target", (CONVERT,)),
    Command("base", "b", "change_base", "Change the base image", "Store what differs from it.",
            "base", (CONVERT,)),
    Command("repository", "f", "change_repository", "Change the repository",
            "Say where the result will live: HOST/REPO.", "for", (CONVERT,)),
    Command("keep-delta", "k", "keep_delta", "Keep the delta as a tar",
            "The half step: needs no base image.", "half step", (CONVERT,)),
    Command("address", "a", "ask_address", "Go to an address", "Show the bytes at an address.",
            "address", (CHECKPOINT,)),
    Command("save", "w", "save", "Save the bytes", "Write what is under the cursor to a file.",
            "save", _INSIDE),
    Command("hex", "x", "toggle_hex", "Text or bytes", "Show the other of the two.",
            "text or bytes", (VIEW,)),
    Command("go-to", "g", "go_to", "Go to", "Follow a link to what it names.",
            "go to", (CHECKPOINT,)),
    Command("used-by", "u", "used_by", "Used by", "List who refers to this.",
            "used by", (CHECKPOINT,)),
    Command("problems", "z", "problems_only", "Problems only", "Hide what is as it should be.",
            "problems", (CHECKPOINT, DIAGNOSIS)),
    Command("filter", "f", "filter", "Filter", "Show only rows with every word you type.",
            "filter", _LISTS, line=(CHECKPOINT, COMPARE)),
    Command("count-pages", "p", "count_pages", "Count the pages",
            "Tell zero and equal ones from the rest.", "count pages", (CHECKPOINT,)),
    Command("count-with", "P", "count_pages_with", "Pages in another one",
            "Count what another checkpoint has, too.", screens=(CHECKPOINT,)),
    Command("breakdown", "b", "next_breakdown", "Divide another way",
            "By component, memory, layer, file.", screens=(CHECKPOINT,)),
    Command("search", "/", "search", "Search", "Find text; n and N step through it.",
            "search", (*_ROWS, *_READING), line=_READING),
    Command("search-lines", "/", "search", "Search", "Show only lines that have the text.",
            "search", (BROWSER,)),
    Command("next", "n", "next_match", "Next match", "Go to the next place found.",
            screens=(*_ROWS, *_READING)),
    Command("previous", "N", "previous_match", "Previous match", "Go to the place found before.",
            screens=(*_ROWS, *_READING)),
    Command("sort", "s", "sort", "Sort by the next column", "A click on a title sorts by it.",
            screens=(BROWSER, CHECKPOINT)),
    Command("reverse", "S", "reverse", "Sort the other way", "Turn the order round.",
            screens=(BROWSER, CHECKPOINT)),
    Command("inside", "right", "look_inside", "Look inside",
            "Images of an archive; layers of an image.", screens=(BROWSER,)),
    Command("outside", "left", "close_branch", "Close the branch", "Or go to the one around it.",
            screens=(BROWSER,)),
    Command("copy-digest", "Y", "copy_digest", "Copy the digest", "Send it to the clipboard.",
            screens=(BROWSER,)),
    Command("copy", "y", "copy", "Copy the value", "Send it to the clipboard.",
            "copy", (BROWSER, CHECKPOINT, CONVERT, COMPARE, CHAIN, FORMATS, *_READING),
            line=(CONVERT, *_READING)),
    Command("copy-row", "Y", "copy_row", "Copy the row", "Send the whole line to the clipboard.",
            screens=(*_ROWS, VIEW)),
    Command("expand", "space", "toggle_branch", "Open or close a branch",
            "Show or hide what is in it.", screens=(CHECKPOINT,)),
    Command("reveal", "r", "reveal", "Show secrets", "Show what looks like a secret, or hide it.",
            screens=(*_INSIDE, COMPARE)),
    Command("pager", "v", "pager", "Open in $PAGER", "Control characters are escaped in it.",
            screens=_INSIDE),
    Command("refresh", "r,f5", "refresh_list", "Look again", "Read the list anew.",
            screens=(BROWSER,)),
    *(
        Command(f"tab-{number}", tab_key(number), f"show_tab({number})", f"Show {name}",
                f"Go to the tab {name}.", screens=(CHECKPOINT,))
        for number, name in enumerate(TABS, 1)
    ),
    Command("export", "e", "app.export_view", "Save this view",
            "As .svg, or its list as .txt, .md, .json."),
    Command("back", "escape", "back", "Back", "Stop the work, close the panel, or go back.",
            "back", line=(CONVERT, COMPARE, CHAIN, COPY, FORMATS, *_READING)),
    Command("leave", "q", "leave", "Leave", "Go back; from the first screen, quit."),
    Command("quit", "ctrl+q", "app.quit", "Quit", "End the program."),
    Command("suspend", "ctrl+z", "app.suspend_process", "Suspend", "To the shell; fg returns."),
    Command("palette", ":,ctrl+p", "app.command_palette", "Commands", "Find a command by name."),
    Command("help", "?,f1", "app.show_help", "Help", "Show the keys of this screen.", "help"),
)  # fmt: skip
"""In the order of the key line and of the help."""

_KEY_NAMES = {
    "escape": "esc",
    "pagedown": "pgdn",
    "pageup": "pgup",
    "minus": "-",
    "equals_sign": "=",
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


def shown_key(keys: str) -> str:
    """Return the first of some keys as it is written on the screen."""
    first = keys.split(",")[0]
    return _KEY_NAMES.get(first, first)


def own_key(app: object, command_id: str) -> str:
    """Return the first key of a command as it is written on the screen: the user's own, if the
    settings have one."""
    default = next(command.keys for command in COMMANDS if command.id == command_id)
    return shown_key(getattr(app, "own_keys", {}).get(command_id, default))


def commands_for(screen_name: str) -> tuple[Command, ...]:
    """Return what can be done on a screen, in the order of the table."""
    return tuple(command for command in COMMANDS if screen_name in command.screens)


def bindings_for(screen_name: str) -> list[Binding]:
    """Return the `BINDINGS` of a screen."""
    return [
        Binding(
            command.keys,
            command.action,
            command.title,
            tooltip=command.help,
            show=command in key_line_for(screen_name),
            id=command.id,
        )
        for command in commands_for(screen_name)
    ]


def key_line_for(screen_name: str) -> tuple[Command, ...]:
    """Return the commands that ask for a place on the key line, the important ones first."""
    return tuple(c for c in commands_for(screen_name) if c.footer and screen_name in c.line)


def node_for(screen: Screen[Any], action: str) -> Widget:
    """Return what answers the key of an action: the innermost widget around the focus that has it
    and does not hide it, else the screen."""
    name = action.partition("(")[0]
    around = screen.focused.ancestors_with_self if screen.focused else (screen,)
    able = (n for n in around if isinstance(n, Widget) and hasattr(n, f"action_{name}"))
    return next((n for n in able if n.check_action(name, ()) is not False), screen)


def allowed(command: Command, screen: Screen[Any]) -> bool | None:
    """Return what the `check_action` of its widget says: None for greyed out, False for hidden."""
    name = command.action.partition("(")[0]
    return True if name.startswith("app.") else node_for(screen, name).check_action(name, ())


def palette(screen_name: str, screen: Screen[Any]) -> Iterator[SystemCommand]:
    """Yield what the command palette offers on a screen, for `App.get_system_commands`."""
    for command in commands_for(screen_name):
        if allowed(command, screen):
            yield SystemCommand(
                command.title,
                f"{command.help}  {own_key(screen.app, command.id)}",
                partial(node_for(screen, command.action).run_action, command.action),
            )


def help_text(
    screen_name: str,
    own_keys: Mapping[str, str] | None = None,
    usable: Callable[[Command], bool] = lambda _: True,
) -> str:
    """Return the keys of a screen as aligned lines of at most 80 cells; tabs share one line.

    `own_keys` are the user's by the id of a command. What is not `usable` comes last, under a
    heading.
    """
    commands = commands_for(screen_name)
    lines = [*MOVING, *_help_lines(filter(usable, commands), own_keys or {})]
    rest = [*_help_lines(filterfalse(usable, commands), own_keys or {})]
    more = ["", UNUSABLE, *map(_aligned, rest)] if rest else []
    return "\n".join([*map(_aligned, lines), *more])


def _aligned(line: tuple[str, str, str]) -> str:
    keys, title, help_line = line
    return f"{keys:<11} {title:<23} {help_line}"


def _help_lines(
    commands: Iterable[Command], own: Mapping[str, str]
) -> Iterator[tuple[str, str, str]]:
    """Yield shown keys, title and help."""
    for command in commands:
        if command.id.startswith("tab-"):
            if command.id in own:
                yield shown_key(own[command.id]), command.title, command.help
            elif command.id == "tab-1":
                yield "1 … 9 0 - =", "Show a tab", "In the order of the titles."
            continue
        keys = "  ".join(shown_key(key) for key in own.get(command.id, command.keys).split(","))
        yield keys, command.title, command.help
