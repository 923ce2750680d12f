import pytest

from apitrail.wire.pattern import matcher, to_python


@pytest.mark.parametrize(
    ("pattern", "right", "wrong"),
    [
        (r"^[^.]+$", ["bucket"], ["devops.bucket", "", "bucket\n."]),
        (r"^[a-z]+$", ["abc"], ["abc\n", "ABC"]),
        (r"[\w+=,.@-]+", ["a.b@c"], ["a b", "ü", ""]),
        (r"^arn:.*:role\/[\w+=,.@-]+", ["arn:aws:iam::1:role/a/b"], ["role/a"]),
        (r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*", ["Größe 1", "漢字", ""], ["a#", "a\tb"]),
        (r"^\p{Lu}\P{Lu}$", ["Üx", "A1"], ["üx", "AB"]),
        (r"^[\p{Alpha}]\p{Digit}$", ["a1"], ["ä1"]),
        (r"^[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\r\n\t]*$", ["a😀\n", ""], ["\x00", "\uffff"]),
        (r"[\u0009\u0020-\u007E\u10000-\u10FFFF]+", ["a😀"], ["ä"]),
        (r"(?s).*", ["a\nb", ""], []),
        (r"^\d+$", ["12"], ["١٢"]),
        (r"^a\z", ["a"], ["a\n"]),
    ],
)
def test_a_pattern_tells_right_from_wrong(pattern: str, right: list[str], wrong: list[str]) -> None:
    assert [text for text in right if not matcher(pattern)(text)] == []
    assert [text for text in wrong if matcher(pattern)(text)] == []


def test_what_needs_no_translation_stays() -> None:
    pattern = r"^fleet-\S+|arn:(a|b)\/[a-z0-9\-]{1,3}"
    assert to_python(pattern) == pattern


def test_an_unknown_category_is_told() -> None:
    with pytest.raises(ValueError, match="unknown category"):
        to_python(r"\p{Klingon}")
