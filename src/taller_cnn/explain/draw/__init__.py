"""The pictures of an explanation: arrays in, a matplotlib `Figure` out."""
