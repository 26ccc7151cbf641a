"""The roster's read side: what the API, the pages, the exports and the commands ask."""
