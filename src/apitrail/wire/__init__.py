"""Bytes to calls and back, pure: no socket, no file but the API models.

http: request and response as values. models: the API models. scope: what the signature names.
route: which service, operation and protocol. codec: the table of protocols; json, cbor, query, restjson,
restxml: one protocol each, both directions. validate: parameters against the model. call: a decoded call.
"""
