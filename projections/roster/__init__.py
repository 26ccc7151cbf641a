"""The read side of the roster, for the API, the exports and the commands."""
