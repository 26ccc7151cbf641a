"""Tests of the room that compares the roster with its log and with its source."""
