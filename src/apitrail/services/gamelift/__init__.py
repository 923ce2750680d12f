"""Amazon GameLift. One module per family of operations; a family registers itself when it is imported here.

errors, collections, arns, pages, tagging, records: what the families share.
"""
