"""The participants projection: one row for each person registered, as the newest delivery shows them."""
