"""Folds a projection from the log anew, beside the live one, compares the two, and lets readers see the new one."""
