"""One target under the coverage-guided fuzzer, in a process of its own: python -m fuzz.engine TARGET FOLDER BYTES.

Ends with code 0 when it has consumed that many bytes. A crash is kept as FOLDER/crash-*; how far it came is in
FOLDER/consumed at any time.
"""

import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

import atheris

RSS_MB_MAX = 1024
INPUT_S_MAX = 10
NOTE_EVERY = 1000


def load(name: str) -> tuple[Callable[[bytes], None], tuple[bytes, ...], int]:
    """Import a target with its instruments; return it, its true inputs and their largest length."""
    if name == "planted":
        with atheris.instrument_imports(include=["fuzz.planted"]):
            return importlib.import_module("fuzz.planted").target, (b"a true input",), 64
    with atheris.instrument_imports(include=["apitrail", "fuzz.targets"]):
        case = importlib.import_module("fuzz.targets").TARGETS[name]
    return case.target, case.seeds, case.largest


def main(name: str, folder: Path, budget: int) -> None:
    """Run until the bytes are consumed, or until something breaks."""
    target, inputs, largest = load(name)
    seeds = folder / "seeds"
    seeds.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(inputs):
        (seeds / str(number)).write_bytes(seed)
    consumed = runs = 0

    def one(data: bytes) -> None:
        nonlocal consumed, runs
        target(data)
        consumed, runs = consumed + len(data), runs + 1
        if runs % NOTE_EVERY == 0 or consumed >= budget:
            (folder / "consumed").write_text(f"{consumed} {runs}")
        if consumed >= budget:
            os._exit(0)

    flags = [
        f"-max_len={largest}", f"-rss_limit_mb={RSS_MB_MAX}", f"-timeout={INPUT_S_MAX}", "-len_control=20",
        f"-artifact_prefix={folder}/", "-print_final_stats=0", "-verbosity=0", str(seeds),
    ]  # fmt: skip
    atheris.Setup([sys.argv[0], *flags], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
