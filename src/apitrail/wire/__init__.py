"""Bytes to calls and back, pure: no socket, no file but the API models.

http: request and response as values. models: the API models. scope: what the signature names. call: a decoded call.
route: which service, operation and protocol; resttable, uri, hosts: the same for REST services and for buckets.
codec: the table of protocols; json11, cbor, query (and ec2), restjson, restxml: one protocol each, both directions;
values, tree, form, xml, rest, faults: what they share. validate, pattern: parameters against the model.
aws_chunked: uploads freed of their frame.
"""
