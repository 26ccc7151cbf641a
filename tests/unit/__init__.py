"""The pure rooms."""
