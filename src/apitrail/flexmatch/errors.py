"""The error of this package."""

from apitrail.errors import ApitrailError


class RuleSetError(ApitrailError):
    """A rule set cannot be used. The message names the place in the document and what would be right there."""
