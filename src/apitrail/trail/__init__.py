"""From journal to bucket.

trails: the documents and the spans in which they log. follow: which events a trail wants, scanned once for all trails.
logfile: names and bytes of log files. seal: fix name and range. contents: the events of sealed ones. deliver: the worker
that seals, puts and marks.
notify: tell a topic what came. status: what is true of deliveries, from the marks.
"""
