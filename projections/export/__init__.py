"""The roster as a file, in each of the formats; from the API and from the command alike."""
