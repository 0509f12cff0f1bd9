"""The documents' formulas as pure functions, one file per family; `catalog` lists them."""
