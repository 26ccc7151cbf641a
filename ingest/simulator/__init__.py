"""The fake Movemint: makes up registrations and delivers them, signed, over real HTTP. For trying out only."""
