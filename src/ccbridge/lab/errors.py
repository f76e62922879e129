"""The lab's one exception."""


class LabError(Exception):
    """The lab cannot do what was asked: one sentence that says why, one that says what to do."""

    def __init__(self, why: str, remedy: str) -> None:
        super().__init__(f"{why} {remedy}")
        self.why = why
        self.remedy = remedy


def first(errors: BaseExceptionGroup[LabError]) -> LabError:
    """Of several that came together, one to tell."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, LabError)
    return error
