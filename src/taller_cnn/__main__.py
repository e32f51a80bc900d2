"""``python -m taller_cnn``: the same as the ``taller-cnn`` command."""

from taller_cnn.cli import main

if __name__ == "__main__":
    main()
