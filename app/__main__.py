"""`python -m polysema.app` is the command `polysema`."""

from polysema.app.cli.main import main

if __name__ == "__main__":
    main()
