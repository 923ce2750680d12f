"""The door: from bytes to an answered, recorded call and back.

server: the ASGI application and how bodies arrive. pipeline: the stations of a call, in order. perform: validate,
authorise, change, record. own: the endpoints below /_apitrail/. security: what happens before a caller is known.
"""
