"""Plain numpy twins of the layers: one row and one step at a time, in float64, given real tokens alone."""
