"""Every reader of strangers' bytes, with random and mutated input: it reads, or refuses in words; nothing else.

The targets are those of the coverage-guided fuzzer, which runs here for a moment, and with APITRAIL_SOAK=1 until it has
consumed 200 MB.
"""

import importlib.util
import os
from pathlib import Path

import pytest
from fuzz.__main__ import main
from fuzz.targets import TARGETS, Case
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

SOAK = os.environ.get("APITRAIL_SOAK") == "1"
EXAMPLES = 5000 if SOAK else 150
COMMON = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=not SOAK)
CHANGES = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 600), st.binary(min_size=1, max_size=8)), max_size=6)
WORDS = (
    b"\0",
    b"\xff",
    b"%00",
    b"\r\n",
    b"9" * 30,
    b"-1",
    b"[" * 200,
    b"{" * 200,
    b"(" * 200,
    b"&" * 50,
    b"\xed\xa0\x80",
)


def mutated(text: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    """Return a text with pieces replaced, put in, taken out, doubled, or with a mean word put in."""
    for kind, place, piece in changes:
        start = place % (len(text) + 1)
        end = min(len(text), start + len(piece))
        word = WORDS[piece[0] % len(WORDS)]
        middle = (piece, piece + text[start:end], b"", text[start:end] * 2, word + text[start:end])[kind]
        text = text[:start] + middle + text[end:]
    return text


def test_all_targets_take_their_true_inputs() -> None:
    for case in TARGETS.values():
        for seed in case.seeds:
            case.target(seed)


@pytest.mark.parametrize("case", TARGETS.values(), ids=TARGETS.keys())
def test_random_bytes_are_read_or_refused(case: Case) -> None:
    @COMMON
    @given(data=st.binary(max_size=300))
    def attempt(data: bytes) -> None:
        case.target(data)

    attempt()


@pytest.mark.parametrize("case", TARGETS.values(), ids=TARGETS.keys())
def test_changed_true_inputs_are_read_or_refused(case: Case) -> None:
    @COMMON
    @given(seed=st.sampled_from(case.seeds), changes=CHANGES)
    def attempt(seed: bytes, changes: list[tuple[int, int, bytes]]) -> None:
        case.target(mutated(seed, changes))

    attempt()


if importlib.util.find_spec("atheris") is not None:  # there are builds of it for x86-64 only

    @pytest.mark.timeout(24 * 3600 if SOAK else 120)
    def test_coverage_guided_input_is_read_or_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        words = ["--megabytes", "200"] if SOAK else ["--megabytes", "0.05", "expression"]
        assert main([*words, "--keep", str(tmp_path)]) == 0, capsys.readouterr().out

    def test_the_fuzzer_finds_a_planted_mistake(tmp_path: Path) -> None:
        assert main(["--megabytes", "50", "--keep", str(tmp_path), "planted"]) == 1
        assert list((tmp_path / "planted").glob("crash-*"))
