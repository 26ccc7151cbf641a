"""Everything on one machine: `rosterlog up`."""
