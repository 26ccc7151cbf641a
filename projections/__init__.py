"""Makes the log answer questions: workers fold it into a roster, and a read-only API serves that."""
