import pytest

from ckpt_tui.core.document import (
    MAX_DEPTH,
    MAX_DOCUMENT,
    parse_document,
    read_document,
    read_object,
    text_at,
    texts_at,
)
from ckpt_tui.core.errors import DamagedInput
from ckpt_tui.core.window import BytesWindow


def test_a_document_is_parsed() -> None:
    assert read_object(BytesWindow(b'{"a": {"b": "c"}}'), "config.dump") == {"a": {"b": "c"}}


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[" * 100_000, b'{"a": \xff}', b"9" * 5000, b'{"a" 1}'],
    ids=["empty", "cut", "deep", "bytes", "huge number", "syntax"],
)
def test_what_is_no_json_names_the_file(data: bytes) -> None:
    with pytest.raises(DamagedInput) as caught:
        read_document(BytesWindow(data), "spec.dump")
    assert caught.value.file == "spec.dump"


@pytest.mark.parametrize(("start", "end"), [("[", "]"), ('{"a":', "}")])
def test_nesting_has_a_limit_of_its_own(start: str, end: str) -> None:
    def nested(levels: int) -> BytesWindow:
        return BytesWindow(f"{start * levels}1{end * levels}".encode())

    assert read_document(nested(MAX_DEPTH), "spec.dump")
    with pytest.raises(DamagedInput, match="nested too deep"):
        read_document(nested(MAX_DEPTH + 1), "spec.dump")
    brackets = BytesWindow(b'["' + b"[" * 1000 + b'"]')
    assert read_document(brackets, "spec.dump") == ["[" * 1000]


def test_a_list_is_no_object() -> None:
    with pytest.raises(DamagedInput, match="no object"):
        read_object(BytesWindow(b"[]"), "config.dump")


def test_a_document_of_absurd_size_is_not_read() -> None:
    class Huge:
        size = MAX_DOCUMENT + 1

        def read(self, offset: int, length: int) -> bytes:
            raise AssertionError("read although too large")

    with pytest.raises(DamagedInput, match="more than"):
        read_document(Huge(), "config.dump")


def test_lookups_survive_documents_of_another_shape() -> None:
    document = {"a": [1, "x", None], "b": {"c": 7}}
    assert text_at(document, "b", "c") == ""
    assert text_at(document, "a", "c") == ""
    assert texts_at(document, "a") == ("x",)
    assert texts_at(document, "b") == ()


@pytest.mark.parametrize("number", ["Infinity", "-Infinity", "NaN", "1e999", "-1e999"])
def test_a_number_out_of_range_is_damage(number: str) -> None:
    with pytest.raises(DamagedInput, match="not a number in range"):
        parse_document(f'{{"size": {number}}}'.encode(), "config.dump")
