"""The daily counts: how many registrations each day brought, by event and sub-event."""
