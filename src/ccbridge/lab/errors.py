"""The lab's one exception."""


class LabError(Exception):
    """The lab cannot do what was asked: one sentence that says why, one that says what to do."""

    def __init__(self, why: str, remedy: str) -> None:
        super().__init__(f"{why} {remedy}")
        self.why = why
        self.remedy = remedy
