"""Who calls, and may they: pure, no socket, no file.

principal: the caller as records show it; user_identity writes it there. credentials: what a key stands for.
sigv4: authentication of a request; canonical: what is signed; sigv2, chunks: its older and its streamed form; refusals: how it is
refused; signer: signing of our own. actions, request_context: what a call is to policies; s3_actions: the table for S3.
policy: evaluation; statements, conditions, patterns, facts: its parts; policy_document: what documents are accepted.
"""
