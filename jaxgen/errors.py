"""The one exception for errors that a user can cause and mend."""


class UserError(Exception):
    """Bad input: one sentence that names the culprit (field or file) and the remedy.

    The command line prints the sentence and exits with status 2; every other exception is a
    defect of ours and keeps its traceback.
    """
