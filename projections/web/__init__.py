"""The roster over HTTP, read-only: the API, its tokens and its errors."""
