"""The commands that receive deliveries and keep the log: they read options, call procedures and print."""
