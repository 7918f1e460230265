"""Questions that had no answer go into Celery and are asked again until they have one. Environment: VIGIL_NODE, VIGIL_TOKEN.

What goes to the broker are the hashes or addresses themselves: guard it as you guard your data.
"""

import os
from functools import lru_cache

from celery import Celery, Task

from vigil.client import Client, FailOpen, Pending, Question, Unknown, Verdict

app = Celery("uploads")


def put_away(pending: Pending) -> None:
    """``Client(…, queue=put_away)`` where things are uploaded."""
    ask_again.delay(pending.question.as_dict())


@lru_cache(maxsize=1)
def vigil() -> Client:
    """The worker's own, without a queue: here the task itself comes back."""
    return Client(os.environ["VIGIL_NODE"], policy=FailOpen(), token=os.environ.get("VIGIL_TOKEN"))


@app.task(bind=True, acks_late=True, max_retries=None)
def ask_again(self: Task, document: dict[str, object]) -> None:
    question = Question.from_dict(document)
    verdict = vigil().ask([question])[0]
    if isinstance(verdict, Unknown) and verdict.passing:
        raise self.retry(countdown=min(3600, 30 * 2**self.request.retries))
    decided(question.reference, verdict)


def decided(reference: str | None, verdict: Verdict) -> None:
    """Yours to write: ``reference`` is what you called the upload; take it down if ``verdict.listed``."""
