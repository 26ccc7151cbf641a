"""`python -m projections` is the `rosterlog` program; `up` starts its worker like this, wherever the script lies."""

from projections.cli.main import main

main()
