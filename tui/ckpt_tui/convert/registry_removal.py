"""Removal of images from a registry. This module costs 130 ms to import, for oras."""

from __future__ import annotations

from dataclasses import dataclass, field

from ckpt_tui.convert.upkeep import Removal
from ckpt_tui.core.errors import CkptError, UsageError
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.text import short_digest
from ckpt_tui.sources.oci import descriptors_of, is_index_type, is_referrers_tag, referrers_tag
from ckpt_tui.sources.reference import parse_reference
from ckpt_tui.sources.registry import RegistryClient

MAX_TAGS = 2000
"""Tags of a repository that are asked for their digests; each costs a request."""


@dataclass(slots=True)
class _Tags:
    """What the tags of a repository name."""

    digests: dict[str, str] = field(default_factory=dict)
    """Tag to the digest of its manifest."""
    kept: set[str] = field(default_factory=set)
    """Digests in the indexes of other images."""


def remove_from_registry(target: str, progress: Progress, *, dry_run: bool) -> Removal:
    """Remove the image that `target` names (docker://HOST/REPO:TAG or @DIGEST), with its referrers,
    the tags that belong to it, and the images in its index that no other index has.

    A registry deletes a manifest with all of its tags (distribution-spec, "Deleting Manifests"), so
    an image of several tags goes only by its digest.

    Raises:
        UsageError: another tag names the same image.
        CkptError: the registry does not answer, has too many tags, or does not allow it.
    """
    reference = parse_reference(target)
    client = RegistryClient(reference.server)
    repository = reference.repository
    try:
        image = client.manifest(repository, reference.wanted, progress)
        digest = image.descriptor.digest
        tags = _tags(client, repository, digest, progress)
        names = [tag for tag, found in tags.digests.items() if found == digest]
        others = [name for name in names if reference.tag and name != reference.tag]
        if others and not reference.digest:
            raise UsageError(
                f"{target} is also called {', '.join(others)}.",
                "A registry removes an image with all of its tags.",
                f"Remove all of them with docker://{reference.name}@{digest}.",
            )
        children = [one.digest for one in descriptors_of(image.document, "manifests", "the index")]
        images = [child for child in children if child not in tags.kept]
        own = [digest, *images]
        made_of = {referrers_tag(one) for one in own}
        belonging = [tag for tag in tags.digests if tag.partition(".")[0] in made_of]
        referrers = [r.digest for one in own for r in client.referrers(repository, one, progress)]
        going = [*(tags.digests[tag] for tag in belonging), *referrers, *images]
        if not dry_run:
            _delete(client, repository, digest, going, progress)
    finally:
        client.close()
    rest = tuple(dict.fromkeys(one for one in referrers if one != digest))
    return Removal(target, digest, (*names, *belonging), rest, (), tuple(images), None, None)


def _tags(client: RegistryClient, repository: str, digest: str, progress: Progress) -> _Tags:
    """Ask what each tag names, and what is in the indexes of other images."""
    found = _Tags()
    for tag in client.tags(repository, progress):
        if len(found.digests) == MAX_TAGS:
            raise CkptError(
                f"{repository} has more than {MAX_TAGS:,} tags.",
                "Which of them name the same image is not known.",
                "Remove it with the tools of the registry.",
            )
        head = client.head(repository, tag, progress)
        found.digests[tag] = head.digest
        is_other = head.digest != digest and not is_referrers_tag(tag.partition(".")[0])
        if is_other and is_index_type(head.media_type):
            document = client.manifest(repository, tag, progress).document
            found.kept |= {one.digest for one in descriptors_of(document, "manifests", tag)}
    return found


def _delete(
    client: RegistryClient, repository: str, digest: str, others: list[str], progress: Progress
) -> None:
    """Delete an image first: where that is refused, nothing has been changed."""
    if not client.delete(repository, "manifests", digest, progress):
        raise CkptError(
            f"{client.host} did not remove {short_digest(digest)}.",
            "It does not allow removal, or not to you.",
            "Enable deletion in the registry, or remove the image with its own tools.",
        )
    left = [
        one
        for one in dict.fromkeys(others)
        if one != digest and not client.delete(repository, "manifests", one, progress)
    ]
    if left:
        raise CkptError(
            "The image was removed, but not all that belongs to it:",
            f"{client.host} did not remove {', '.join(map(short_digest, left))}.",
        )
