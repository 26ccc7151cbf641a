"""Laws and promises. Tests mirror files; their names say what holds. Expected values come from an independent model."""
