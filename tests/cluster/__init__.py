"""More than one machine under load, with failures in the middle: heavy, so these tests run when they are asked for."""
