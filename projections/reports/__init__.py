"""Ready reports in SQL: one `.sql` file per report, whose heading says what it answers and what it takes."""
