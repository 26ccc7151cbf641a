"""Receives Movemint's deliveries and keeps them: the signature, the log and the database they stand on."""
