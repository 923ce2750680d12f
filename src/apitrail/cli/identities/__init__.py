"""The kinds of things that `apitrail identity` makes and shows, one module each; common.py is what they share."""
