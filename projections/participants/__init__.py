"""The roster's write side: a body becomes a state, states become rows."""
