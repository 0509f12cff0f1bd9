"""The classifier's table against a walk over its real step, in every form and flavour."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgen.costs.table import CONTRACTIONS

