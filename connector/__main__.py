"""`python -m connector` is the command `connector`."""

from connector.commands.app import main

if __name__ == "__main__":
    main()
