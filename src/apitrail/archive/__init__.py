"""Asking the past.

attributes: by which values an event is found. index: where they are kept, and the follower of the journal that fills it.
lookup: LookupEvents, over the index and the part of the journal that it has not reached.
"""
