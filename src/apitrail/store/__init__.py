"""Where state lives: one SQLite file with one writer.

database: what the layers above may ask of a database. sqlite: the implementation, with commits shared by all
who wait. migrations: the tables, in numbered steps. journal: the append-only table of events. resources: documents
in collections. timers, effects: what is due later, and what must happen outside after a commit. meta: small values.
"""
