"""The nearest spelling of a word that nobody knows."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(word: str, known: Iterable[str]) -> list[str]:
    """Return up to three known words that look like this one, the likeliest first; capitals do not matter."""
    by_lower = {name.lower(): name for name in known}
    return [by_lower[name] for name in get_close_matches(word.lower(), by_lower, n=3, cutoff=0.6)]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `did you mean X?`, or an empty text."""
    found = nearest(word, known)
    return f"did you mean {' or '.join(found)}?" if found else ""
