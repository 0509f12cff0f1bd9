"""Train an experiment of jaxgen: `python train.py` lists them, `--help` documents every field."""

from jaxgen.cli import main_train

if __name__ == "__main__":
    main_train()
