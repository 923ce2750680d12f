"""The statements of compound rules: `and(FairSkill, not(SameClan), or(NearServer, LongWait))`.

Source: FlexMatch developer guide, compound rules.
"""

import re
from collections.abc import Iterator

from apitrail.flexmatch.ruleset import Statement

LENGTH_MAX = 4_000
DEPTH_MAX = 16
OPERATORS = {"and": 2, "or": 2, "xor": 2, "not": 1}
"""Operators, and how many operands they take at least; `not` takes one."""

TOKEN = re.compile(r"\s*([(),]|[^(),]+)")


class WrongStatement(Exception):
    """A text is no statement. The message completes "statement ... "."""


def read_statement(text: str) -> Statement:
    """Return the statement that a text is. Raises: WrongStatement."""
    if len(text) > LENGTH_MAX:
        raise WrongStatement(f"must have at most {LENGTH_MAX} characters")
    tokens = [token.strip() for token in TOKEN.findall(text.strip())]
    statement, after = _read(tokens, 0, DEPTH_MAX)
    if after != len(tokens):
        raise WrongStatement(f"goes on after its end with {tokens[after]}")
    if isinstance(statement, str):
        raise WrongStatement(f"must begin with an operator: {', '.join(OPERATORS)}")
    return statement


def names_in(statement: Statement) -> Iterator[str]:
    """Yield the rules that a statement names."""
    if isinstance(statement, str):
        yield statement
        return
    for part in statement[1:]:
        yield from names_in(part)


def _read(tokens: list[str], at: int, depth: int) -> tuple[Statement, int]:
    """Return the statement that begins at a token, and the number of the token after it."""
    if at >= len(tokens) or tokens[at] in ("(", ")", ","):
        raise WrongStatement(
            "lacks a rule's name or an operator" + (f" before {tokens[at]}" if at < len(tokens) else "")
        )
    if at + 1 >= len(tokens) or tokens[at + 1] != "(":
        return tokens[at], at + 1
    operator = tokens[at].lower()
    if operator not in OPERATORS:
        raise WrongStatement(f"uses the operator {tokens[at]}; there are: {', '.join(OPERATORS)}")
    if depth == 0:
        raise WrongStatement("is nested too deeply")
    operands: list[Statement] = []
    after = at + 1
    while True:
        operand, after = _read(tokens, after + 1, depth - 1)
        operands.append(operand)
        if after >= len(tokens) or tokens[after] not in (",", ")"):
            raise WrongStatement("lacks a closing parenthesis")
        if tokens[after] == ")":
            break
    _check_count(operator, len(operands))
    return (operator, *operands), after + 1


def _check_count(operator: str, count: int) -> None:
    least = OPERATORS[operator]
    if operator == "not" and count != 1:
        raise WrongStatement(f"gives {count} operands to not, which takes one")
    if count < least:
        raise WrongStatement(f"gives {count} operand to {operator}, which takes two or more")
