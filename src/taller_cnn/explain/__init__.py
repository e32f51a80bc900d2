"""A trained network opened: what it looks for, where it fails, how far to trust it.

- `section`: what a part is given and what it returns. `parts`: which parts there are.
- `overview`, `classes`, `filters`, `feature_maps`, `attribution`, `mistakes`, `trust`,
  `embedding`, `robustness`, `labels`: the parts, each a function of a `Subject`.
- `subject`: a trained network read from disk, ready to be explained.
- `report`: the parts one after the other, their pictures, the numbers and the page.
"""
