"""What all our servers share: an application of parts, problem documents, headers, one socket."""
