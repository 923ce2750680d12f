"""What the APIs do.

operation: how a service registers what it does. context: what a body has at hand. runtime: what prepare steps and effects
have. common: shared pieces. One package per service; `SERVICES` in registry.py lists those that are served.
"""
