"""Wildcards against a plain model of what they mean, and evaluation against the order of its statements."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from apitrail.identity.patterns import glob
from apitrail.identity.policy import evaluate
from apitrail.identity.principal import Principal

texts = st.text("ab:/.*?[]()\\$^\n|", max_size=12)
patterns = st.text("ab:/*?.[](\\$\n|", max_size=10)


def matches(pattern: str, text: str) -> bool:
    """The definition, by recursion: `*` takes any text, `?` one character, all else itself."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(matches(pattern[1:], text[at:]) for at in range(len(text) + 1))
    return bool(text) and pattern[0] in ("?", text[0]) and matches(pattern[1:], text[1:])


@settings(max_examples=1500, deadline=None)
@given(patterns, texts)
def test_wildcards_mean_what_they_say(pattern: str, text: str) -> None:
    assert (glob(pattern).fullmatch(text) is not None) is matches(pattern, text)


@settings(max_examples=500, deadline=None)
@given(texts, st.sets(st.integers(0, 12)), st.integers(0, 12), st.integers(0, 12))
def test_a_text_fits_the_patterns_made_from_it(text: str, single: set[int], start: int, end: int) -> None:
    pattern = ["?" if at in single else char for at, char in enumerate(text)]
    pattern[start : max(start, end)] = ["*"]
    assert glob("".join(pattern)).fullmatch(text) is not None


actions = st.sampled_from(["s3:GetObject", "s3:PutObject", "sns:Publish"])
statements = st.fixed_dictionaries(
    {
        "Effect": st.sampled_from(["Allow", "Deny"]),
        "Action": st.lists(st.sampled_from(["s3:GetObject", "s3:*", "*", "sns:Publish", "s3:Put*"]), min_size=1),
        "Resource": st.sampled_from(["*", "arn:aws:s3:::b/*", "arn:aws:s3:::c/k"]),
    }
)


@settings(max_examples=500, deadline=None)
@given(
    st.lists(statements, max_size=5),
    actions,
    st.sampled_from(["arn:aws:s3:::b/k", "arn:aws:s3:::c/k", "*"]),
    st.integers(),
)
def test_the_result_depends_neither_on_order_nor_on_how_statements_are_split(
    listed: list[dict[str, object]], action: str, resource: str, seed: int
) -> None:
    def decide(*documents: list[dict[str, object]]) -> bool:
        policies = tuple({"Version": "2012-10-17", "Statement": document} for document in documents if document)
        caller = Principal("IAMUser", "111122223333", "arn:aws:iam::111122223333:user/u", "AIDA", policies=policies)
        return evaluate(caller, action, [resource], {}).allowed

    def applies(statement: dict[str, object]) -> bool:
        names = statement["Action"]
        assert isinstance(names, list)
        fits = any(matches(name.lower(), action.lower()) for name in names)
        return fits and matches(str(statement["Resource"]), resource)

    effects = {statement["Effect"] for statement in listed if applies(statement)}
    expected = "Allow" in effects and "Deny" not in effects
    shuffled = random.Random(seed).sample(listed, len(listed))
    assert decide(listed) is expected
    assert decide(shuffled) is expected
    assert decide(*[[statement] for statement in shuffled]) is expected
