"""A command for media pipelines: may this attachment be kept?

    python upload_hook.py FILE…        environment: VIGIL_NODE, VIGIL_TOKEN, VIGIL_POLICY=open|closed

A Mastodon-like server runs it on the file it was sent, before it makes thumbnails or hands the post on. One JSON line for each
file, in order, without its name. Exit status: 0 all may be kept, 1 at least one may not, 2 the hook is set up wrongly.
"""

import json
import os
import sys

from vigil.base.errors import InputError
from vigil.client import Client, FailClosed, FailOpen, Verdict

POLICIES = {"open": FailOpen(), "closed": FailClosed()}


def line_of(verdict: Verdict) -> str:
    answer = "listed" if verdict.listed else "not_listed" if verdict.not_listed else "unknown"
    return json.dumps({"verdict": answer, "allowed": verdict.allowed, "reason": getattr(verdict, "reason", None)})


def main(files: list[str]) -> int:
    try:
        policy = POLICIES[os.environ["VIGIL_POLICY"]]
        with Client(os.environ["VIGIL_NODE"], policy=policy, token=os.environ.get("VIGIL_TOKEN")) as client:
            verdicts = [client.match_file(file) for file in files]
    except (InputError, KeyError) as error:
        print(f"the hook is set up wrongly: {error}", file=sys.stderr)
        return 2
    print("\n".join(map(line_of, verdicts)))
    return 0 if verdicts and all(verdict.allowed for verdict in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
