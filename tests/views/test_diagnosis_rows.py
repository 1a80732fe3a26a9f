"""A diagnosis in words: nothing empty, nothing twice, links that lead."""

from __future__ import annotations

from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.core.progress import quiet
from ckpt_tui.core.window import BytesWindow
from ckpt_tui.diagnose.doctor import diagnose_log
from ckpt_tui.diagnose.finding import Evidence, Finding, Verdict
from ckpt_tui.diagnose.log import read_log
from ckpt_tui.diagnose.target import TargetDiagnosis
from ckpt_tui.diagnose.where import log_places
from ckpt_tui.views.diagnosis import (
    LOG,
    RESTORE,
    diagnosis_rows,
    finding_sections,
    is_problem,
    log_sections,
    problem_keys,
    sections_of,
)
from ckpt_tui.views.log import cause_number, log_rows
from crafted import DATA


def finding(severity: str, *evidence: Evidence, where: str = "") -> Finding:
    return Finding("an-id", severity, "likely", "a title", "why", "cure", where, evidence)  # type: ignore[arg-type]


def diagnosis(
    *findings: Finding, log: str = "", proof: tuple[Evidence, ...] = ()
) -> TargetDiagnosis:
    found = None
    if log:
        data = (DATA / "failed" / log / "restore.log").read_bytes()
        found = diagnose_log(read_log(BytesWindow(data), quiet()))
    places = () if found else log_places("podman")
    good = Verdict("good", "")
    return TargetDiagnosis("l", found, findings, good, good, (), (), proof, places)


def labels(finding: Finding) -> list[str]:
    return [fact.label for section in finding_sections(finding) for fact in section.facts]


def test_place_is_named_only_where_there_is_one() -> None:
    assert "in" not in labels(finding("fails"))
    assert "in" in labels(finding("fails", where="mm-1.img"))


def test_problems_only_leaves_what_fails() -> None:
    found = diagnosis(finding("fails"), finding("advice"))
    keys = [row.key for row in diagnosis_rows(found)]
    assert keys == [0, 1, RESTORE]
    assert [key for key in keys if is_problem(found, key)] == [0]


def test_problem_keys_are_those_of_evidence_that_is_no_advice() -> None:
    found = diagnosis(
        finding("fails", Evidence("a", Ref.process(7)), Evidence("b")),
        finding("advice", Evidence("c", Ref.file(7, 3))),
        proof=(Evidence("d", Ref.mount(13, 119)),),
    )
    assert problem_keys(found) == {Ref.process(7), Ref.mount(13, 119)}


def test_proof_stands_under_the_cause() -> None:
    found = diagnosis(log="file-size", proof=(Evidence("the executable", Ref.process(1)),))
    titles = [section.title for section in sections_of(found, LOG) if section.facts]
    assert titles[:3] == ["It failed because", "Proof in the images", "Fix"]


def test_without_a_log_it_is_said_where_one_would_be() -> None:
    titles = [section.title for section in sections_of(diagnosis(), RESTORE)]
    assert titles == ["The log of podman"]
    assert sections_of(diagnosis(log="file-size"), RESTORE) == []


def test_lines_of_a_log_have_the_cause_and_its_consequences_marked() -> None:
    log = diagnosis(log="net-unreachable").log
    assert log is not None
    assert log.root_cause is not None
    rows = log_rows(log)
    number = cause_number(rows)
    assert number is not None
    assert str(rows[number].cells[1]) == f"{log.root_cause.line:,}"
    assert str(rows[number].cells[0]) == "✖"
    assert any(str(row.cells[0]) == "↳" for row in rows[number:])
    lines = [line for line, _ in log.lines if line]
    assert lines == sorted(lines)
    before = [text for line, text in log.lines if not line]
    assert len(before) == len(set(before)) > 20
    assert not any("\\x09" in str(row.cells[2]) for row in rows)


def test_a_quiet_log_says_what_it_leaves_out() -> None:
    log = BytesWindow(b"Warn  (criu/tty.c:1): tty: something\n")
    found = diagnose_log(read_log(log, quiet()))
    said = [str(f.value) for s in log_sections("x", found) for f in s.facts]
    assert "only errors and warnings" in said[0]
    assert not any("just ends" in text for text in said)
