"""The host: a process beside the server that unpacks builds and runs real game servers, which die with it.

messages: what server and host say to each other, in frames. unpack, programs, ports: from an uploaded zip to something that
can be started. launch: the small program that becomes a game server. running, supervisor: processes and their folders.
logs: what game servers write. strays: what must not be left behind. Nothing here knows the store or the services.
"""
