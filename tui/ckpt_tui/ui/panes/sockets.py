"""The tab Sockets: a list with two addresses in each row, wider than other lists."""

from __future__ import annotations

from ckpt_tui.ui.panes.list_pane import ListPane


class SocketsPane(ListPane):
    """The sockets; the style sheet of the screen gives them their width."""
