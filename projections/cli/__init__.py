"""The commands about projections, API and reports: each reads options and prints; the work is done elsewhere."""
