"""The read-only web: the API, its tokens and its errors."""
