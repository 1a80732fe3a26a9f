"""What the keys of the browser lead to: the screens for the line under the cursor."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from textual.screen import Screen

from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.text import printable
from ckpt_tui.ui.clipboard import send_to_clipboard
from ckpt_tui.ui.commands import DIAGNOSIS_TAB, own_key
from ckpt_tui.ui.widgets.marks_line import MarksLine
from ckpt_tui.views.browse import BrowseRows, Node

if TYPE_CHECKING:
    from ckpt_tui.ui.app import CkptApp

IMAGES = (
    *("oci:", "oci-archive:", "docker-archive:"),
    *("docker://", "containers-storage:", "containerd:"),
)
"""Targets that are images and can be copied."""


class BrowseOpening(Screen[None]):
    """The browser, as far as it leads elsewhere."""

    rows: BrowseRows

    @property
    def node(self) -> Node | None:
        """The node under the cursor."""
        raise NotImplementedError

    def refill(self) -> None:
        """Show the tree as it is now."""
        raise NotImplementedError

    def cancel_quietly(self) -> None:
        """Stop what is under way for this screen."""
        raise NotImplementedError

    def action_refresh_list(self) -> None:
        """List the branch of the cursor anew."""
        raise NotImplementedError

    def open_log(self, path: str) -> None:
        from ckpt_tui.formats.logs import open_log
        from ckpt_tui.ui.screens.view import ViewScreen

        try:
            window = open_log(path)
        except CkptError as error:
            self.notify(printable(str(error)), severity="error", markup=False)
            return
        self._push(ViewScreen(path, window), lambda _: window.close())

    def open_checkpoint(self, target: str, tab: int = 1) -> None:
        from ckpt_tui.ui.screens.checkpoint import CheckpointScreen

        self._push(CheckpointScreen(target, tab))

    def action_diagnose(self) -> None:
        """Open what is under the cursor at its diagnosis."""
        node = self.node
        if node is None or not node.target:
            self._warn("Only a checkpoint can be diagnosed; a log opens with enter.")
            return
        self.open_checkpoint(node.target, DIAGNOSIS_TAB)

    def action_formats(self) -> None:
        node = self.node
        if node is None or not node.target:
            self._warn("Only a checkpoint can be restored.")
            return
        from ckpt_tui.ui.screens.formats import FormatsScreen

        self._push(FormatsScreen(node.target))

    def action_mark(self) -> None:
        """Mark what is under the cursor to be compared, or unmark it."""
        target = self.node.target if self.node else ""
        if not target:
            self._warn("Only checkpoints can be compared.")
            return
        self.rows.toggle_mark(target)
        self._show_marks()

    def clear_marks(self) -> bool:
        """Unmark everything; return whether anything was marked."""
        if not self.rows.marked:
            return False
        self.rows.marked.clear()
        self._show_marks()
        return True

    def _show_marks(self) -> None:
        self.query_one(MarksLine).show(len(self.rows.marked))
        self.refill()

    def action_compare(self) -> None:
        """Show what differs between the marked checkpoints, in the order of marking."""
        if len(self.rows.marked) < 2:
            key = own_key(self.app, "mark")
            self._warn(f"Mark two checkpoints or more: {key} marks what is under the cursor.")
            return
        self.cancel_quietly()
        cast("CkptApp", self.app).compare_targets(self.rows.marked)

    def _warn(self, text: str) -> None:
        self.notify(text, severity="warning", markup=False)

    def _push(self, screen: Screen[Any], then: Callable[[Any], None] | None = None) -> None:
        """Show a screen; what is under way for this one is stopped."""
        self.cancel_quietly()
        self.app.push_screen(screen, then)

    def action_convert(self) -> None:
        node = self.node
        if node is None or not node.target:
            self._warn("Only a checkpoint can be converted.")
            return
        from ckpt_tui.ui.screens.convert import ConvertScreen

        self._push(ConvertScreen(node.target), lambda _: self.action_refresh_list())

    def action_copy_image(self) -> None:
        """Copy the image under the cursor elsewhere."""
        node = self.node
        if node is None or not (node.target.startswith(IMAGES) or node.holds_images):
            self._warn("Only an image is copied, or an archive of one; c converts a checkpoint.")
            return
        from ckpt_tui.ui.screens.copy import CopyScreen

        self._push(CopyScreen(node.target), lambda _: self.action_refresh_list())

    async def action_copy(self) -> None:
        node = self.node
        if node is not None:
            text = node.opens or (node.digest if node.is_part else node.path)
            await send_to_clipboard(self.app, text, "the digest" if node.is_part else "the path")

    async def action_copy_digest(self) -> None:
        if self.node is not None and self.node.digest:
            await send_to_clipboard(self.app, self.node.digest, "the digest")
        else:
            self._warn("No digest is known of it.")
