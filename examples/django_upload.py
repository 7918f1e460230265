"""A Django view that takes a picture only when it may.

Settings: VIGIL_NODE (address of the edge node), VIGIL_TOKEN (its token, from a file of yours). Wire it into your URLs as usual.
"""

from functools import lru_cache

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_POST

from vigil.client import Client, FailClosed, Listed, Unknown


@lru_cache(maxsize=1)
def vigil() -> Client:
    """One for each process; it is thread-safe, and a forked worker gets connections of its own."""
    return Client(settings.VIGIL_NODE, policy=FailClosed(), token=settings.VIGIL_TOKEN)


@require_POST
def upload(request: HttpRequest) -> JsonResponse:
    picture = request.FILES.get("picture")
    if picture is None:
        return JsonResponse({"state": "no picture"}, status=400)
    match vigil().match_file(picture.file):
        case Listed(list=name, entry=entry):
            # Hand it to the people who decide what follows; never log the file, its name or its hashes.
            return JsonResponse({"state": "refused", "case": f"{name}/{entry}"}, status=422)
        case Unknown(allowed=False):
            return JsonResponse({"state": "held until it can be checked"}, status=202)
        case _:
            return JsonResponse({"state": "kept"}, status=201)
