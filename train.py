"""Train an experiment of jaxgen: `python train.py` lists them, `--help` documents every field."""

if __name__ == "__main__":
    from jaxgen.interrupts import arm

    arm()  # before what takes time to import
    from jaxgen.cli import main_train

    main_train()
