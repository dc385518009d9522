"""``python -m voxscale``."""

from voxscale.cli import main

if __name__ == "__main__":
    main()
