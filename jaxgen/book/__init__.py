"""What a person reads: the catalogue of equations as text."""
