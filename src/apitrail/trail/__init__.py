"""From journal to bucket.

trails: the documents and the spans in which they log. follow: which events a trail wants, scanned once for all trails.
logfile: names and bytes of log files. contents: the events of sealed ones. seal: fix name and range. deliver: the worker that seals, puts and marks.
notify: tell a topic what came. status: what is true of deliveries, from the marks.
"""
