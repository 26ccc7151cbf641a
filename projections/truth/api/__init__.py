"""Reads who the source lists from an API, page by page; which addresses and keys it has, an operator's file says."""
