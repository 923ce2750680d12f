"""apitrail: a self-hosted audit trail for AWS-style APIs.

The layers, top to bottom: cli, app, gateway and workers, services, trail and archive, store and objects,
events, identity, wire, and the small modules clock, ids, errors, arn, settings. Each imports downward only.
"""

__version__ = "0.1.0"
