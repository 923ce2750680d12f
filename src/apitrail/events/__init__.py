"""What is recorded of a call, pure: no socket, no file, no clock.

rules: the table each service fills in. record: field order and encoding. casing: model values to record values.
redact: what is hidden. limits: sizes. build: from a call and its outcome to the event. selectors: which events
a trail wants.
"""
