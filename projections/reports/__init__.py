"""Ready questions in SQL: each a `.sql` file with a heading that says what it answers and what it takes."""
