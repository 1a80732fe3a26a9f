"""Changing a few values of a JSON document and nothing else."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckpt_tui.convert.jsonedit import with_values
from ckpt_tui.core.errors import DamagedInput

PODMAN = (
    b'{\n  "spec": {"rootfsImageID": "inner"},\n  "rootfsImageID" : "old",\n'
    b' "x":[1,2.50,"\\u003c"]}\n'
)


def test_only_the_value_changes() -> None:
    edited = with_values(PODMAN, {"rootfsImageID": "new"}, "config.dump")
    assert edited == PODMAN.replace(b'"old"', b'"new"')


def test_a_key_that_is_not_there_is_added_last() -> None:
    edited = with_values(b'{"a": 1 }', {"b": "x", "c": "y"}, "config.dump")
    assert edited == b'{"a": 1, "b": "x", "c": "y" }'
    assert with_values(b"{}", {"b": "x"}, "config.dump") == b'{"b": "x"}'


@pytest.mark.parametrize(
    "document", [b"", b"[]", b"{", b'{"a":}', b"[" * 100_000, '{"a":1}'.encode("utf-16")]
)
def test_what_is_no_json_object_is_damage_that_names_the_file(document: bytes) -> None:
    with pytest.raises(DamagedInput) as caught:
        with_values(document, {"a": "b"}, "config.dump")
    assert caught.value.file == "config.dump"


@given(
    st.dictionaries(st.text(), st.recursive(st.none() | st.integers() | st.text(), st.lists)),
    st.dictionaries(st.text(), st.text()),
    st.sampled_from([None, 2]),
)
def test_reading_it_back_gives_the_old_document_with_the_new_values(
    document: dict[str, object], values: dict[str, str], indent: int | None
) -> None:
    edited = with_values(json.dumps(document, indent=indent).encode(), values, "config.dump")
    assert json.loads(edited) == {**document, **values}
