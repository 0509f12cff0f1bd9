"""The documents' formulas as pure functions on arrays, one file per family; `catalog` lists them."""
