"""What every server of ours has: an application of parts, problem documents, headers, one socket."""
