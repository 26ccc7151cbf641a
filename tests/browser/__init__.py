"""The pages in a real browser: Debian's Chromium, over a server as its users run it."""
