"""The rules of a rule set, from objects of the document to `Rule`: one reader per type, in the table READERS.

Numbers may be written as texts, and measurements as one text instead of a list. Source: FlexMatch developer guide,
rule types; published rule sets. Inferred: which results each field takes, where the guide only shows examples.
"""

from collections.abc import Callable, Mapping
from typing import Any, cast

from apitrail.flexmatch.document import Piece, as_number, shown
from apitrail.flexmatch.expressions import Names, WrongExpression, read_expression
from apitrail.flexmatch.ruleset import (
    BatchDistance,
    CollectionRule,
    Comparison,
    Compound,
    Constant,
    Distance,
    Latency,
    Measured,
    Rule,
    Sort,
)
from apitrail.flexmatch.statements import WrongStatement, names_in, read_statement

COUNT_MAX = 100_000
MEASUREMENTS_MAX = 20
NUMBER_AGGREGATIONS = ("avg", "min", "max")
LIST_AGGREGATIONS = ("union", "intersection")
EQUALITY = ("=", "!=")
OPERATIONS = ("<", "<=", "=", "!=", ">", ">=")
COLLECTION_OPERATIONS = ("contains", "intersection", "reference_intersection_count")

Reader = Callable[[Piece, Names, Mapping[str, Rule]], Rule]


def read_rule(piece: Piece, names: Names, before: Mapping[str, Rule]) -> Rule:
    """Return the rule that an object is. before: the rules that stand before it. Raises: RuleSetError."""
    piece.text("name", "the rule's name")
    return READERS[piece.choice("type", READERS)](piece, names, before)


def _comparison(piece: Piece, names: Names, _: Mapping[str, Rule]) -> Rule:
    measurements = _measurements(piece, names)
    operation = piece.choice("operation", OPERATIONS)
    base = _one_base(piece, measurements, ("number", "string"))
    reference = _reference(piece, names, base, 0) if piece.has("referenceValue") else None
    if reference is None and operation not in EQUALITY:
        piece.refuse("referenceValue", f"must be given for the operation {operation}; only = and != work without.")
    if base == "string" and operation not in EQUALITY:
        piece.refuse("operation", f"must be = or != for texts, not {operation}.")
    return Comparison(_name(piece), measurements, operation, reference, _number_aggregation(piece))


def _distance(piece: Piece, names: Names, _: Mapping[str, Rule]) -> Rule:
    measurements = _measurements(piece, names)
    _one_base(piece, measurements, ("number",))
    piece.need("referenceValue", "the number or expression that distances are measured from")
    reference = _reference(piece, names, "number", 0)
    low, high = piece.number("minDistance", low=0), piece.number("maxDistance", low=0)
    if low is None and high is None:
        piece.refuse("maxDistance", "or minDistance must be given for a distance rule.")
    if low is not None and high is not None and low > high:
        piece.refuse("minDistance", f"must not be above maxDistance: {low:g} is above {high:g}.")
    return Distance(_name(piece), measurements, reference, low, high, _number_aggregation(piece))


def _collection(piece: Piece, names: Names, _: Mapping[str, Rule]) -> Rule:
    measurements = _measurements(piece, names)
    _one_base(piece, measurements, ("string",))
    operation = piece.choice("operation", COLLECTION_OPERATIONS)
    reference = _collection_reference(piece, names, operation)
    if operation == "intersection" and any(measured.depth < 2 for measured in measurements):
        piece.refuse("measurements", "must be lists of lists of texts for the operation intersection.")
    low, high = piece.whole("minCount", 0, COUNT_MAX), piece.whole("maxCount", 0, COUNT_MAX)
    if low is not None and high is not None and low > high:
        piece.refuse("minCount", f"must not be above maxCount: {low} is above {high}.")
    aggregation = piece.choice("partyAggregation", LIST_AGGREGATIONS, "union")
    return CollectionRule(_name(piece), measurements, cast(Any, operation), reference, low, high, aggregation)


def _collection_reference(piece: Piece, names: Names, operation: str) -> Measured | None:
    if operation == "intersection":
        if piece.has("referenceValue"):
            piece.refuse("referenceValue", "must not be given for the operation intersection.")
        return None
    wanted = "the text to look for" if operation == "contains" else "the texts to compare with"
    piece.need("referenceValue", wanted)
    return _reference(piece, names, "string", 0 if operation == "contains" else 1)


def _latency(piece: Piece, names: Names, _: Mapping[str, Rule]) -> Rule:
    piece.need("maxLatency", "the most milliseconds to a location")
    maximum, distance = piece.number("maxLatency", low=0), piece.number("maxDistance", low=0)
    assert maximum is not None
    if distance is None and piece.has("distanceReference"):
        piece.refuse("distanceReference", "can only be given together with maxDistance.")
    reference = piece.choice("distanceReference", ("min", "avg"), "avg")
    return Latency(_name(piece), maximum, distance, cast(Any, reference), _number_aggregation(piece))


def _batch_distance(piece: Piece, names: Names, _: Mapping[str, Rule]) -> Rule:
    attribute = _attribute(piece, names, "batchAttribute", ("number", "string"))
    distance = piece.number("maxDistance", low=0)
    is_number = names.attributes[attribute].type == "number"
    if is_number and distance is None:
        piece.refuse("maxDistance", f"must be given, since {attribute} is a number.")
    return BatchDistance(_name(piece), attribute, distance if is_number else None, _number_aggregation(piece))


def _sort(piece: Piece, names: Names, _: Mapping[str, Rule]) -> Rule:
    absolute = piece.values["type"] == "absoluteSort"
    kinds = ("number", "string_number_map", "string") if absolute else ("number", "string_number_map")
    attribute = _attribute(piece, names, "sortAttribute", kinds)
    descending = piece.choice("sortDirection", ("ascending", "descending")) == "descending"
    is_map = names.attributes[attribute].type == "string_number_map"
    map_key = piece.choice("mapKey", ("minValue", "maxValue")) if is_map else None
    aggregation = _number_aggregation(piece)
    return Sort(_name(piece), absolute, descending, attribute, cast(Any, map_key), aggregation)


def _compound(piece: Piece, names: Names, before: Mapping[str, Rule]) -> Rule:
    text = piece.text("statement", "and(..), or(..), xor(..) or not(..) over names of rules")
    try:
        statement = read_statement(text)
    except WrongStatement as wrong:
        piece.refuse("statement", f"{wrong}.")
    parts = frozenset(names_in(statement))
    for name in sorted(parts):
        if name not in before:
            piece.refuse("statement", f"names {name}, which is no rule that stands before {_name(piece)}.")
        if isinstance(before[name], BatchDistance | Sort):
            piece.refuse("statement", f"names {name}; rules that form or sort batches cannot be part of a statement.")
    return Compound(_name(piece), statement, parts)


READERS: Mapping[str, Reader] = {
    "comparison": _comparison,
    "distance": _distance,
    "collection": _collection,
    "latency": _latency,
    "batchDistance": _batch_distance,
    "absoluteSort": _sort,
    "distanceSort": _sort,
    "compound": _compound,
}


def _name(piece: Piece) -> str:
    return str(piece.values["name"])


def _number_aggregation(piece: Piece) -> str:
    return piece.choice("partyAggregation", NUMBER_AGGREGATIONS, "avg")


def _attribute(piece: Piece, names: Names, field: str, kinds: tuple[str, ...]) -> str:
    """Return a declared attribute of one of some types that a field names."""
    name = piece.text(field, "a declared player attribute")
    attribute = names.attributes.get(name)
    if attribute is None:
        piece.refuse(field, f"names {name}, which playerAttributes does not declare.")
    if attribute.type not in kinds:
        piece.refuse(field, f"names {name}, a {attribute.type}; it must be a {' or '.join(kinds)}.")
    return name


def _measurements(piece: Piece, names: Names) -> tuple[Measured, ...]:
    """Return the expressions that a rule measures: one text, or a list of some."""
    given = piece.need("measurements", "one or more property expressions")
    texts = given if isinstance(given, list) else [given]
    if not 1 <= len(texts) <= MEASUREMENTS_MAX:
        piece.refuse("measurements", f"must have 1 to {MEASUREMENTS_MAX} expressions, not {len(texts)}.")
    return tuple(_measurement(piece, text, names) for text in texts)


def _measurement(piece: Piece, text: Any, names: Names) -> Measured:
    measured = _expression(piece, "measurements", text, names) if isinstance(text, str) else None
    if measured is None:
        example = "avg(teams[red].players.attributes[skill])"
        piece.refuse("measurements", f"must be property expressions such as {example}, not {shown(text)}.")
    return measured


def _expression(piece: Piece, field: str, text: str, names: Names) -> Measured | None:
    try:
        return read_expression(text, names)
    except WrongExpression as wrong:
        piece.refuse(field, f"{wrong}: {shown(text)}.")


def _one_base(piece: Piece, measurements: tuple[Measured, ...], allowed: tuple[str, ...]) -> str:
    """Return what all measured values are: numbers or texts."""
    words = {"number": "numbers", "string": "texts"}
    wanted = " or ".join(words[base] for base in allowed)
    bases = {measured.base for measured in measurements}
    for measured in measurements:
        if measured.base not in allowed:
            piece.refuse("measurements", f"must give {wanted}; {measured.text} gives something else.")
    if len(bases) > 1:
        piece.refuse("measurements", "must all give numbers, or all give texts.")
    return bases.pop()


def _reference(piece: Piece, names: Names, base: str, depth: int) -> Measured:
    """Return the referenceValue: a value in the document, or an expression with such a result.

    depth: 0 for a single value, 1 for a list of texts (a list of lists is taken as one list).
    """
    value = piece.values["referenceValue"]
    measured = _expression(piece, "referenceValue", value, names) if isinstance(value, str) else None
    if measured is not None:
        if measured.base != base or (measured.depth != 0 if depth == 0 else measured.depth < 1):
            wanted = "a list of texts" if depth else ("one number" if base == "number" else "one text")
            piece.refuse("referenceValue", f"must give {wanted}, which {measured.text} does not.")
        return measured
    return _constant(piece, value, base, depth)


def _constant(piece: Piece, value: Any, base: str, depth: int) -> Measured:
    """Return the referenceValue that stands in the document as it is."""
    if base == "number":
        number = as_number(value)
        if number is None:
            piece.refuse("referenceValue", f"must be a number or a property expression, not {shown(value)}.")
        return Measured(Constant(number), "number", 0, f"{number:g}")
    if depth == 0:
        if not isinstance(value, str):
            piece.refuse("referenceValue", f"must be a text, not {shown(value)}.")
        return Measured(Constant(value), "string", 0, shown(value))
    texts = value if isinstance(value, list) else [value]
    if not all(isinstance(text, str) for text in texts):
        piece.refuse("referenceValue", f"must be a list of texts or a property expression, not {shown(value)}.")
    return Measured(Constant(tuple(texts)), "string", 1, shown(value))
