"""Who calls, and may they: pure, no socket, no file.

principal: the caller as records show it. credentials: what a key stands for. sigv4: authentication.
actions: the names that policies use. policy: evaluation of policies.
"""
