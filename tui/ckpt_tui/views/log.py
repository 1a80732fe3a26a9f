"""The lines of a log that matter, with the cause marked."""

from __future__ import annotations

from ckpt_tui.core.styled import Styled, styled
from ckpt_tui.diagnose.doctor import LogDiagnosis
from ckpt_tui.views.diagnosis import legible
from ckpt_tui.views.meanings import signed
from ckpt_tui.views.table import Column, Row

COLUMNS = (
    Column("", width=1),
    Column("LINE", width=9, align="right"),
    Column("LOG", share=1, least=40),
)

FOLLOWS, NOISE = styled(("↳", "may-fail")), styled(("·", "muted"))


def log_rows(log: LogDiagnosis) -> list[Row]:
    """Return one row for each line of a log that was kept; `meaning` is empty for those that are
    neither the cause nor what followed from it."""
    cause = log.root_cause
    marks: dict[int, tuple[Styled, str]] = {note.line: (NOISE, "") for note in log.noise}
    marks |= {note.line: (FOLLOWS, "may-fail") for note in log.cascade}
    rows = []
    for index, (number, text) in enumerate(log.lines):
        mark, meaning = marks.get(number, (Styled(), ""))
        shown = styled((legible(text), "" if number else "muted"))
        if cause is not None and number == cause.line and text[:60] in cause.text:
            mark, meaning, shown = signed("fails"), "fails", styled((legible(text), "fails"))
        cells = (mark, f"{number:,}" if number else "", shown)
        rows.append(Row(index, cells, meaning=meaning))
    return rows


def cause_number(rows: list[Row]) -> int | None:
    """Return the number of the row with the cause, None without one."""
    return next((n for n, row in enumerate(rows) if row.meaning == "fails"), None)
