"""What watches rosterlog from outside: alert rules, a board, and the page of all metrics, made from one list."""
