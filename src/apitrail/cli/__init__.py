"""The command line: a client over HTTP, and the way to start a server.

main.py (entry, errors to exit codes), verbs.py (table of verbs, loaded when used), options.py (global options);
client.py, query_wire.py, discovery.py, profiles.py (reaching a server with keys); output.py, terminal.py, times.py,
records.py, filters.py, history.py (what is printed and asked); one module per verb; host.py starts servers.
"""
