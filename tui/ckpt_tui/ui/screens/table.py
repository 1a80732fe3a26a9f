"""SCREENS: every screen with keys, and what on it binds some of its own."""

from __future__ import annotations

from textual.dom import DOMNode

from ckpt_tui.ui.screens.browse import BrowseScreen
from ckpt_tui.ui.screens.chain import ChainScreen
from ckpt_tui.ui.screens.checkpoint import CheckpointScreen
from ckpt_tui.ui.screens.compare import CompareScreen
from ckpt_tui.ui.screens.convert import ConvertScreen
from ckpt_tui.ui.screens.copy import CopyScreen
from ckpt_tui.ui.screens.formats import FormatsScreen
from ckpt_tui.ui.screens.log import LogScreen
from ckpt_tui.ui.screens.view import ViewScreen
from ckpt_tui.ui.widgets.list_view import ListView

SCREENS: tuple[tuple[type[DOMNode], ...], ...] = (
    (BrowseScreen,),
    (CheckpointScreen, *CheckpointScreen.binders),
    (CompareScreen, ListView),
    (ChainScreen, ListView),
    (ConvertScreen,),
    (CopyScreen,),
    (FormatsScreen, ListView),
    (LogScreen, ListView),
    (ViewScreen, ListView),
)
"""First the screen; a key means one thing on it, wherever the focus is."""
