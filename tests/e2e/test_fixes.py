"""Each fix is tried: something is broken, the restore or dump fails, the printed commands are run,
and it works."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fix_cases import CASES, PLAIN, REFUSED
from fixing import Shell, diagnosed, try_fix, try_podman_fix
from lab import Lab

from ckpt_tui.diagnose.log_reasons import reasons
from ckpt_tui.diagnose.rules import rules

OF_REASONS = ("restore-read-only", "restore-huge")
"""Cases in which the commands are of a row of reasons.tsv."""


@pytest.fixture(scope="module")
def shells(lab: Lab) -> Iterator[list[Shell]]:
    """Shells of all cases: a new one only after one has ended."""
    made = [Shell(lab)]
    yield made
    for shell in made:
        shell.close()


@pytest.fixture
def shell(lab: Lab, shells: list[Shell]) -> Shell:
    if shells[-1].has_ended:
        shells.append(Shell(lab))
    return shells[-1]


@pytest.mark.parametrize("name", CASES)
def test_printed_commands_make_it_work(shell: Shell, name: str) -> None:
    cause = try_fix(shell, name, CASES[name])
    assert cause["commands_tried"], f"{cause['id']} is not marked as tried"


@pytest.mark.parametrize("name", REFUSED)
def test_printed_commands_make_podman_restore_it(lab: Lab, shell: Shell, name: str) -> None:
    lab.checkpoint("counter")
    lab.restock()
    cause = try_podman_fix(shell, name, REFUSED[name])
    assert cause["commands_tried"], f"{cause['id']} is not marked as tried"


def test_podman_s_own_command_comes_from_the_checkpoint(lab: Lab, shell: Shell) -> None:
    lab.checkpoint("web")
    lab.restock()
    keep = "podman container restore --keep --import /host/web.tar.zst"
    log = "$(podman inspect --latest --format '{{.StaticDir}}')/restore.log"
    assert shell.run(keep)[0] != 0
    assert shell.run(f"cp {log} /host/web.restore.log; podman rm -af -t 0")[0] == 0
    cause = diagnosed(lab, "/host/web.restore.log", "/host/web.tar.zst")["root_cause"]
    restore = "podman container restore --tcp-established --import /host/web.tar.zst"
    assert (cause["commands"], cause["commands_tried"]) == ([restore], True)
    assert shell.run(restore)[0] == 0
    shell.run("podman rm -af -t 0")


@pytest.mark.parametrize("level", range(5))
def test_healthy_log_at_any_verbosity_is_no_failure(lab: Lab, shell: Shell, level: int) -> None:
    shell.run("D=/host/fixes/healthy; rm -rf $D; mkdir -p $D/img; cd $D")
    started = PLAIN.replace("{D}", "/host/fixes/healthy")
    shell.run(f"{started}\nuntil [ -e $D/ready ]; do sleep .05; done")
    options = f"--images-dir $D/img --work-dir $D -v{level}"
    for work in (f"dump --tree $P {options} -o dump.log", f"restore {options} -o restore.log -d"):
        code, said = shell.run(f"criu {work} 2>>$D/said")
        assert code == 0, said
        name = f"/host/fixes/healthy/{work.split()[0]}.log"
        if shell.run(f"[ -s {name} ]")[0] == 0:  # at -v0 there is nothing to read
            found = diagnosed(lab, name)
            assert found["root_cause"] is None
            assert found["attempt"]["outcome"] == ("succeeded" if level > 2 else "unknown")
    shell.run("kill -9 $P; cd /; rm -rf $D")


def test_what_is_marked_as_tried_is_tried_here() -> None:
    refined = {name for name in CASES if name in OF_REASONS}
    cases = {case.cause for name, case in (*CASES.items(), *REFUSED.items()) if name not in refined}
    assert {rule.id for rule in rules() if rule.tried} == cases
    assert len([reason for reason in reasons() if reason.tried]) == len(refined)
