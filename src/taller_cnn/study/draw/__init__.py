"""A study's pictures: arrays and words in, matplotlib figures out, made to be shown in a class."""
