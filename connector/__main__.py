"""Runs the command `connector` for `python -m connector`."""

from connector.commands.app import main

if __name__ == "__main__":
    main()
