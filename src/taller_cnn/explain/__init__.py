"""A trained network opened: what it looks for, where it fails, how far to trust it.

- `subject`: a trained network read from disk, ready to be explained.
- `parts`: what a part is and which there are; each is a function that yields blocks of a page.
- `overview`, `classes`, `filters`, `feature_maps`, `attribution`, `errors`, `trust`, `embedding`,
  `robustness`, `labels`: the parts.
- `draw/`: their pictures, arrays in and a figure out.
- `report`: the parts one after the other, their pictures, the numbers and the page.
"""
