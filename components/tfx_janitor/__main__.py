"""`python -m tfx_janitor` is the command line."""

from tfx_janitor.cli import main

if __name__ == "__main__":
    main()
